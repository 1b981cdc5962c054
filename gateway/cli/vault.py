"""`gateway vault …`: the vault's epochs as the directory and the database have them."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import Json, explained, note, show, steps

app = typer.Typer(
    no_args_is_help=True, help="The vault's epochs: which there are, and leaving one."
)
Instance = Annotated[
    Path, typer.Option("--instance", envvar="GATEWAY_INSTANCE", help="The instance folder.")
]


@app.command()
def enter(
    instance: Instance,
    statement: Annotated[Path, typer.Argument(help="What gateway keyholder statement printed.")],
    json: bool = Json,
) -> None:
    """Enter a keyholder's epochs and its record key into the directory; sign it next."""
    from gateway import settings, wiring
    from gateway.client import ceremony
    from gateway.exchange.parse import decode
    from gateway.exchange.vault_statement import VaultStatement
    from gateway.kernel.errors import MalformedError

    with explained():
        try:
            data = statement.read_bytes()
        except OSError:
            raise MalformedError(f"{statement.name} cannot be read") from None
        said = decode(data.strip(), VaultStatement)
        folder = instance / settings.read(instance).directory
        member = ceremony.enter_vault(folder, said, wiring.now())
    active = [epoch.name for epoch in said.epochs if epoch.standing == "active"]
    note("sign the directory and send SIGHUP to the gateway to put this into force")
    show({"member": member.id, "active": active}, f"entered {', '.join(active)}", as_json=json)


@app.command()
def leave(
    instance: Instance,
    epoch: Annotated[str, typer.Argument(help="Id of an epoch, or its beginning.")],
    json: bool = Json,
) -> None:
    """Have every item leave an epoch: their file keys are re-wrapped to the active one, once it is signed."""
    from gateway import settings
    from gateway.client import ceremony

    with explained():
        gone = ceremony.leave_vault(instance / settings.read(instance).directory, epoch)
    note("sign the directory and send SIGHUP: the gateway then re-wraps in the background")
    show({"epoch": gone}, f"{gone} is to be left", as_json=json)


@app.command()
def status(instance: Instance, json: bool = Json) -> None:
    """Count items by vault epoch, those with open work, and those that are still to leave theirs."""
    from msgspec import to_builtins

    from gateway import wiring

    with explained():
        found = wiring.vault_standing(instance)
    lines = [
        f"{one.epoch[:16]}  {one.status:<12} {one.items:>9} items, {one.open} with open work"
        for one in found
    ]
    left = sum(one.items for one in found if one.status == "revoked")
    lines.append(f"{left} items are to leave their epoch")
    show([to_builtins(one) for one in found], "\n".join(lines), as_json=json)


@app.command()
def rotate(
    instance: Instance,
    run: Annotated[
        bool, typer.Option("--run", help="Re-wrap now. Without this, say what would be.")
    ] = False,
    json: bool = Json,
) -> None:
    """Carry a rotation to its end on a stopped gateway; a running one does it by itself."""
    from gateway import wiring

    with explained():
        left = sum(one.items for one in wiring.vault_standing(instance) if one.status == "revoked")
        done = 0
        if run and left:
            with steps("re-wrapping", left) as told:
                done = wiring.rotate_vault(instance, told)
    text = f"re-wrapped {done} of {left} items" if run else f"would re-wrap {left} items; say --run"
    show({"left": left - done, "rewrapped": done}, text, as_json=json)
    if run and done < left:
        note("some are left: see that the keyholder runs and is unlocked, then run it again")
        raise typer.Exit(9)
