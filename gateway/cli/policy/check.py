"""`gateway policy check`: everything that is wrong with a set, and what an author should look at."""

from typing import Annotated, Any

import typer

from gateway.cli.output import Json, explained, note, show
from gateway.cli.policy.group import Folder, app, folder_of
from gateway.kernel.errors import MalformedError

Strict = Annotated[
    bool, typer.Option("--strict", help="Fail on warnings that nobody has accepted, too.")
]
On = Annotated[
    str,
    typer.Option("--on", help="The date to check terms against; today if none.", metavar="DATE"),
]


@app.command("check")
def check(folder: Folder = None, strict: Strict = False, on: On = "", json: bool = Json) -> None:
    """Load a set as the gateway would, name every mistake with file and line, then lint it.

    Exits with 2 if the set cannot be loaded, with 1 for findings that must be mended.
    """
    from gateway import wiring
    from gateway.authoring.problems import problems
    from gateway.policy.vocabulary import is_date

    with explained():
        if on and not is_date(on):
            raise MalformedError("--on takes a date such as 2026-11-23", field="--on")
        files = wiring.policy_files(folder_of(folder))
        found = problems(files)
    if found:
        _broken([(one.place, one.message) for one in found], as_json=json)
    with explained():
        policy, register = wiring.load_policy(folder_of(folder))
    findings = _findings(folder_of(folder), on or wiring.now().date().isoformat())
    open_ = [f for f in findings if f["accepted"] is None]
    for one in open_:
        note(f"{one['place']}: {one['severity']} {one['lint']}: {one['message']}")
    errors = sum(one["severity"] == "error" for one in open_)
    counts = _counted(errors, len(open_) - errors, len(findings) - len(open_))
    data = {
        "digest": policy.digest,
        "rules": len(policy.rules),
        "jurisdictions": len(register),
        "problems": [],
        "findings": findings,
    }
    sound = "the set can be loaded, but is not finished" if errors else "the set is sound"
    text = f"{sound}: {len(policy.rules)} rules, digest {policy.digest}{counts}"
    show(data, text, as_json=json)
    if errors or (strict and open_):
        raise typer.Exit(1)


def _findings(folder: Any, on: str) -> list[dict[str, Any]]:
    from gateway import wiring
    from gateway.authoring.lint import lint, strays

    files = wiring.policy_files(folder)
    policy, _ = wiring.load_policy(folder)
    names = [p.relative_to(folder).as_posix() for p in folder.rglob("*.y*ml")]
    return [
        {
            "lint": one.lint,
            "severity": "error" if one.error else "warning",
            one.kind: one.subject,
            "place": one.place,
            "message": one.message,
            "accepted": one.why,
        }
        for one in [*strays(names), *lint(policy, files, on)]
    ]


def _broken(found: list[tuple[str, str]], *, as_json: bool) -> None:
    for place, message in found:
        note(f"{place}: error: {message}")
    said = [{"place": place, "message": message} for place, message in found]
    many = "1 mistake" if len(found) == 1 else f"{len(found)} mistakes"
    text = f"the set cannot be loaded: {many}; nothing of it would come into force"
    show({"digest": None, "problems": said, "findings": []}, text, as_json=as_json)
    raise typer.Exit(2)


def _counted(errors: int, warnings: int, accepted: int) -> str:
    counts = {"error": errors, "warning": warnings, "accepted finding": accepted}
    said = [f"{n} {what}{'s' if n > 1 else ''}" for what, n in counts.items() if n]
    return f" ({', '.join(said)})" if said else ""
