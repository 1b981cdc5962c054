"""`gateway policy …`: check, test and explain a set, without a server."""

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from gateway.cli import policy_life
from gateway.cli.output import Json, explained, note, show

app = typer.Typer(no_args_is_help=True, help="Disclosure policy: check, test, explain.")
policy_life.register(app)
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


@app.command("explain")
def explain(
    facts: Annotated[Path, typer.Argument(help="YAML file of facts, such as `item.sgbv: true`.")],
    folder: Folder = None,
    recipient: Annotated[
        bool, typer.Option("--recipient", help="What the authority may be told.")
    ] = False,
    json: bool = Json,
) -> None:
    """Decide on facts given by hand, and say why."""
    from gateway import wiring
    from gateway.kernel.errors import MalformedError
    from gateway.policy import explain as explain_decision
    from gateway.policy import explain_to_recipient, read

    with explained():
        policy, _ = wiring.load_policy(_folder(folder))
        try:
            raw: Any = read(facts.name, facts.read_bytes()).json()
        except OSError:
            raise MalformedError(f"{facts.name} cannot be read") from None
        if not isinstance(raw, dict):
            raise MalformedError(f"{facts.name} maps facts to values")
        today = str(raw.pop("context.today", wiring.now().date().isoformat()))
        known: dict[str, Any] = {}
        for namespace in ("item", "recipient", "context"):
            some = {k: v for k, v in raw.items() if k.partition(".")[0] == namespace}
            known |= policy.vocabulary.facts(some, namespace)
        strange = [k for k in raw if k.partition(".")[0] not in ("item", "recipient", "context")]
        if strange:
            raise MalformedError(f"unknown fact {strange[0]!r}", field=strange[0])
        decision = policy.decide(known, today)
    if recipient:
        told = explain_to_recipient(decision)
        show(told, str(told), as_json=json)
    else:
        show(decision.to_json(), explain_decision(policy, decision, known, today), as_json=json)
