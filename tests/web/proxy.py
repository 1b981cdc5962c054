"""A real nginx in front of a gateway, with the shipped configuration: only paths, ports and times differ."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.world import ROOT, free_port

SHIPPED = ROOT / "deploy" / "nginx" / "gateway.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

_WHOLE = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/gateway.conf;
}}
"""


def configured(
    port: int, gateway: int, changes: Mapping[str, str], *, tls: Path | None, options: str
) -> str:
    """Return the shipped file for these ports; *changes* replace text that must be there."""
    text = SHIPPED.read_text(encoding="utf-8")
    wanted = {"127.0.0.1:8443": f"127.0.0.1:{gateway}", **changes}
    if tls is None:
        wanted["listen 443 ssl;"] = f"listen 127.0.0.1:{port}{options};"
        lines = [line for line in text.splitlines() if not line.strip().startswith("ssl_")]
        text = "\n".join(lines) + "\n"
    else:
        wanted["listen 443 ssl;"] = f"listen 127.0.0.1:{port} ssl{options};"
        wanted["/etc/nginx/gateway"] = str(tls / "gateway")
    for was, becomes in wanted.items():
        assert was in text, was
        text = text.replace(was, becomes)
    return text


@contextmanager
def nginx(
    folder: Path,
    gateway: int,
    changes: Mapping[str, str] | None = None,
    *,
    tls: Path | None = None,
    options: str = "",
) -> Iterator[int]:
    """Run nginx before the gateway's port; yield its own port.

    *tls* is a folder with certificate and key; without it, plain HTTP. *options* are of its socket.
    """
    if NGINX is None:
        pytest.skip("nginx: install it to attack the gateway through the shipped proxy")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    text = configured(port, gateway, changes or {}, tls=tls, options=options)
    (folder / "gateway.conf").write_text(text, encoding="utf-8")
    (folder / "nginx.conf").write_text(_WHOLE.format(folder=folder), encoding="utf-8")
    command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with (folder / "stderr").open("wb") as errors:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=errors)
    try:
        _wait(server, port, folder)
        yield port
    finally:
        server.terminate()
        server.wait(10)


def _wait(server: "subprocess.Popen[bytes]", port: int, folder: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        with (
            contextlib.suppress(ConnectionRefusedError),
            socket.create_connection(("127.0.0.1", port)),
        ):
            return
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"nginx did not start: {(folder / 'stderr').read_text()}")
        time.sleep(0.01)
