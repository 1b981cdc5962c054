"""`gateway keyholder …`: the process that holds the vault's keys, and its ceremonies."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from gateway.cli.output import Json, explained, note, show

app = typer.Typer(no_args_is_help=True, help="The keyholder: unlocking, vault epochs, custodians.")
Folder = Annotated[
    Path, typer.Option("--folder", envvar="GATEWAY_KEYHOLDER", help="The keyholder's folder.")
]
Shares = Annotated[
    Optional[list[Path]],
    typer.Option("--share", help="A custodian's share file; may be repeated."),
]
Phrases = Annotated[
    Optional[list[str]],
    typer.Option(
        "--passphrase-file",
        help="File with a passphrase, - for a line of standard input; one for each asked. Else typed.",
    ),
]
Names = Annotated[
    Optional[list[str]], typer.Option("--custodian", help="Name of a custodian; may be repeated.")
]
Threshold = Annotated[int, typer.Option("--threshold", help="How many custodians it takes.")]
Out = Annotated[
    Optional[Path],
    typer.Option("--out", help="Folder for the new share files, on a medium to hand out."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it. Without this, say what would be done.")]


@app.command()
def init(
    folder: Folder,
    instance: Annotated[
        Optional[Path],
        typer.Option("--instance", help="Take audience, log and root from this instance."),
    ] = None,
    client: Annotated[
        Optional[list[int]], typer.Option("--client", help="User id that may ask for wraps.")
    ] = None,
    socket: Annotated[str, typer.Option(help="Where it is asked, if not in its folder.")] = "",
    months: Annotated[int, typer.Option(help="How many months a vault epoch lasts.")] = 3,
    custodian: Names = None,
    threshold: Threshold = 2,
    out: Out = None,
    passphrase_file: Phrases = None,
    json: bool = Json,
) -> None:
    """Make a keyholder with vault epochs, under a passphrase or custodians.

    A vault.key that lies in the folder becomes its first epoch.
    """
    from gateway import keyfiles, wiring
    from gateway.keyholder import custody, guard
    from gateway.keyholder.folder import FILE, VAULT

    with explained():
        if instance is not None and not (folder / FILE).exists():
            wiring.trust_of(instance, folder, clients=tuple(client or ()), socket=socket)
        old = folder / VAULT
        first = keyfiles.read_identity(old, wiring.passphrase()) if old.exists() else None
        secret = guard.new_secret()
        made, files = _guard(secret, custodian or [], threshold, out, _Phrases(passphrase_file))
        _hand_out(files, made.custodians, out)
        state = custody.create(folder, secret, made, wiring.now(), months=months, first=first)
        old.unlink(missing_ok=True)
        guard.wipe(secret)
    name = state.epochs[0].name
    show(
        {"epoch": name, "set": made.set, "k": made.k, "n": made.n},
        f"made a keyholder with vault epoch {name}, {_guarded(made.k, made.n)}\n"
        "next: start it, unlock it, enter its statement with gateway vault enter, and sign the directory",
        as_json=json,
    )


@app.command()
def serve(folder: Folder) -> None:
    """Run the keyholder until it is told to stop. It begins locked."""
    # In a fresh process, which has never loaded what the command line needs for other commands.
    arguments = [sys.executable, "-m", "gateway.keyholder", "--service", str(folder)]
    os.execv(sys.executable, arguments)  # noqa: S606 - this very program


@app.command()
def unlock(
    folder: Folder,
    epoch: Annotated[
        Optional[list[str]],
        typer.Option("--epoch", help="Epoch to open; without, the active one and those with work."),
    ] = None,
    share: Shares = None,
    passphrase_file: Phrases = None,
    json: bool = Json,
) -> None:
    """Unlock the running keyholder: by its passphrase, or with a share of each custodian.

    Each custodian may do it at her own time, within an hour of the first.
    """
    from gateway.keyholder.ceremony import Purpose

    _hand_in(folder, Purpose("unlock", tuple(epoch or ())), share, passphrase_file, as_json=json)


@app.command()
def rotate(
    folder: Folder,
    ahead: Annotated[
        bool, typer.Option("--ahead", help="For the next period, and not from now.")
    ] = False,
    share: Shares = None,
    passphrase_file: Phrases = None,
    json: bool = Json,
) -> None:
    """Have the running keyholder make a new vault epoch; the old one is retired.

    Takes what unlocking takes. Then enter its statement with gateway vault enter, and sign the directory.
    """
    from gateway.keyholder.ceremony import Purpose

    _hand_in(folder, Purpose("rotate", (), ahead), share, passphrase_file, as_json=json)


@app.command()
def lock(folder: Folder, json: bool = Json) -> None:
    """Lock the running keyholder, and forget shares that were handed in.

    Stopping its process does the same, and gives its memory back as well.
    """
    from gateway.keyholder.ceremony import Lock, ask

    with explained():
        found = ask(folder, Lock())
    _show(found, as_json=json)


@app.command()
def status(folder: Folder, json: bool = Json) -> None:
    """Tell how the running keyholder stands: locked or not, epochs, work, shares handed in."""
    from gateway.keyholder.ceremony import AskStatus, ask

    with explained():
        found = ask(folder, AskStatus())
    _show(found, as_json=json)


@app.command()
def statement(folder: Folder) -> None:
    """Print what the directory is to hold of the keyholder, for gateway vault enter. Nothing is secret."""
    from msgspec import to_builtins

    from gateway import wiring
    from gateway.keyholder.custody import Custody, public_statement

    with explained():
        said = public_statement(Custody(folder).state, wiring.now())
    show(to_builtins(said), "", as_json=True)


@app.command()
def destroy(
    folder: Folder,
    epoch: Annotated[str, typer.Argument(help="Name or id of a retired epoch.")],
    yes: Yes = False,
    json: bool = Json,
) -> None:
    """Destroy the key of a retired epoch. What is wrapped to it alone can never be opened again."""
    from gateway.kernel.errors import ConflictError
    from gateway.keyholder.ceremony import AskStatus, Destroy, ask

    with explained():
        found = ask(folder, AskStatus())
        named = [one for one in found.vault.epochs if epoch in (one.name, one.id)]
        standing = named[0].standing if named else "not there"
        if not yes and standing != "retired":
            raise ConflictError(f"the epoch is {standing}: only a retired one is destroyed")
        if yes:
            found = ask(folder, Destroy(epoch))
    if yes:
        note("take the old key file out of backups as well; then enter the statement, and sign")
        _show(found, as_json=json)
        return
    show(
        {"would_destroy": named[0].id, "name": named[0].name},
        f"would destroy the key of {named[0].name}; see that gateway vault status counts no items in "
        f"{named[0].id[:16]}, then say --yes",
        as_json=json,
    )


@app.command()
def reshare(
    folder: Folder,
    share: Shares = None,
    custodian: Names = None,
    threshold: Threshold = 2,
    out: Out = None,
    passphrase_file: Phrases = None,
    yes: Yes = False,
    json: bool = Json,
) -> None:
    """Give a stopped keyholder other custodians, or a passphrase: all shares and phrases before are void.

    Takes enough of the old shares; asks their passphrases first, then the new ones.
    """
    from gateway.keyholder import guard
    from gateway.keyholder.custody import Custody
    from gateway.keyholder.server import alone

    with explained():
        held = Custody(folder)
        old, names = held.state.guard, custodian or []
        before = _guarded(old.k, old.n)
        after = _guarded(threshold if names else 1, len(names))
        if not yes:
            text = f"would replace what is {before} by what is {after}; say --yes to do it"
            show({"before": before, "after": after}, text, as_json=json)
            return
        phrases = _Phrases(passphrase_file)
        with alone(folder):
            secret = _secret(old, share or [], phrases)
            fresh = guard.new_secret()
            made, files = _guard(fresh, names, threshold, out, phrases)
            _hand_out(files, made.custodians, out)
            held.reguard(secret, fresh, made)
    note(
        "copies of the old key files, in backups, are still opened by the old shares: destroy both"
    )
    show({"set": made.set, "k": made.k, "n": made.n}, f"the keyholder is {after}", as_json=json)


class _Phrases:
    """Passphrases in the order in which they are asked: from files, standard input, or typed unseen."""

    def __init__(self, files: Sequence[str] | None) -> None:
        self._files: Iterator[str] | None = iter(files) if files else None

    def ask(self, whose: str, *, new: bool = False) -> str:
        from gateway.kernel.errors import MalformedError

        if self._files is None:
            phrase: str = typer.prompt(
                f"passphrase of {whose}", hide_input=True, confirmation_prompt=new, err=True
            )
            return phrase
        name = next(self._files, None)
        if name is None:
            raise MalformedError(f"give a --passphrase-file for {whose} as well")
        try:
            text = sys.stdin.readline() if name == "-" else Path(name).read_text(encoding="utf-8")
        except OSError:
            raise MalformedError(f"the passphrase file of {whose} cannot be read") from None
        if not text.strip("\r\n"):
            raise MalformedError(f"the passphrase of {whose} is empty")
        return text.strip("\r\n")


def _guard(
    secret: bytearray, names: list[str], threshold: int, out: Path | None, phrases: _Phrases
) -> tuple[Any, list[bytes]]:
    """Put a secret under new custodians, or a passphrase; return the guard and share files."""
    from gateway.kernel.errors import MalformedError
    from gateway.keyholder import guard

    if not names:
        return guard.by_passphrase(secret, phrases.ask("the keyholder", new=True)), []
    if out is None:
        raise MalformedError("give --out: a folder for the share files of the custodians")
    if any((out / f"{name}.share").exists() for name in names):
        raise MalformedError("there are share files in that folder already: choose another one")
    return guard.by_custodians(
        secret, threshold, [(name, phrases.ask(name, new=True)) for name in names]
    )


def _hand_out(files: list[bytes], names: Sequence[str], out: Path | None) -> None:
    """Write the share files, each for one custodian to take away."""
    for name, data in zip(names, files, strict=True):
        assert out is not None
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(out / f"{name}.share", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


def _secret(guarded: Any, shares: list[Path], phrases: _Phrases) -> bytearray:
    from gateway.keyholder import guard

    if not guarded.custodians:
        return guard.open_passphrase(guarded, phrases.ask("the keyholder"))
    opened = [
        guard.open_share(guarded, data, phrases.ask(guard.read_share(data).custodian))
        for data in map(_read, shares)
    ]
    return guard.combine(guarded, opened)


def _read(path: Path) -> bytes:
    from gateway.kernel.errors import MalformedError

    try:
        return path.read_bytes()
    except OSError:
        raise MalformedError(f"share file {path.name} cannot be read") from None


def _hand_in(
    folder: Path, purpose: Any, shares: list[Path] | None, files: list[str] | None, *, as_json: bool
) -> None:
    """Hand in shares, or the passphrase, and say how far it is."""
    from gateway.kernel.errors import MalformedError
    from gateway.keyholder.ceremony import AskStatus, HandIn, ask
    from gateway.keyholder.guard import read_share

    with explained():
        phrases = _Phrases(files)
        found = ask(folder, AskStatus())
        if found.n and not shares:
            raise MalformedError(
                f"give --share: it takes {found.k} of {', '.join(found.custodians)}"
            )
        if files is None:
            note(f"to {purpose}")
        if not found.n:
            found = ask(folder, HandIn(purpose, phrases.ask("the keyholder")))
        for data in map(_read, shares or []):
            name = read_share(data).custodian
            found = ask(folder, HandIn(purpose, phrases.ask(name), data))
            if found.gathered is not None:
                note(f"{len(found.gathered.custodians)} of {found.k} shares are in")
    _show(found, as_json=as_json)


def _guarded(k: int, n: int) -> str:
    return f"guarded by {k} of {n} custodians" if n else "guarded by a passphrase"


def _show(found: Any, *, as_json: bool) -> None:
    from msgspec import to_builtins

    lines = [f"{'locked' if found.locked else 'unlocked'}, {_guarded(found.k, found.n)}"]
    for one in found.vault.epochs:
        open_ = " open" if one.name in found.opened else ""
        work = " work" if one.name in found.work else ""
        begins = one.begins[:10]
        lines.append(
            f"  {one.name:<10} {one.standing:<10} from {begins}  {one.id[:16]}{open_}{work}"
        )
    if found.gathered is not None:
        names = ", ".join(found.gathered.custodians)
        count = len(found.gathered.custodians)
        lines.append(f"{count} of {found.k} shares are in ({names}), to {found.gathered.purpose}")
    lines += [f"memory: {lack}" for lack in found.lacks]
    show(to_builtins(found), "\n".join(lines), as_json=as_json)
