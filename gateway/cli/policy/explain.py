"""`gateway policy explain`: decide on facts given by hand, and say why."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.output import Json, explained, show
from gateway.cli.policy.group import Folder, app, folder_of


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
        policy, _ = wiring.load_policy(folder_of(folder))
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
