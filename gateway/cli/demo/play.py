"""The play: an answer to a request, sharing unasked, a refusal, a hold, approvals, a recall, the check."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from gateway.cli.demo.scenario import Package, Planned, Scenario
from gateway.cli.demo.stage import CommandError, Stage

SCENARIO = Path(__file__).with_name("scenario.yaml")
_NOT_YOURS, _REFUSED = 6, 7  # exit codes: no such share here; the state does not allow it
_out = Console(highlight=False)


@dataclass
class Act:
    """One share as it went."""

    planned: Planned
    basis: str
    rfa: str = ""
    share: str = ""
    decision: str = ""
    why: str = ""
    happened: list[str] = field(default_factory=list)
    files: int = 0
    size: int = 0


@dataclass
class Play:
    """A demo in progress. *problems* is what differed from the scenario: empty means success."""

    stage: Stage
    scenario: Scenario
    material: Path
    acts: list[Act] = field(default_factory=list)
    packages: dict[str, str] = field(default_factory=dict)
    deposited: dict[str, list[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    ledger: dict[str, Any] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """Tell the audience what happens."""
        _out.print(f"[bold cyan]•[/] {text}")

    def check(self, good: bool, what: str) -> None:
        """Keep *what* as a problem unless it is *good*."""
        if not good:
            self.problems.append(what)
            _out.print(f"[bold red]differs:[/] {what}")

    def run(self, who: str, *args: str, expect: int = 0) -> Any:
        """Run a command as *who*."""
        return self.stage.run(*args, "--as", str(self.stage.folder(who)), expect=expect)

    def perform(self) -> None:
        """Play it from the first push to the ledger's check."""
        for planned in self.scenario.shares:
            self.propose(planned)
        for act in self.acts:
            if act.decision == "permit":
                self.deliver(act)
        self.isolation()
        for act in self.acts:
            if act.planned.recall:
                self.recall(act)
        self.verify()

    def package(self, planned: Planned) -> tuple[str, str]:
        """Return the package of a share and the RFA it answers, if any; make them at first use."""
        spec = self.scenario.packages[planned.package]
        if not spec.rfa:
            if planned.package not in self.packages:
                basis = ["--rationale", spec.rationale, "--case", spec.case]
                self.packages[planned.package] = self._make(spec, basis)
                self._match(planned.package)
            return self.packages[planned.package], ""
        rfa = self.request(planned, spec)
        return self._make(spec, ["--rfa", rfa]), rfa

    def _make(self, spec: Package, basis: list[str]) -> str:
        """Make a package; the first of its items deposits them."""
        basis = [*basis, "--product", spec.product]
        if spec.items == "redacted" and spec.items not in self.deposited:
            self._redact(basis)
        if spec.items in self.deposited:
            return str(
                self.run("sharer", "package", *self.deposited[spec.items], *basis)["package"]
            )
        which = self.material if spec.items == "all" else self._one(self.scenario.sensitive)
        facts = str(self._facts(spec.items))
        done = self.run("sharer", "push", str(which), "--facts", facts, *basis)
        self.deposited[spec.items] = [item["item"] for item in done["items"]]
        self.say(f"The sharing team deposited {len(done['items'])} file(s) of {which.name}/")
        return str(done["package"])

    def _redact(self, basis: list[str]) -> None:
        """Have a file redacted and that attested; the original could go to nobody."""
        from gateway.cli.demo import redaction

        plan = self.scenario.redaction
        assert plan is not None, "a scenario with a redacted package says how"
        file = self._one(plan.file)
        made = self._redacted() / file.name
        made.parent.mkdir(exist_ok=True)
        made.write_bytes(redaction.redact(file.read_bytes()))
        facts = {**self.scenario.facts, **plan.facts}
        people = self.stage.folder("sharer")
        original, item = redaction.attested(people, file, made, facts, plan.removed)
        package = str(self.run("sharer", "package", original, *basis)["package"])
        found = self.run("sharer", "match", package)
        self.check(
            all(row["outcome"] == "deny" for row in found),
            f"{file.name} could go out though it is to be redacted",
        )
        self.deposited["redacted"] = [item]
        self.say(f"{file.name} may go to nobody; a redacted derivative was made of it and attested")

    def _redacted(self) -> Path:
        return self.stage.root / "redacted"

    def _match(self, name: str) -> None:
        """Ask who could lawfully receive a package; it must be what the scenario expects."""
        found = self.run("sharer", "match", self.packages[name])
        said = {row["short"]: row["outcome"] for row in found}
        for planned in self.scenario.shares:
            if planned.package == name:
                self.check(
                    said.get(planned.authority) == planned.expect,
                    f"{planned.authority}: the match says {said.get(planned.authority)}",
                )
        could = sum(outcome == "permit" for outcome in said.values())
        self.say(f"Sharing unasked: {could} of {len(said)} authorities could receive it as it is")

    def request(self, planned: Planned, spec: Package) -> str:
        """Have an authority send an RFA; register it and record its five checks."""
        who, text = planned.authority, self.stage.root / "request.txt"
        text.write_text(f"We ask for all material in {spec.case}.\n", encoding="utf-8")
        asks = ("--investigation", spec.case, "--crime", "war_crimes")
        rfa = str(self.run(who, "rfa", "send", str(text), *asks)["rfa"])
        read = self.run("rfa_officer", "rfa", "show", rfa, "--read")
        self.check(
            read["messages"][0]["text"] == text.read_text("utf-8"),
            f"{who}: its RFA reads otherwise than it was written",
        )
        number = f"{spec.rfa}/{who}"
        due, until = _in_days(90), _in_days(365)
        self.run("rfa_officer", "rfa", "register", rfa, "--number", number, "--due", due)
        checks = ("--valid-to", until, "--evidence", f"note on {number}")
        self.run("rfa_officer", "rfa", "assess", rfa, *checks)
        self.say(f"{who}: sent an RFA; it was registered as {number} and admitted")
        return rfa

    def _one(self, pattern: str) -> Path:
        """Return the first file that matches, or the smallest if none does."""
        files = sorted(path for path in self.material.rglob("*") if path.is_file())
        if not files:
            raise CommandError(f"{self.material.name} holds no files")
        matching = [path for path in files if path.relative_to(self.material).match(pattern)]
        return matching[0] if matching else min(files, key=lambda path: path.stat().st_size)

    def _facts(self, items: str) -> Path:
        facts = dict(self.scenario.facts)
        if items == "sensitive":
            facts |= self.scenario.sensitive_facts
        path = self.stage.root / f"facts-{items}.yaml"
        lines = [f"  {name}: {_yaml(value)}" for name, value in facts.items()]
        path.write_text("\n".join(["'*':", *lines]) + "\n", encoding="utf-8")
        return path

    def propose(self, planned: Planned) -> None:
        """Propose a share, have it approved if it is held, release it if it is permitted."""
        spec = self.scenario.packages[planned.package]
        package, rfa = self.package(planned)
        act = Act(planned, f"answers {spec.rfa}" if rfa else "shared unasked", rfa)
        self.acts.append(act)
        done = self.run("sharer", "share", "propose", package, planned.authority)
        act.share, outcome = done["share"], done["outcome"]
        self.check(
            outcome == planned.expect,
            f"{planned.authority}: policy said {outcome}, the scenario expects {planned.expect}",
        )
        act.decision, act.why = outcome, _why(done)
        for role in planned.approve if outcome == "hold" else ():
            done = self.run(role, "share", "approve", act.share, "--role", role)
            act.happened.append(f"approved by {role.replace('_', ' ')}")
            act.decision, act.why = done["outcome"], _why(done)
        if act.decision == "permit":
            self.run("releaser", "share", "release", act.share)
        self.say(f"{planned.authority}: {outcome}{' → ' + act.decision if act.happened else ''}")

    def deliver(self, act: Act) -> None:
        """Have the authority pull the share; compare every byte; have its officer accept."""
        who = act.planned.authority
        told = self.run(who, "inbox", "--all", "--wait", "10")
        self.check(
            any(m["share"] == act.share and m["about"] == "share.available" for m in told),
            f"{who}: the inbox does not announce the share",
        )
        out = self.stage.root / "received" / who
        (pulled,) = self.run(who, "pull", act.share, "--out", str(out))
        self._compare(act, Path(pulled["folder"]), pulled["items"])
        done = self.run(f"{who}-officer", "receipt", act.share, "accepted", "--manifest", pulled["manifest"])  # fmt: skip
        self.check(done["state"] == "accepted", f"{who}: the receipt was not taken")
        act.happened.append("pulled, verified, identical, accepted")
        self.say(f"{who}: pulled and decrypted {act.files} file(s), {act.size:,} bytes, identical")
        if act.rfa:
            self.answer(act)

    def answer(self, act: Act) -> None:
        """Answer the RFA with what was released for it, and close it; the authority is told."""
        who, text = act.planned.authority, self.stage.root / "answer.txt"
        text.write_text("Please find the material in your inbox.\n", encoding="utf-8")
        self.run("rfa_officer", "rfa", "answer", act.rfa, str(text))
        self.run("rfa_officer", "rfa", "close", act.rfa)
        told = [message["about"] for message in self.run(who, "inbox", "--all")]
        expected = ["rfa.received", "rfa.registered", "rfa.answered", "rfa.closed"]
        self.check(
            [about for about in told if about.startswith("rfa.")] == expected,
            f"{who}: the inbox does not tell how the RFA went",
        )
        act.happened.append("RFA answered and closed")

    def _compare(self, act: Act, folder: Path, names: list[str]) -> None:
        spec = self.scenario.packages[act.planned.package]
        sensitive = self._one(self.scenario.sensitive)
        source = {"all": self.material, "sensitive": sensitive.parent}.get(
            spec.items, self._redacted()
        )
        wanted = (
            {sensitive.name}
            if spec.items == "sensitive"
            else {p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file()}
        )
        got = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        who = act.planned.authority
        self.check(wanted == got == set(names), f"{who}: other files arrived than were sent")
        for name in wanted & got:
            self.check(_same(source / name, folder / name), f"{who}: {name} differs")
            act.size += (folder / name).stat().st_size
        act.files = len(got)

    def isolation(self) -> None:
        """Have one authority ask for another's share: it learns nothing, not even that it exists."""
        served = [act for act in self.acts if act.decision == "permit"]
        others = [a.short for a in self.scenario.authorities]
        if served and len(others) > 1:
            other = next(short for short in others if short != served[0].planned.authority)
            out = str(self.stage.root / "received" / "none")
            self.run(other, "pull", served[0].share, "--out", out, expect=_NOT_YOURS)
            self.say(f"{other} asked for a share of another authority: there is no such share")

    def recall(self, act: Act) -> None:
        """Recall a share: the notice arrives, and nothing can be pulled any more."""
        if act.decision != "permit":
            return
        who = act.planned.authority
        self.run("releaser", "recall", act.share, "--reason", "A file was filed wrongly")
        told = self.run(who, "inbox")
        self.check(
            any(m["share"] == act.share and m["about"] == "share.recalled" for m in told),
            f"{who}: the inbox does not announce the recall",
        )
        out = str(self.stage.root / "received" / "again")
        self.run(who, "pull", act.share, "--out", out, expect=_REFUSED)
        act.happened.append("recalled")
        self.say(f"{who}: the share was recalled; pulling it is refused")

    def verify(self) -> None:
        """Have compliance and an authority check the whole ledger."""
        self.ledger = self.run("compliance", "ledger", "verify")
        self.check(
            self.ledger["openings"] == self.ledger["size"], "compliance cannot open every entry"
        )
        first = self.scenario.authorities[0].short
        seen = self.run(first, "ledger", "verify")
        self.check(seen["size"] >= self.ledger["size"], f"{first} sees another ledger")
        self.say(
            f"The ledger holds: {self.ledger['size']} entries, checked by compliance and {first}"
        )


def _in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _why(done: dict[str, Any]) -> str:
    lacking = ", ".join(
        f"{count} x {what.replace('approval:', '').replace('_', ' ')}"
        for what, count in done["missing"].items()
    )
    if lacking:
        return f"waits for approval: {lacking}"
    if done["outcome"] != "deny":
        return ""
    lines = str(done["explanation"]).splitlines()[1:]
    return "\n".join(line.removeprefix("- ") for line in lines if line.startswith("- "))


def _same(one: Path, two: Path) -> bool:
    with one.open("rb") as left, two.open("rb") as right:
        while True:
            a, b = left.read(1 << 20), right.read(1 << 20)
            if a != b:
                return False
            if not a:
                return True
