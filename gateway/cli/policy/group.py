"""The group that the commands register on, and what they share: the folder and its files."""

from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(no_args_is_help=True, help="Disclosure policy: write, check, test, explain.")
Folder = Annotated[
    Optional[Path],
    typer.Argument(
        help="Policy folder; the packaged example if none is given.", show_default=False
    ),
]
OWN = Path("policies")


def folder_of(folder: Path | None) -> Path:
    """Return the folder to read."""
    from gateway import wiring

    return folder or wiring.packaged("policies")


def own_folder(folder: Path | None) -> Path:
    """Return the folder to write in: the one named or `policies`. Raises MalformedError for none."""
    from gateway.kernel.errors import MalformedError

    chosen = folder or OWN
    if not chosen.is_dir():
        raise MalformedError(f"there is no folder {chosen}; name the policy folder")
    return chosen


def write(folder: Path, changed: dict[str, bytes]) -> None:
    """Write files of a policy folder, each whole or not at all."""
    for name, data in changed.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        trial = path.with_name(f".{path.name}.new")
        trial.write_bytes(data)
        trial.replace(path)
