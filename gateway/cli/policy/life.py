"""`gateway policy sign`, `activate`, `signoff`, `sets`, `replay`, `recompute`: the life of a set."""

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from gateway.cli.output import (
    As,
    Json,
    explained,
    folder,
    note,
    run,
    show,
    show_table,
    with_session,
)
from gateway.cli.policy.group import app

Folder = Annotated[Path, typer.Argument(help="Policy folder.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")]


def _analysis(folder: Path) -> Any:
    """Return what is proved of the set's invariants: found out here, or as it was written down."""
    from gateway import wiring
    from gateway.authoring import proved
    from gateway.client.authors import UNPROVED, read_files
    from gateway.exchange.policy_sets import Analysis
    from gateway.kernel.errors import UnavailableError
    from gateway.policy import load_files

    files = read_files(folder)
    loaded = load_files(files)
    if not loaded.invariants:
        return Analysis((), "there are no invariants")
    try:
        ids = proved.proved(loaded, wiring.now().date().isoformat())
        return Analysis(ids, f"{len(ids)} invariants proved by z3 at signing")
    except UnavailableError as error:
        kept = folder / proved.PROOFS
        ids = proved.recorded(loaded, files, kept.read_bytes()) if kept.is_file() else ()
        if not ids:
            note(f"no invariant is proved, so the gateway will not take the set: {error}")
            return UNPROVED
        return Analysis(ids, f"{len(ids)} invariants proved earlier, as {proved.PROOFS} says")


def _agreed(question: str, *, yes: bool) -> None:
    """Ask on a terminal; elsewhere `--yes` must have been said."""
    import sys

    from gateway.kernel.errors import MalformedError

    if yes:
        return
    if not sys.stdin.isatty():
        raise MalformedError("say --yes, or run this on a terminal to be asked")
    if not typer.confirm(question, err=True):
        raise typer.Exit(1)


@app.command("sign")
def sign(
    policy: Folder,
    as_: Path = As,
    number: Annotated[
        Optional[int], typer.Option(help="The set's number, if not the next one.")
    ] = None,
    supersedes: Annotated[
        Optional[str], typer.Option(help="Digest of the manifest in force, if it lies elsewhere.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="In place of the signed manifest, never in force.")
    ] = False,
    yes: Yes = False,
    json: bool = Json,
) -> None:
    """Sign a policy folder as one of its authors: the first makes the manifest, the next add to it."""
    from gateway import wiring
    from gateway.client import authors

    with explained():
        signer = folder(as_).policy_signer()
        made = authors.draft(
            policy,
            signer,
            wiring.now(),
            number=number,
            supersedes=supersedes,
            again=again,
            analysis=_analysis(policy),
        )
        data = _told(made)
        if not json:
            note(_lines(data))
        _agreed("Sign this?", yes=yes)
        authors.keep(policy, made)
    more = "" if made.signatures > 1 else "; next: another author runs gateway policy sign"
    show(data, f"signed set {data['number']}: {made.signatures} signature(s){more}", as_json=json)


def _told(made: Any) -> dict[str, Any]:
    return {
        "number": made.manifest.number,
        "manifest": made.digest,
        "policy": made.manifest.policy,
        "supersedes": made.manifest.supersedes,
        "signatures": made.signatures,
        "cases": made.manifest.cases.held,
        "analysis": made.manifest.analysis.statement,
        "changed_rules": [*made.changed_rules],
        "changed_files": [*made.changed_files],
    }


def _lines(data: dict[str, Any]) -> str:
    lines = [
        f"set {data['number']}, manifest {data['manifest']}",
        f"supersedes {data['supersedes'] or 'nothing: it is the first'}",
        f"{data['cases']} cases hold; {data['analysis']}",
    ]
    if data["signatures"] == 1:
        for what in ("rules", "files"):
            lines += [f"changed {what}: {', '.join(data[f'changed_{what}']) or 'none'}"]
    else:
        lines.append("the folder is byte for byte what the other author signed")
    return "\n".join(lines)


@app.command("activate")
def activate(
    policy: Folder, as_: Path = As, dry_run: DryRun = False, yes: Yes = False, json: bool = Json
) -> None:
    """Put a signed policy folder into force on the gateway, once what it turns has been shown."""
    from gateway.client import policies

    seen = run(with_session(as_, lambda session: policies.preview(session, policy)))
    if dry_run:
        _show_preview(seen, as_json=json)
        raise typer.Exit(7 if seen["problems"] else 0)
    if not json:
        note(_preview_text(seen))
    with explained():
        _agreed("Put it into force?", yes=yes)
    made = run(with_session(as_, lambda session: policies.activate(session, policy)))
    show(made, f"policy set {made['number']} is in force, entry {made['entry']}", as_json=json)


@app.command("signoff")
def sign_off(
    policy: Folder, as_: Path = As, dry_run: DryRun = False, yes: Yes = False, json: bool = Json
) -> None:
    """Agree, as a legal adviser or the head of the mechanism, to what a set turns to permit."""
    from gateway.client import policies
    from gateway.kernel.errors import ConflictError

    seen: dict[str, Any] = run(with_session(as_, lambda s: policies.preview(s, policy)))
    if dry_run:
        _show_preview(seen, as_json=json)
        return
    if not json:
        note(_preview_text(seen))
    with explained():
        if seen["manifest"] is None:
            raise ConflictError("sign the folder first: a sign-off is of a signed set")
        if not any(flip["after"] == "permit" for flip in seen["flips"]):
            raise ConflictError("nothing turns to permit: there is nothing to sign off")
        _agreed("Agree to what turns to permit?", yes=yes)
    manifest, flips = seen["manifest"], seen["flips_digest"]
    made = run(with_session(as_, lambda s: policies.sign_off(s, manifest, flips)))
    show(made, f"signed off as {made['signoff']}; next: gateway policy activate", as_json=json)


@app.command("sets")
def sets(
    number: Annotated[Optional[int], typer.Argument(help="Show this set.")] = None,
    as_: Path = As,
    out: Annotated[
        Optional[Path], typer.Option(help="Write the set's files into this new folder.")
    ] = None,
    json: bool = Json,
) -> None:
    """List the policy sets that came into force, or fetch one with its files."""
    from gateway.client import policies

    if number is None:
        found: dict[str, Any] = run(with_session(as_, policies.listed))
        rows = [
            {
                "number": f"{row['number']}{' *' if row['number'] == found['in_force'] else ''}",
                "at": row["at"],
                "manifest": row["manifest"],
            }
            for row in found["sets"]
        ]
        show_table(found, "Policy sets (* in force)", rows, as_json=json)
        return
    one: dict[str, Any] = run(with_session(as_, lambda s: policies.fetch(s, number)))
    if out is not None:
        with explained():
            policies.write(out, one)
    where = f", written to {out}" if out is not None else ""
    text = f"set {number}, in force from {one['at']}, manifest {one['manifest']}{where}"
    show(one, text, as_json=json)


@app.command("replay")
def replay(
    policy: Annotated[
        Optional[Path], typer.Argument(help="Policy folder; without one, the set in force.")
    ] = None,
    as_: Path = As,
    json: bool = Json,
) -> None:
    """Show what a set, signed or not, would have made of every recorded decision."""
    from gateway.client import policies

    seen = run(with_session(as_, lambda session: policies.preview(session, policy)))
    _show_preview(seen, as_json=json)


def _show_preview(seen: dict[str, Any], *, as_json: bool) -> None:
    show(seen, _preview_text(seen), as_json=as_json)


def _preview_text(seen: dict[str, Any]) -> str:
    flips: list[dict[str, Any]] = seen["flips"]
    turned = sum(flip["count"] for flip in flips)
    lines = [f"{seen['decisions']} recorded decisions, of which {turned} come out otherwise"]
    lines += map(_flip_text, flips)
    names = ("rules", "product", "jurisdiction") if flips else ()
    lines += [f"by {name.removesuffix('s')}: {_sums(flips, name)}" for name in names]
    if seen["signed_off"]:
        lines.append(f"signed off by {', '.join(seen['signed_off'])}")
    lines += [f"missing: {problem}" for problem in seen["problems"]]
    return "\n".join(lines)


def _flip_text(flip: dict[str, Any]) -> str:
    turn, rules = f"{flip['count']} x {flip['before']} -> {flip['after']}", ", ".join(flip["rules"])
    where = f"{flip['product']}, {flip['jurisdiction']}"
    return f"  {turn}: {rules}; {where}; such as {flip['decisions'][0]}"


def _sums(flips: list[dict[str, Any]], name: str) -> str:
    found: dict[str, int] = {}
    for flip in flips:
        for value in flip[name] if isinstance(flip[name], list) else [flip[name]]:
            found[value] = found.get(value, 0) + flip["count"]
    return ", ".join(f"{value} {count}" for value, count in sorted(found.items()))


@app.command("recompute")
def recompute(
    decision: Annotated[str, typer.Argument(help="Digest of a decision, or SHARE:N, or SHARE.")],
    as_: Path = As,
    json: bool = Json,
) -> None:
    """Make a recorded decision again from its facts and the set of its time, and compare."""
    from gateway.client import policies

    done: dict[str, Any] = run(with_session(as_, lambda s: policies.recompute(s, decision)))
    lines = [
        f"decision {done['digest']} on {done['share']} ({done['stage']}, {done['at']})",
        f"policy set {done['policy']}, number {done['number']}; engine {done['engine']}",
        f"recorded: {done['outcome']}; with clearances and circumstances: {done['after_clearances']}",
    ]
    shown = [name for name in ("missing", "unmet") if done[name]]
    lines += [f"{name}, as recorded: {done[name]}" for name in shown]
    lines += [f"differs: {one}" for one in done["differences"]] or ["the same"]
    show(done, "\n".join(lines), as_json=json)
    if done["differences"]:
        raise typer.Exit(3)
