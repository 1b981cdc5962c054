"""The keyholder as a process: what it has loaded, that it may be killed, and who may speak to it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway import keyfiles
from gateway.envelope import Suite
from gateway.kernel.errors import LockedError, MalformedError, TooLargeError, UnavailableError
from gateway.kernel.ids import new_id
from gateway.keyfiles import LEAST
from gateway.keyholder import custody, guard
from gateway.keyholder.client import Keyholder
from gateway.keyholder.custody import Custody
from gateway.keyholder.folder import FILE, SOCKET, VaultFile
from gateway.keyholder.protocol import MAX_FRAME, AskState, encode, parse_answer
from gateway.keyholder.server import address, opened
from tests.keyholder.scene import NOW, Deposited, Logged, Scene
from tests.world import ROOT

FORBIDDEN = {"aiohttp", "sqlalchemy", "alembic", "psycopg", "jinja2", "asyncio", "gateway.web"}
_LISTING = """
import atexit, runpy, sys
out = sys.argv.pop(1)
atexit.register(lambda: open(out, "w").write("\\n".join(sorted(sys.modules))))
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    made = Scene(tmp_path / "keyholder")
    identity = keyfiles.make_identity(made.folder / "vault.key", Suite.PQ, None)
    made.vault = identity
    return made


@contextmanager
def process(command: Sequence[str]) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


@pytest.mark.parametrize("alone", [(), ("--alone",)])
def test_the_running_keyholder_has_loaded_neither_web_nor_database(
    scene: Scene, tmp_path: Path, alone: tuple[str, ...]
) -> None:
    out = tmp_path / "modules"
    command = ["-c", _LISTING, str(out), "gateway.keyholder", str(scene.folder), *alone]
    with process(command) as running:
        holder = Keyholder(scene.folder / SOCKET, patience=30)
        assert holder.state().directory == 0
        holder.show_directory(scene.shown_directory(1, 0))
        assert running.stdin is not None
        if alone:
            running.terminate()
        else:
            running.stdin.close()
        assert running.wait(30) == 0
    loaded = set(out.read_text().split())
    assert "gateway.keyholder.holder" in loaded and "sqlite3" in loaded
    assert not {name for name in loaded if name in FORBIDDEN}


def test_the_command_becomes_that_very_process(scene: Scene) -> None:
    with process(["-m", "gateway", "keyholder", "serve", "--folder", str(scene.folder)]) as running:
        assert Keyholder(scene.folder / SOCKET, patience=30).state().directory == 0
        said = Path(f"/proc/{running.pid}/cmdline").read_bytes().split(b"\0")
        assert said[1:3] == [b"-m", b"gateway.keyholder"]
        running.terminate()
        assert running.wait(30) == 0


def test_killed_at_any_moment_it_answers_again_what_it_answered(scene: Scene) -> None:
    """Its clock is the real one here, so that orders are signed now."""
    from datetime import UTC, datetime

    scene.now = datetime.now(UTC)
    scene.new_directory(scene.now)
    answers: dict[str, bytes] = {}
    released: list[tuple[str, Deposited, Logged]] = []
    for n in range(4):
        with process(["-m", "gateway.keyholder", str(scene.folder)]) as running:
            holder = Keyholder(scene.folder / SOCKET, patience=30)
            if n == 0:
                for number in (1, 2):
                    since = holder.state().size
                    holder.show_directory(scene.shown_directory(number, since))
            for share, item, release in released:
                wanted = scene.request(release, [item], holder.state().size)
                assert holder.wrap(wanted).headers[0].header == answers[share]
            share, item = new_id("shr"), scene.deposit()
            release = scene.released(share, [item])
            wanted = scene.request(release, [item], holder.state().size)
            if n % 2:
                answers[share] = holder.wrap(wanted).headers[0].header
            else:  # killed before its answer is read
                with _raw(scene) as conn:
                    data = encode(wanted)
                    conn.sendall(len(data).to_bytes(4, "big") + data)
                    time.sleep(0.002 * n)
                    running.send_signal(signal.SIGKILL)
                    running.wait()
            released.append((share, item, release))
        if share not in answers:
            with process(["-m", "gateway.keyholder", str(scene.folder)]):
                holder = Keyholder(scene.folder / SOCKET, patience=30)
                wanted = scene.request(release, [item], holder.state().size)
                answers[share] = holder.wrap(wanted).headers[0].header
                assert scene.opens(answers[share], item.id)


@contextmanager
def _raw(scene: Scene) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as conn:
        with address(scene.folder / SOCKET) as name:
            conn.connect(name)
        conn.settimeout(10)
        yield conn


def _lines(scene: Scene) -> list[dict[str, object]]:
    return [json.loads(line) for line in scene.said().splitlines()]


def test_another_user_is_not_heard(scene: Scene) -> None:
    path = scene.folder / FILE
    path.write_text(path.read_text().replace("clients = []", f"clients = [{os.getuid() + 1}]"))
    with opened(scene.folder, VaultFile.read(scene.folder, None), lambda: NOW):
        with pytest.raises(LockedError, match="went away"):
            Keyholder(scene.folder / SOCKET).state()
    assert [line["event"] for line in _lines(scene)] == ["serving", "stranger"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a message"),
        (b"{}", "not a message"),
        (b'{"type":"unwrap"}', "not a message"),
        (b'{"type":"state","more":1}', "not a message"),
        (b'{"type":"wrap"}', "not a message"),
        (b"[" * 100_000, "not a message"),
        (b"\xff\xfe", "not a message"),
    ],
)
def test_what_is_no_message_is_told_so(scene: Scene, data: bytes, reason: str) -> None:
    with opened(scene.folder, VaultFile.read(scene.folder, None), lambda: NOW), _raw(scene) as conn:
        for message in (data, encode(AskState())):
            conn.sendall(len(message).to_bytes(4, "big") + message)
        answers = [parse_answer(_frame(conn)) for _ in range(2)]
    assert reason in str(answers[0]) and "malformed" in str(answers[0])
    assert "directory=0" in str(answers[1])


def _frame(conn: socket.socket) -> bytes:
    size = int.from_bytes(conn.recv(4, socket.MSG_WAITALL), "big")
    return conn.recv(size, socket.MSG_WAITALL)


def test_a_frame_beyond_the_limit_ends_the_connection(scene: Scene) -> None:
    with opened(scene.folder, VaultFile.read(scene.folder, None), lambda: NOW), _raw(scene) as conn:
        conn.sendall((MAX_FRAME + 1).to_bytes(4, "big"))
        assert conn.recv(1) == b""
    assert _lines(scene)[-1]["event"] == "broken_off"


def test_a_second_keyholder_does_not_get_the_folder(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.keyholder import server

    monkeypatch.setattr(server, "_PATIENCE", 0.05)
    vault = VaultFile.read(scene.folder, None)
    with opened(scene.folder, vault, lambda: NOW):
        with pytest.raises(UnavailableError, match="another keyholder"):
            with opened(scene.folder, vault, lambda: NOW):
                pass


def test_too_many_items_are_told_before_anything_is_judged(scene: Scene) -> None:
    with scene.serving() as (holder, _):
        share, item = new_id("shr"), scene.deposit()
        release = scene.released(share, [item])
        wanted = scene.request(release, [item] * 257, holder.state().size)
        with pytest.raises(TooLargeError, match="1 to 256 items"):
            holder.wrap(wanted)


def test_a_locked_keyholder_says_so_and_tells_how_it_stands(scene: Scene) -> None:
    secret = guard.new_secret()
    custody.create(scene.folder, secret, guard.by_passphrase(secret, "a phrase", LEAST), NOW)
    with opened(scene.folder, Custody(scene.folder), lambda: NOW):
        holder = Keyholder(scene.folder / SOCKET)
        assert holder.state().locked
        holder.show_directory(scene.shown_directory(1, 0))
        share, item = new_id("shr"), scene.deposit()
        release = scene.released(share, [item])
        with pytest.raises(LockedError, match="is locked"):
            holder.wrap(scene.request(release, [item], holder.state().size))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "audience = 1",
        'audience = "a"\nlog = "no vkey"',
        'audience = "a"\nmore = 1',
        "[floors.x]\npersons = -1",
    ],
)
def test_a_folder_that_is_configured_wrongly_does_not_serve(scene: Scene, text: str) -> None:
    (scene.folder / FILE).write_text(text)
    with pytest.raises(MalformedError):
        with opened(scene.folder, VaultFile.read(scene.folder, None), lambda: NOW):
            pass
