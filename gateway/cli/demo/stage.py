"""The stage of a demo: an instance, its people and authorities, and the gateway as a process.

Everything is done by running `gateway …` commands, as a user would.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.cli.demo.scenario import Authority
from gateway.exchange.terms import SUPPORTS
from gateway.kernel.errors import UnavailableError

STAFF = {
    "sharer": ("sharer",),
    "releaser": ("sharer", "releaser"),
    "legal_adviser": ("legal_adviser",),
    "victims_unit": ("victims_unit",),
    "head_of_mechanism": ("head_of_mechanism",),
    "source_liaison": ("source_liaison",),
    "compliance": ("compliance",),
    "rfa_officer": ("rfa_officer",),
    "author": ("policy_author",),
    "second_author": ("policy_author",),
}
_START_SECONDS = 60


class CommandError(Exception):
    """A command ended otherwise than expected."""


@dataclass
class Stage:
    """Where everything lies, and the running gateway."""

    root: Path
    port: int
    admin_port: int
    server: "subprocess.Popen[bytes] | None" = None

    @property
    def instance(self) -> Path:
        """The instance folder."""
        return self.root / "instance"

    def folder(self, who: str) -> Path:
        """Return somebody's key folder."""
        return self.root / "people" / who

    def run(self, *args: str, expect: int = 0) -> Any:
        """Run a command with --json; return what it printed. Raises CommandError."""
        command = [sys.executable, "-m", "gateway", *args, "--json"]
        progress = None if sys.stderr.isatty() and args[0] in ("push", "pull") else subprocess.PIPE
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=progress, check=False
        )
        if done.returncode != expect:
            said = (done.stderr or b"").decode().strip()
            shown = " ".join(args)
            raise CommandError(f"gateway {shown}\nended with {done.returncode}: {said}")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def set_up(self, authorities: tuple[Authority, ...], policy: Path | None) -> None:
        """Make the instance, its people and the authorities, and sign the directory."""
        more = ["--policy", str(policy)] if policy else []
        ports = ["--port", str(self.port), "--admin-port", str(self.admin_port)]
        self.run("init", str(self.instance), "--same-volume", "--unsealed", *ports, *more)
        # Commands on different parties touch different files, so they may run side by side.
        with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
            list(pool.map(self._add, [None, *authorities]))
        self.run("keys", "sign", *self._on())
        for author in ("author", "second_author"):
            folder = str(self.instance / "policies")
            self.run("policy", "sign", folder, "--yes", "--as", str(self.folder(author)))

    def _on(self) -> tuple[str, str]:
        return "--instance", str(self.instance)

    def _add(self, authority: Authority | None) -> None:
        if authority is None:
            for who, roles in STAFF.items():
                # Who reads what authorities write has a key for each kind of client there is.
                suites = ("--suite", "pq", "--suite", "classic") if who == "rfa_officer" else ()
                self._member("add-person", "mechanism", who.replace("_", " "), roles, who, *suites)
            return
        short = authority.short
        self.run(
            "keys", "add-party", short, authority.name, "--jurisdiction", authority.jurisdiction,
            "--supports", ",".join(SUPPORTS), *self._on(),
        )  # fmt: skip
        suite = ("--suite", authority.suite)
        self._member("add-service", short, "endpoint", ("endpoint",), short, *suite)
        self._member("add-person", short, f"Officer of {short}", ("officer",), f"{short}-officer")

    def _member(
        self, command: str, party: str, name: str, roles: tuple[str, ...], who: str, *more: str
    ) -> None:
        said = [part for role in roles for part in ("--role", role)]
        out = ("--out", str(self.folder(who)))
        self.run("keys", command, party, name, *said, *out, "--unsealed", *more, *self._on())

    def start(self) -> None:
        """Start the gateway and wait until it is ready. Raises UnavailableError."""
        log = (self.root / "gateway.log").open("ab")
        command = [sys.executable, "-m", "gateway", "serve", *self._on()]
        self.server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        until = time.monotonic() + _START_SECONDS
        while not self._ready():
            if self.server.poll() is not None or time.monotonic() > until:
                raise UnavailableError(f"the gateway did not start: see {self.root}/gateway.log")
            time.sleep(0.05)

    def _ready(self) -> bool:
        url = f"http://127.0.0.1:{self.admin_port}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def close(self) -> None:
        """Stop the gateway and remove everything."""
        if self.server is not None and self.server.poll() is None:
            self.server.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.server.wait(timeout=30)
            self.server.kill()
            self.server.wait()
        shutil.rmtree(self.root, ignore_errors=True)


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
