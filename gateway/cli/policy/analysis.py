"""`gateway policy analyse`, `diff`, `crosscheck`, `export`: what authors ask of a set as a whole."""

import json as json_text
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Optional, TypeVar

import typer

from gateway.cli.output import Json, explained, note, show, steps
from gateway.cli.policy.group import Folder, app, folder_of

T = TypeVar("T")
Old = Annotated[Path, typer.Argument(help="Policy folder as it was.", show_default=False)]
New = Annotated[Path, typer.Argument(help="Policy folder as it is to be.", show_default=False)]


def _today() -> str:
    from gateway import wiring

    return wiring.now().date().isoformat()


@app.command("analyse")
def analyse(
    folder: Folder = None,
    record: Annotated[
        bool,
        typer.Option(
            "--record", help="Write down what is proved, for authors who sign without z3."
        ),
    ] = False,
    json: bool = Json,
) -> None:
    """Find rules that do nothing, and prove or refute the invariants. Needs the extra `author`."""
    from gateway import wiring
    from gateway.authoring.analyses import explained as with_reasons
    from gateway.authoring.analyses import findings, prepare
    from gateway.authoring.extras import library
    from gateway.authoring.proofs import prove
    from gateway.policy import load_invariants

    with explained():
        files = wiring.policy_files(folder_of(folder))
        policy, _ = wiring.load_policy(folder_of(folder))
        invariants = load_invariants(files, policy)
        clock = [time.perf_counter()]
        library("z3")
        clock.append(time.perf_counter())
        model, solver = prepare(policy, invariants)
        found = with_reasons(list(findings(model, solver)), files)
        clock.append(time.perf_counter())
        proofs = list(prove(model, solver, invariants, _today()))
        clock.append(time.perf_counter())
    took = [end - start for start, end in pairwise(clock)]
    seconds = dict(zip(("z3", "analyses", "invariants"), (round(s, 3) for s in took), strict=True))
    refuted = [proof for proof in proofs if proof.counterexample is not None]
    data = {
        "digest": policy.digest,
        "findings": [finding.to_json() for finding in found],
        "invariants": [proof.to_json() for proof in proofs],
        "seconds": seconds,
    }
    lines = [line for finding in found for line in _finding(finding)]
    lines += [line for proof in proofs for line in _proof(proof, policy.vocabulary)]
    counts = f"{len(policy.rules)} rules, {len(found)} findings"
    proved = f"{len(proofs) - len(refuted)} of {len(proofs)} invariants proved"
    lines.append(f"{counts}, {proved}, {sum(took[1:]):.2f} s ({sum(took):.2f} s with loading z3)")
    show(data, "\n".join(lines), as_json=json)
    if record and not refuted:
        _record(folder_of(folder), files)
    if refuted or any(finding.why is None for finding in found):
        raise typer.Exit(1)


def _record(folder: Path, files: dict[str, bytes]) -> None:
    from gateway.authoring import proved
    from gateway.policy import load_files

    loaded = load_files(files)
    ids = tuple(invariant.id for invariant in loaded.invariants)
    (folder / proved.PROOFS).write_bytes(proved.record(loaded, files, ids))


def _finding(finding: Any) -> Iterator[str]:
    yield f"{finding.place}: {finding.kind.value}: {finding.words}"
    if finding.why is not None:
        yield f"    explained: {finding.why}"


def _proof(proof: Any, vocabulary: Any) -> Iterator[str]:
    from gateway.authoring.cases import told
    from gateway.policy.conditions import attributes

    about = f"{proof.invariant.place}: invariant {proof.invariant.id}"
    if proof.counterexample is None:
        yield f"{about}: proved"
        return
    yield f"{about}: refuted: {proof.invariant.title}"
    yield f"    the set decides {proof.ruling.words()} when"
    yield from (f"      {line}" for line in told(vocabulary, proof.counterexample))
    for a in dict.fromkeys(attributes(proof.invariant.when)):
        if a.path not in proof.counterexample:
            yield f"      {a.label}: not recorded"
    yield "    and whatever is not named here may be unknown"


@app.command("diff")
def diff(
    old: Old,
    new: New,
    out: Annotated[
        Optional[Path],
        typer.Option("--out", help="Write each request to a file of facts in this folder."),
    ] = None,
    json: bool = Json,
) -> None:
    """Compare two sets by what they decide on all facts. Needs the extra `author`."""
    from gateway import wiring
    from gateway.authoring.diff import compare

    with explained():
        (was, _), (now, _) = wiring.load_policy(old), wiring.load_policy(new)
        found = compare(was, now, _today())
    lines = [f"old {found.old.digest}", f"new {found.new.digest}"]
    for title, changes in (
        ("rules", found.written.rules),
        ("facts", found.written.facts),
        ("kinds of obligation", found.written.obligations),
    ):
        lines += [f"{title}: {line}" for line in changes.words()]
    for n, difference in enumerate(found.differences, 1):
        lines += ["", *_difference(n, difference, found)]
        if out is not None:
            _write(out, n, difference, found.new.vocabulary)
    lines += ["", "the two sets decide alike"] if found.alike else []
    show(found.to_json(), "\n".join(lines), as_json=json)


def _difference(n: int, difference: Any, found: Any) -> Iterator[str]:
    from gateway.authoring.cases import written
    from gateway.authoring.diff import unknown_to

    about = f" ({difference.kind})" if difference.kind else ""
    yield f"{n}. {difference.direction.value}{about}"
    yield f"   old: {difference.old.words()}"
    yield f"   new: {difference.new.words()}"
    for name, policy in (("old", found.old), ("new", found.new)):
        unknown = unknown_to(policy, difference.facts)
        if unknown:
            yield f"   unknown to the {name} set: {', '.join(unknown)}"
    yield "   for instance, on these facts:"
    yield from (f"     {line}" for line in written(_labels(found), difference.facts))


def _labels(found: Any) -> Any:
    """Return both vocabularies in one, for the labels of facts."""
    from gateway.policy import Vocabulary

    return Vocabulary({**found.old.vocabulary.attributes, **found.new.vocabulary.attributes})


def _write(folder: Path, n: int, difference: Any, vocabulary: Any) -> None:
    from gateway.authoring.cases import written

    folder.mkdir(parents=True, exist_ok=True)
    name = f"{n:02}-{difference.direction.value.replace(' ', '-')}.yaml"
    text = "\n".join(written(vocabulary, difference.facts))
    (folder / name).write_text(text + "\n", encoding="utf-8")


@app.command("crosscheck")
def crosscheck(
    folder: Folder = None,
    requests: Annotated[int, typer.Option(help="How many requests to make up.", min=1)] = 20_000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same requests.")] = 1,
    json: bool = Json,
) -> None:
    """Decide made-up requests with Cedar as well, and report where it differs. Needs the extra `author`."""
    from gateway import wiring
    from gateway.authoring.analyses import prepare
    from gateway.authoring.cases import written
    from gateway.authoring.oracle import Oracle, disagreements
    from gateway.authoring.requests import Requests, bases_of

    with explained():
        policy, _ = wiring.load_policy(folder_of(folder))
        bases = bases_of(policy, *prepare(policy, ()))
        made = Requests(policy, bases, seed).some(requests)
        with steps("Requests", requests) as done:
            found = list(disagreements(policy, _counted(Oracle(policy).answers(made), done)))
    for one in found[:10]:
        theirs = "an error" if one.cedar is None else _answer(one.cedar)
        facts = "\n  ".join(written(policy.vocabulary, one.facts))
        note(f"we say {_answer(one.ours)}, Cedar says {theirs}, of\n  {facts}")
    data = {"digest": policy.digest, "requests": requests, "disagreements": len(found)}
    show(data, f"{requests} requests, {len(found)} disagreements with Cedar", as_json=json)
    if found:
        raise typer.Exit(1)


def _counted(answers: Iterable[T], done: Callable[[int], None]) -> Iterator[T]:
    """Yield answers, and tell *done* of each."""
    for answer in answers:
        done(1)
        yield answer


def _answer(answer: Any) -> str:
    return f"{answer.outcome.value} ({', '.join(sorted(answer.rules)) or 'no rule'})"


@app.command("export")
def export(
    folder: Folder = None,
    to_cedar: Annotated[
        bool, typer.Option("--cedar", help="Policies and schema of Cedar, to check decisions by.")
    ] = False,
    to_odrl: Annotated[
        bool, typer.Option("--odrl", help="ODRL, for reading: it says less than the rules.")
    ] = False,
    out: Annotated[
        Optional[Path], typer.Option("--out", help="Write files into this folder instead.")
    ] = None,
    json: bool = Json,
) -> None:
    """Write a set in a language of others. It is never read back."""
    from gateway import wiring
    from gateway.authoring import cedar
    from gateway.kernel.errors import MalformedError
    from gateway.policy.odrl import odrl_rules

    with explained():
        if to_cedar is to_odrl:
            raise MalformedError("say one of --cedar and --odrl")
        policy, _ = wiring.load_policy(folder_of(folder))
    if to_cedar:
        texts = {"policy.cedar": cedar.policies(policy), "policy.cedarschema": cedar.schema(policy)}
        data: Any = {"policies": texts["policy.cedar"], "schema": texts["policy.cedarschema"]}
        text = "\n".join(texts.values())
    else:
        data = odrl_rules(policy)
        text = json_text.dumps(data, ensure_ascii=False, indent=2)
        texts = {"policy.odrl.jsonld": text + "\n"}
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in texts.items():
            (out / name).write_text(content, encoding="utf-8")
        text = f"written: {', '.join(texts)}"
    show(data, text, as_json=json)
