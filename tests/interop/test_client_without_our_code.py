"""The page of an endpoint made of openssl, curl and age holds what it says: its blocks do the whole exchange.

The authority's side is done by the blocks of the page alone, run with /bin/sh against a gateway in a
process of its own; the mechanism's side by the command line.
"""

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway import keyfiles
from gateway.client import ceremony
from gateway.client.profile import open_folder, write_profile
from gateway.exchange.parties import Kind, Member, Role, Use
from gateway.exchange.terms import SUPPORTS
from gateway.kernel.ids import new_id
from gateway.kernel.signing import KeySigner
from tests.sharing.rules import ask_for
from tests.vectors import ROOT
from tests.world import PLAIN, World, build_world, run_cli, serving

PAGE = ROOT / "docs" / "client-without-our-code.md"
SCRIPT = ROOT / "docs" / "examples" / "endpoint.sh"
REFERENCE = ROOT / "docs" / "examples" / "reference_client.py"
TEXT = "Nous demandons tout ce qui concerne l'affaire 3 — «pont».\n"
ANSWER = "Please find the material in your inbox. Größe: groß.\n"
FILES = {
    "video/drone.bin": random.Random(5).randbytes((5 << 20) + 17),
    "statements/Zeuge №1.txt": b"Who gave the order?\n" * 4000,
    "empty": b"",
    "one block.bin": random.Random(6).randbytes(65536),
}
AWKS = ["awk", pytest.param("mawk", marks=pytest.mark.slow)]
"""The system's own, and the small one of Debian's base system, which knows no extension."""


def blocks(label: str) -> list[str]:
    """Return the fenced blocks of the page with this label."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(rf"^```{re.escape(label)}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, f"the page has no block {label}"
    return found


def test_the_pieces_on_the_page_are_the_script() -> None:
    """The blocks in their order, an empty line between them, and nothing else."""
    assert "\n".join(blocks("sh endpoint.sh")) == SCRIPT.read_text(encoding="utf-8")


def test_the_reference_client_on_the_page_is_the_file_and_has_forty_lines() -> None:
    (shown,) = blocks("python reference_client.py")
    assert shown == REFERENCE.read_text(encoding="utf-8")
    assert len([line for line in shown.splitlines() if line.strip()]) <= 40


def test_every_block_of_shell_is_run_by_a_test() -> None:
    labels = re.findall(r"^```sh ?(.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(labels) == {
        "endpoint.sh", "keys", "folder", "conf", "send", "read", "pull", "terms", "accept",
        "recalled",
    }  # fmt: skip


@dataclass
class Authority:
    """A folder in which the page's blocks are run, with no more in it than they ask for."""

    folder: Path
    awk: str
    said: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tools = self.folder / "tools"
        tools.mkdir(parents=True)
        (tools / "awk").symlink_to(str(shutil.which(self.awk)))
        shutil.copy(SCRIPT, self.folder / "endpoint.sh")

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the page's reader would set, and a PATH on which our program is not."""
        path = f"{self.folder / 'tools'}:/usr/bin:/bin"
        return {"PATH": path, "HOME": str(self.folder), **self.said}

    def run(self, label: str, expect: int = 0) -> str:
        """Run the one block with this label as a reader would; return what it printed."""
        (text,) = blocks(f"sh {label}")
        return self.shell(text, expect)

    def shell(self, text: str, expect: int = 0) -> str:
        done = subprocess.run(
            ["/bin/sh", "-eu", "-c", text],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stderr if expect else done.stdout


@dataclass
class Scene:
    """A running gateway, the mechanism's people, and an authority without our program."""

    world: World
    authority: Authority
    service: str

    def staff(self, who: str, *args: str) -> Any:
        """Have somebody of the mechanism run a command."""
        done = run_cli(*args, "--as", str(self.world.folder(who)), "--json")
        return json.loads(done.stdout)


def two_custodians(world: World) -> list[KeySigner]:
    """Have two custodians sign the directory from now on, both of whom it takes; everyone pins it so."""
    first = keyfiles.read_signer(world.instance / "custodian" / "directory.key", None)
    signers = [first, KeySigner.generate()]
    root = ceremony.write_root(world.directory, signers, 2, datetime.now(UTC))
    for folder in (world.root / "people").iterdir():
        profile = open_folder(folder, None).profile
        write_profile(folder, msgspec.structs.replace(profile, root=root))
    (world.directory / "set.json").unlink()
    return signers


def enter(world: World, signers: list[KeySigner], printed: str) -> str:
    """Enter the public keys that an authority printed, as its custodians would; return the service's id."""
    now, keys = datetime.now(UTC), []
    uses = {"request": "Ed25519", "message": "Ed25519", "envelope": "x25519"}
    for line in printed.splitlines():
        use, public = line.split(" ")
        keys.append(ceremony.public_key(Use(use), uses[use], public, now))
    assert [key.use.value for key in keys] == list(uses)
    party = ceremony.find_party(world.directory, "xa-prosecutor")
    member = Member(new_id("svc"), "endpoint", (Role.ENDPOINT,), tuple(keys))
    changed = (*party.members, member)
    ceremony.write_party(world.directory, msgspec.structs.replace(party, members=changed))
    ceremony.sign_set(world.directory, signers, now)
    return member.id


def build(root: Path, awk: str) -> tuple[World, Authority, str]:
    """Make a world with an authority that has an officer, and a service with keys of its own making."""
    if shutil.which("age") is None:
        pytest.skip("age: not installed, so nothing can be decrypted without our code")
    if shutil.which(awk) is None:
        pytest.skip(f"{awk}: not installed, so the script is not tried with it")
    world = build_world(root / "world", ())
    ceremony.add_party(world.directory, "xa-prosecutor", "Xa", Kind.AUTHORITY, "XA", SUPPORTS)
    ask_for(
        world, "{terms: signed, expiry_days: 30}", "{eq: [context.case, case-signed]}", begun=False
    )
    world._member("xa-prosecutor", "Officer", (Role.OFFICER,), "xa-officer", person=True)
    authority = Authority(root / "authority", awk)
    service = enter(world, two_custodians(world), authority.run("keys"))
    profile = open_folder(world.folder("xa-officer"), None).profile
    authority.said = {
        "url": profile.url,
        "audience": profile.audience,
        "party": profile.party,
        "person": profile.actor,
        "service": service,
        "root": "\n".join(key.public for key in profile.root.keys),
        "threshold": str(profile.root.threshold),
        "folder": str(world.folder("xa-officer")),
        "investigation": "case-3",
    }
    authority.run("folder")
    authority.run("conf")
    (authority.folder / "request.txt").write_text(TEXT, encoding="utf-8")
    return world, authority, service


@pytest.fixture(scope="module", params=AWKS)
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    world, authority, service = build(tmp_path_factory.mktemp("shell"), request.param)
    with serving(world):
        yield Scene(world, authority, service)


def material(world: World, files: dict[str, bytes]) -> Path:
    """Write the files that the mechanism shares, and their facts."""
    folder = Path(tempfile.mkdtemp(prefix="material-", dir=world.root))
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    lines = [f"  {name}: {json.dumps(value)}" for name, value in PLAIN.items()]
    (world.root / "facts.yaml").write_text("\n".join(["'*':", *lines]) + "\n", encoding="utf-8")
    return folder


def shared(scene: Scene, files: dict[str, bytes], *basis: str) -> str:
    """Have the mechanism push, propose and release files of the classic suite; return the share."""
    folder = material(scene.world, files)
    facts = ("--facts", str(scene.world.root / "facts.yaml"))
    made = scene.staff("sharer", "push", str(folder), *facts, "--suite", "classic", *basis)
    done = scene.staff("sharer", "share", "propose", made["package"], "xa-prosecutor")
    assert done["outcome"] == "permit", done
    scene.staff("releaser", "share", "release", done["share"])
    return str(done["share"])


def in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def state(scene: Scene, share: str) -> str:
    return str(scene.staff("sharer", "share", "show", share)["state"])


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_whole_exchange_is_done_without_our_code(scene: Scene) -> None:
    """RFA sent; answered; inbox read; pulled, checked, decrypted; receipted; a recall seen and obeyed."""
    authority = scene.authority
    authority.run("send")
    rfa = (authority.folder / "rfa").read_text().strip()
    read = scene.staff("officer", "rfa", "show", rfa, "--read")
    assert read["messages"][0]["text"] == TEXT
    assert read["wanted"]["investigation"] == "case-3"
    scene.staff("officer", "rfa", "register", rfa, "--number", "XA-1", "--due", in_days(90))
    checks = ("--valid-to", in_days(300), "--evidence", "note 1")
    scene.staff("officer", "rfa", "assess", rfa, *checks)
    share = shared(scene, FILES, "--rfa", rfa)
    text = scene.world.root / "answer.txt"
    text.write_text(ANSWER, encoding="utf-8")
    scene.staff("officer", "rfa", "answer", rfa, str(text))

    told = [line.split(" ")[1] for line in authority.run("read").splitlines()]
    assert told == ["rfa.received", "rfa.registered", "share.available", "rfa.answered"]
    assert (authority.folder / "answer.txt").read_text(encoding="utf-8") == ANSWER
    assert (authority.folder / "share").read_text().strip() == share

    assert authority.run("pull").split() == [share, "pulled", share, "verified"]
    assert contents(authority.folder / "received" / share) == FILES
    assert authority.run("accept").split() == [share, "accepted"]
    shown = scene.staff("sharer", "share", "show", share)
    assert shown["state"] == "accepted"
    signers = [(receipt["rung"], receipt["actor"]) for receipt in shown["receipts"]]
    person = authority.said["person"]
    assert signers == [("pulled", scene.service), ("verified", scene.service), ("accepted", person)]

    scene.staff("releaser", "recall", share, "--reason", "A file was filed wrongly")
    assert "409 the share was recalled" in authority.run("recalled")
    assert not (authority.folder / "again").exists()
    assert state(scene, share) == "recalled"


def test_a_pull_that_was_killed_goes_on_where_it_stopped(scene: Scene) -> None:
    """By `kill -9` in the middle; what had arrived is not asked for again."""
    authority = scene.authority
    data = {"big.bin": random.Random(9).randbytes(12 << 20)}
    share = shared(scene, data, "--rationale", "Shows the chain of command", "--case", "case-3")
    conf = authority.folder / "sliced.conf"
    plain = (authority.folder / "endpoint.conf").read_text().rstrip()
    conf.write_text(f"{plain}\nslice=262144\n")
    command = ["/bin/sh", "endpoint.sh", "sliced.conf", "pull", share, "killed"]
    process = subprocess.Popen(
        command, cwd=authority.folder, env=authority.environment, start_new_session=True
    )
    part = authority.folder / "work" / share / "0.age"
    deadline = time.monotonic() + 240
    while not part.exists() or part.stat().st_size < 2 << 20:
        assert process.poll() is None and time.monotonic() < deadline, (
            "it ended before it was killed"
        )
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept, before = part.stat().st_size, len(ranges(scene, share))
    assert 0 < kept < 12 << 20
    authority.shell(f"./endpoint.sh sliced.conf pull {share} killed")
    assert contents(authority.folder / "killed" / share) == data
    assert state(scene, share) == "verified"
    assert min(ranges(scene, share)[before:]) == kept, "something was asked for twice"


def test_terms_are_shown_and_signed_by_an_officer_before_anything_is_fetched(scene: Scene) -> None:
    authority = scene.authority
    share = shared(scene, {"a": b"one"}, "--rationale", "r", "--case", "case-signed")
    (authority.folder / "share").write_text(share + "\n")
    said = authority.run("terms")
    last = in_days(30)
    for part in (f"terms of {share}:", '"terms":"signed"', last, "409 the terms are not signed"):
        assert part in said
    assert said.split()[-6:] == [share, "signed", share, "pulled", share, "verified"]
    assert (authority.folder / "received" / share / "a").read_bytes() == b"one"
    shown = scene.staff("sharer", "share", "show", share)
    assert shown["terms_signed"]["actor"] == authority.said["person"]
    assert shown["expires"] == last


def ranges(scene: Scene, share: str) -> list[int]:
    """Return where the ranges of a share that were served began."""
    with sqlite3.connect(scene.world.instance / "data" / "gateway.db") as db:
        rows = db.execute("SELECT first FROM servings WHERE share = ? ORDER BY at", (share,))
        return [int(row[0]) for row in rows]


@pytest.mark.parametrize("what", ["message", "manifest", "root", "threshold", "item"])
def test_what_is_not_what_was_signed_is_refused(scene: Scene, what: str) -> None:
    """The client's own checks hold: another key, a changed byte, a changed digest end it."""
    authority, other = scene.authority, new_id("pty")
    work = authority.folder / f"work-{what}"
    keys = authority.folder / "other.keys"
    keys.write_text("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\n")  # of RFC 8032, section 7.1
    changed = {
        "message": [("party=.*", f"party={other}")],
        "manifest": [("party=.*", f"party={other}")],
        "root": [("root_keys=.*", "root_keys=other.keys")],
        "threshold": [("root_keys=.*", "root_keys=half.keys")],
        "item": [],
    }[what]
    conf = (
        (authority.folder / "endpoint.conf").read_text().replace("work=work", f"work={work.name}")
    )
    for pattern, instead in changed:
        conf = re.sub(rf"^{pattern}$", instead, conf, flags=re.MULTILINE)
    (authority.folder / f"{what}.conf").write_text(conf)
    run = f"./endpoint.sh {what}.conf"
    (first, *_) = (authority.folder / "root.keys").read_text().splitlines()
    (authority.folder / "half.keys").write_text(first + "\n" + keys.read_text())
    if what in ("root", "threshold"):
        said = authority.shell(f"{run} directory", expect=1)
        assert "not signed by enough known keys" in said
        assert not (work / "manifest.keys").exists()
    elif what == "message":
        shared(scene, {"a": b"1"}, "--rationale", "r", "--case", "c")
        assert "for another recipient" in authority.shell(f"{run} inbox", expect=1)
    else:
        share = shared(scene, {"a": b"1", "b": b"2", "c": b"3"}, "--rationale", "r", "--case", "c")
        if what == "item":
            (work / share).mkdir(parents=True)
            (work / share / "0.age").write_bytes(b"age-encryption.org/v1\nnot what was sealed")
        said = authority.shell(f"{run} pull {share} wrong", expect=1)
        assert {"item": "not what the manifest says", "manifest": "another recipient"}[what] in said
        assert not (authority.folder / "wrong" / share).exists()
        assert state(scene, share) == "available"


def test_a_share_of_nobody_or_of_another_is_not_there(scene: Scene) -> None:
    said = scene.authority.shell(f"./endpoint.sh endpoint.conf pull {new_id('shr')} none", expect=1)
    assert "404 no such share" in said


def test_the_reference_client_reads_pulls_and_receipts(scene: Scene) -> None:
    authority = scene.authority
    share = shared(scene, {"x": b"one", "y": b"two"}, "--rationale", "r", "--case", "case-3")
    said, keys = authority.said, authority.folder / "keys"
    command = [sys.executable, str(REFERENCE), said["url"], said["audience"], scene.service]
    command += [str(keys / "request.pem"), str(keys / "message.pem")]
    inbox = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    last = json.loads(inbox.splitlines()[-1])
    assert (last["about"], last["share"]) == ("share.available", share)
    out = authority.folder / "reference"
    done = subprocess.run([*command, share, str(out)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == state(scene, share) == "pulled"
    opened = [
        authority.shell(f"age -d -i keys/identity reference/{n}.age").encode() for n in range(2)
    ]
    assert sorted(opened) == [b"one", b"two"]
