"""`gateway policy new rule`: a rule to fill in, and a case beside it."""

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from gateway.cli.output import explained, note, show
from gateway.cli.policy.group import app, own_folder, write
from gateway.kernel.errors import MalformedError

new = typer.Typer(no_args_is_help=True, help="Begin something new.")
app.add_typer(new, name="new")
In = Annotated[
    Optional[Path],
    typer.Option("--in", help="Policy folder; `policies` if none is given.", show_default=False),
]


@new.command("rule")
def rule(
    rule_id: Annotated[
        str, typer.Argument(metavar="ID", help="Such as consent.minors.", show_default=False)
    ] = "",
    effect: Annotated[str, typer.Option(help="deny, permit or require.")] = "",
    title: Annotated[str, typer.Option(help="The rule in one sentence.")] = "",
    basis: Annotated[str, typer.Option(help="The legal basis.")] = "",
    reason: Annotated[str, typer.Option(help="What the recipient of a refusal is told.")] = "",
    file: Annotated[str, typer.Option(help="File of rules/ to write in.")] = "",
    like: Annotated[str, typer.Option(help="Rule whose condition to begin with.")] = "",
    folder: In = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show it and write nothing.")] = False,
) -> None:
    """Write a rule whose condition is still open, and a case for it.

    Until the condition is written the rule never applies, and `check` says so. On a terminal, and with
    nothing given, it asks.
    """
    from gateway import wiring
    from gateway.authoring.scaffold import TODO, Wanted, new_rule
    from gateway.policy import Effect, Reason

    if not any((rule_id, effect, title, basis, reason, file, like)) and sys.stdin.isatty():
        rule_id, effect, title, basis, reason = _ask()
    with explained():
        if not rule_id:
            raise MalformedError("a rule needs an id, such as consent.minors", field="ID")
        place = own_folder(folder)
        files = wiring.policy_files(place)
        like_effect = _effect_of(files, like) if like and not effect else ""
        wanted = Wanted(
            id=rule_id,
            effect=Effect(_one_of(effect or like_effect or "deny", set(Effect), "--effect")),
            title=title or TODO,
            basis=basis or TODO,
            reason=Reason(_one_of(reason, set(Reason), "--reason")) if reason else None,
            file=file or None,
            like=like or None,
        )
        changed = new_rule(files, wanted)
    for name, data in changed.items():
        added = data.decode().removeprefix(files.get(name, b"").decode())
        show({}, f"{name}:\n{added}", as_json=False)
    if dry_run:
        note("nothing was written")
        return
    write(place, changed)
    note(
        "written; now fill in the condition and the case, then: gateway policy check, test, mutate"
    )


def _effect_of(files: dict[str, bytes], rule_id: str) -> str:
    from gateway.policy import load

    found = [one.effect.value for one in load(files).rules if one.id == rule_id]
    return found[0] if found else ""


def _one_of(word: str, known: set[str], option: str) -> str:
    from gateway.policy.text import nearest

    if word not in known:
        hint = nearest(word, known) or f"; one of {', '.join(sorted(known))}"
        raise MalformedError(f"{option} cannot be {word!r}{hint}", field=option)
    return word


def _ask() -> tuple[str, str, str, str, str]:
    from gateway.policy import Reason

    rule_id = str(typer.prompt("id of the rule, such as consent.minors"))
    effect = str(typer.prompt("effect: deny, permit or require", default="deny"))
    title = str(typer.prompt("the rule in one sentence", default="TODO"))
    basis = str(typer.prompt("its legal basis", default="TODO"))
    words = ", ".join(one.value for one in Reason)
    reason = ""
    if effect == "deny":
        reason = str(typer.prompt(f"what the recipient is told ({words})", default="other"))
    return rule_id, effect, title, basis, reason
