"""`gateway keyholder …`: the process that alone opens the vault."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The keyholder: it alone opens the vault.")
Folder = Annotated[
    Path, typer.Option("--folder", envvar="GATEWAY_KEYHOLDER", help="The keyholder's folder.")
]


@app.command("serve")
def serve(folder: Folder) -> None:
    """Answer on the folder's socket until told to stop; set GATEWAY_PASSPHRASE if its key is sealed."""
    import os
    import sys

    # Another program takes this process over: one that has loaded neither web nor database.
    command = [sys.executable, "-m", "gateway.keyholder", str(folder), "--alone"]
    os.execv(sys.executable, command)  # noqa: S606 - this very program
