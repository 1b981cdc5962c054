"""`gateway policy fmt` and `schema`: the form of the files, and what editors need to know of them."""

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from gateway.cli.output import Json, explained, note, show
from gateway.cli.policy.group import Folder, app, folder_of, own_folder, write
from gateway.kernel.errors import ConflictError, MalformedError


@app.command("fmt")
def fmt(
    folder: Annotated[
        Optional[Path],
        typer.Argument(help="Policy folder; `policies` if none is given.", show_default=False),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail if a file has another form.")
    ] = False,
    json: bool = Json,
) -> None:
    """Bring the files into their one form; comments, order and the digest stay."""
    from gateway import wiring
    from gateway.authoring.fmt import formatted

    with explained():
        place = own_folder(folder)
        files = wiring.policy_files(place)
        changed = formatted(files)
        if changed and _digest({**files, **changed}) != _digest(files):
            raise ConflictError("the form would change the set; nothing was written")
    for name in changed:
        note(f"{name}: {'has another form' if check else 'formatted'}")
    if not check:
        write(place, changed)
    data = {"files": len(files), "changed": list(changed)}
    left = f"{len(files) - len(changed)} of {len(files)} files have their form"
    show(data, f"{left}; {len(changed)} {'do not' if check else 'formatted'}", as_json=json)
    if check and changed:
        note("gateway policy fmt brings them into it")
        raise typer.Exit(1)


def _digest(files: dict[str, bytes]) -> str | None:
    """Return the digest of a set; None of one that cannot be loaded, which may be formatted too."""
    from gateway.policy import load

    try:
        return load(files).digest
    except MalformedError:
        return None


@app.command("schema")
def schema(
    folder: Folder = None,
    out: Annotated[
        Optional[Path],
        typer.Option("--out", help="Write the schemas into this folder.", show_default=False),
    ] = None,
    modelines: Annotated[
        bool, typer.Option("--modelines", help="Say the first line that each policy file needs.")
    ] = False,
) -> None:
    """Make JSON Schemas from the set, with which an editor completes and checks while one types."""
    import json

    from gateway import wiring
    from gateway.authoring.schema import modeline, schema_of, schemas

    with explained():
        policy, _ = wiring.load_policy(folder_of(folder))
        files = wiring.policy_files(folder_of(folder))
    if modelines:
        for name in filter(schema_of, files):
            sys.stdout.write(f"{name}: {modeline(name)}\n")
        return
    made = schemas(policy)
    if out is None:
        sys.stdout.write(json.dumps(made, ensure_ascii=False, indent=2) + "\n")
        return
    texts = {n: json.dumps(one, ensure_ascii=False, indent=2) + "\n" for n, one in made.items()}
    out.mkdir(parents=True, exist_ok=True)
    write(out, {name: text.encode() for name, text in texts.items()})
    note(f"{len(made)} schemas written; gateway policy schema --modelines says how to use them")
