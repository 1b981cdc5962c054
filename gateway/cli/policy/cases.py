"""`gateway policy test, coverage, mutate`: do the cases hold, and what would they not notice."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.output import Json, explained, note, show, show_table, steps
from gateway.cli.policy.group import Folder, app, folder_of


def _loaded(folder: Path | None) -> tuple[Any, dict[str, bytes], list[Any]]:
    """Return set, files and cases of a folder."""
    from gateway import wiring
    from gateway.policy import read_cases

    with explained():
        files = wiring.policy_files(folder_of(folder))
        policy, _ = wiring.load_policy(folder_of(folder))
        return policy, files, read_cases(policy, files)


@app.command("test")
def run_cases(
    folder: Folder = None,
    only: Annotated[
        str, typer.Option("-k", metavar="TEXT", help="Only cases whose id contains this.")
    ] = "",
    json: bool = Json,
) -> None:
    """Run the cases that live beside the rules, and say of each that fails what is other."""
    policy, _, cases = _loaded(folder)
    results = [_result(policy, case) for case in cases if only in case.id]
    failed = [one for one in results if one["differences"]]
    rows = [
        {
            "": "fails" if one["differences"] else "holds",
            "case": one["id"],
            "what it changes": _changes(one["changes"]) or "nothing",
            "outcome": one["outcome"],
        }
        for one in results
    ]
    data = {"cases": len(results), "failed": [one["id"] for one in failed], "results": results}
    title = f"{len(results) - len(failed)} of {len(results)} cases hold"
    show_table(data, title, rows, as_json=json)
    for one in failed:
        note(f"{one['place']}: case {one['id']} fails")
        note(f"    with {_changes(one['changes']) or 'the base as it is'}")
        for line in one["differences"]:
            note(f"    {line}")
    if failed or not results:
        raise typer.Exit(1)


def _result(policy: Any, case: Any) -> dict[str, Any]:
    from gateway.policy import differences, terms_json

    verdict = policy.judge(case.facts, case.today)
    return {
        "id": case.id,
        "place": case.place,
        "changes": {path: _said(value) for path, value in case.changes.items()},
        "outcome": verdict.outcome.value,
        "fired": sorted(rule.id for rule, _ in verdict.fired),
        "obligations": terms_json(verdict.terms),
        "differences": list(differences(case.expect, verdict)),
    }


def _said(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else value


def _changes(changes: dict[str, Any]) -> str:
    return ", ".join(f"{path} {_word(value)}" for path, value in changes.items())


def _word(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


@app.command("coverage")
def coverage(
    folder: Folder = None,
    fail_under: Annotated[
        float,
        typer.Option("--fail-under", metavar="PERCENT", help="Fail below so many percent."),
    ] = 0.0,
    json: bool = Json,
) -> None:
    """Count how often each rule's condition was true, false and unknown over all cases."""
    from gateway.authoring.coverage import coverage as covered_by
    from gateway.authoring.coverage import percent

    policy, _, cases = _loaded(folder)
    covered = covered_by(policy, cases)
    rows = [
        {
            "rule": one.rule.id,
            "effect": one.rule.effect.value,
            "true": str(one.true),
            "false": str(one.false),
            "unknown": str(one.unknown),
            "never": ", ".join(one.missing),
        }
        for one in covered
    ]
    reached = percent(covered)
    rules = [
        {
            "rule": one.rule.id,
            "true": one.true,
            "false": one.false,
            "unknown": one.unknown,
            "missing": list(one.missing),
        }
        for one in covered
    ]
    data = {"cases": len(cases), "percent": round(reached, 1), "rules": rules}
    title = f"{reached:.1f} % of the values that rules can take, in {len(cases)} cases"
    show_table(data, title, rows, as_json=json)
    if reached < fail_under:
        note(
            f"error: {reached:.1f} % is under {fail_under:g} %; the last column names what is missing"
        )
        raise typer.Exit(1)


@app.command("mutate")
def mutate(
    folder: Folder = None,
    rule: Annotated[str, typer.Option("--rule", metavar="ID", help="Only this rule.")] = "",
    json: bool = Json,
) -> None:
    """Make one small mistake after another in the rules, and name those that no case notices.

    A survivor that is right as it is stands with its reason in survivors.yaml.
    """
    from gateway.authoring.mutate import all_mutants, survey

    policy, files, _ = _loaded(folder)
    with explained():
        total = len(all_mutants(policy, files, rule or None))
        with steps("mutants", total) as advance:
            found = survey(policy, files, rule or None, advance)
    for mutant in found.survivors:
        note(f"{mutant.place}: survives: {mutant.words}")
        note(f"    {mutant.name}")
    for one in found.stale:
        note(f"{one.place}: error: {one.mutant!r} does not survive any more; take the line away")
    data = {
        "mutants": total,
        "killed": found.killed,
        "survivors": [
            {"mutant": m.name, "words": m.words, "place": m.place} for m in found.survivors
        ],
        "explained": [{"mutant": m.name, "why": one.why} for m, one in found.explained],
        "stale": [one.mutant for one in found.stale],
    }
    text = f"{found.killed} of {total} mutants killed, {len(found.explained)} explained"
    show(data, f"{text}, {len(found.survivors)} survive", as_json=json)
    if not found.clean:
        raise typer.Exit(1)
