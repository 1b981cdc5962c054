"""`gateway policy …`: check, test and explain a set, without a server."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from gateway.cli import policy_explain
from gateway.cli.output import Json, explained, note, show

app = typer.Typer(no_args_is_help=True, help="Disclosure policy: check, test, explain.")
Folder = Annotated[
    Optional[Path],
    typer.Argument(
        help="Policy folder; the packaged example if none is given.", show_default=False
    ),
]


def _folder(folder: Path | None) -> Path:
    from gateway import wiring

    return folder or wiring.packaged("policies")


@app.command("check")
def check(folder: Folder = None, json: bool = Json) -> None:
    """Load a set as the gateway would, and say what is wrong with file and line."""
    from gateway import wiring

    with explained():
        policy, register = wiring.load_policy(_folder(folder))
    data = {"digest": policy.digest, "rules": len(policy.rules), "jurisdictions": len(register)}
    text = f"the set is sound: {len(policy.rules)} rules, digest {policy.digest}"
    show(data, text, as_json=json)


@app.command("test")
def run_cases(folder: Folder = None, json: bool = Json) -> None:
    """Run the cases that live beside the rules."""
    from gateway import wiring
    from gateway.policy import run

    with explained():
        files = wiring.policy_files(_folder(folder))
        policy, _ = wiring.load_policy(_folder(folder))
        results = list(run(policy, files))
    failed = [r for r in results if r.differences]
    for result in failed:
        note(f"{result.place}: case {result.id}: {'; '.join(result.differences)}")
    data = {"cases": len(results), "failed": [r.id for r in failed]}
    show(data, f"{len(results) - len(failed)} of {len(results)} cases hold", as_json=json)
    if failed or not results:
        raise typer.Exit(1)


app.command("explain")(policy_explain.explain)
