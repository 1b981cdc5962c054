"""`gateway database …`: the owner's part of running on PostgreSQL."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from gateway.cli.output import Json, explained, note, show

app = typer.Typer(
    no_args_is_help=True, help="The database: its schema, its roles, and whether it is fit."
)
Instance = Annotated[
    Path, typer.Option("--instance", envvar="GATEWAY_INSTANCE", help="The instance folder.")
]
Owner = Annotated[
    Optional[str],
    typer.Option(
        "--owner",
        envvar="GATEWAY_DATABASE_OWNER",
        show_envvar=True,
        help="URL of the database as its owner; without it, the instance's own.",
    ),
]


@app.command()
def upgrade(instance: Instance, owner: Owner = None, json: bool = Json) -> None:
    """Bring the schema up to date, as the owner of its tables. The server must be stopped."""
    from gateway import wiring

    with explained():
        changed = wiring.upgrade_database(instance, owner)
    text = "the schema is up to date now" if changed else "the schema was up to date"
    show({"changed": changed}, f"{text}; next: gateway database grant", as_json=json)


@app.command()
def grant(
    instance: Instance,
    server: Annotated[str, typer.Option("--server", help="Role that the server runs under.")],
    auditor: Annotated[
        Optional[str], typer.Option("--auditor", help="Role that reads, and does nothing else.")
    ] = None,
    owner: Owner = None,
    json: bool = Json,
) -> None:
    """Give the roles exactly what they need; again after each upgrade."""
    from gateway import wiring

    with explained():
        statements = wiring.grant_database(instance, server, auditor, owner)
    show({"statements": statements}, "\n".join([*statements, "done"]), as_json=json)


@app.command()
def check(
    instance: Instance,
    url: Annotated[
        Optional[str], typer.Option("--database", help="Check as another role, by its URL.")
    ] = None,
    json: bool = Json,
) -> None:
    """Tell whether the server would start on the database, and what its role may do beyond its need."""
    from msgspec import to_builtins

    from gateway import wiring

    with explained():
        found = wiring.check_database(instance, url)
    lines = [f"schema: {found.schema}", *([f"role: {found.role}"] if found.role else [])]
    lines += [f"not fit: {fault}" for fault in found.faults]
    lines += [f"lacks: {right}" for right in found.lacks]
    lines += [f"beyond its need: {right}" for right in found.beyond]
    show({**to_builtins(found), "fit": found.fit}, "\n".join(lines), as_json=json)
    if not found.fit:
        note("mend this before you start the server: see the runbook on PostgreSQL")
        raise typer.Exit(9)
