"""What people do with RFAs."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from gateway.exchange.parties import Role
from gateway.exchange.rfa_messages import About
from tests.stateful import steps
from tests.stateful.desk import Desk, authority, mostly, staff, which
from tests.stateful.driver import Answer
from tests.stateful.model import (
    OUT,
    RFA_STEPS,
    Rfa,
    Share,
)


class Rfas(Desk):
    """Both sides of an RFA's life, and what is entered from paper."""

    @rule(who=authority, n=which, supplementary=st.booleans())
    def submit(self, who: str, n: int, supplementary: bool) -> None:
        case, parent = f"inv-{n % 3}", None
        allowed = True
        if supplementary and self.model.rfas:
            of = self.pick(self.model.rfas, n)
            parent = of.id
            allowed = of.of == who and of.case == case and of.known_outside
        asked = steps.wanted(case, parent=parent)
        name = self.attempt(allowed, lambda: steps.submit(self.driver, who, asked))
        if name is not None:
            self.model.rfas.append(Rfa(name, who, case, "received", who))

    @rule(who=staff, of=authority, n=which)
    def paper(self, who: str, of: str, n: int) -> None:
        self.model.numbers += 1
        number, case = f"P-{self.model.numbers}", f"inv-{n % 3}"
        scan, party = self.pick(self.model.items, n).id, self.driver.party(of)
        asked = steps.wanted(case)
        name = self.attempt(
            self.may(who, Role.RFA_OFFICER),
            lambda: steps.record(self.driver, who, party, asked, scan, number),
        )
        if name is not None:
            self.model.rfas.append(Rfa(name, of, case, "recorded", who, paper=True))

    @precondition(lambda self: self.model.rfas)
    @rule(
        who=st.sampled_from(["officer", "officer", "officer", "officer2", "sharer", "xa-officer"]),
        n=which,
        step=st.sampled_from(
            ["register", "confirm", "admit", "refuse", "ask", "tell", "extend", "no_material",
             "service", "packages", "decline", "reopen", "close", "strike"]
        ),
        days=st.sampled_from([0, 5, 400]),
    )  # fmt: skip
    def officer(self, who: str, n: int, step: str, days: int) -> None:
        rfa = self.pick(self.model.rfas, n)
        if n % 5:  # mostly what leads on
            ways = [w for w in RFA_STEPS[rfa.state] if w not in ("inform", "reply", "withdraw")]
            step = ways[n % len(ways)] if ways else step
            step = "packages" if step == "answer" else step
        self._officer(who, rfa, step, days)

    def _officer(self, who: str, rfa: Rfa, step: str, days: int) -> None:
        out = [s for s in self.model.shares if s.package.rfa is rfa and s.state in OUT]
        if step == "packages" and not out:
            step = "service"
        table = "answer" if step in ("packages", "service", "no_material") else step
        allowed = self.may(who, Role.RFA_OFFICER) and table in RFA_STEPS[rfa.state]
        allowed &= not (step == "confirm" and who == rfa.by)
        allowed &= not (step == "decline" and rfa.met is not False)
        allowed &= not (step == "reopen" and rfa.number is None)
        allowed &= not (step == "no_material" and bool(out))
        if step == "register":
            self.model.numbers += 1
        number = f"R-{self.model.numbers}"
        made = self.attempt(allowed, lambda: self._do(who, rfa, step, number, days, out))
        if made is None:
            return
        if step in ("admit", "refuse"):
            rfa.met, rfa.valid_to = step == "admit", self.today + timedelta(days=days)
        if step in ("register", "confirm"):
            rfa.number = number
        if step == "close":
            rfa.closed_as = rfa.state
        rfa.state = RFA_STEPS[rfa.state][table]
        assert made["state"] == rfa.state

    def _do(
        self, who: str, rfa: Rfa, step: str, number: str, days: int, out: list[Share]
    ) -> Answer:
        driver, name = self.driver, rfa.id
        match step:
            case "register":
                return steps.register(driver, who, name, number)
            case "confirm":
                return steps.confirm(driver, who, name)
            case "strike":
                return steps.strike(driver, who, name)
            case "admit" | "refuse":
                return steps.assess(driver, who, name, met=step == "admit", days=days)
            case "packages":
                return steps.answer(driver, who, name, "packages", [s.id for s in out])
            case "service":
                return steps.answer(driver, who, name, "service")
            case "no_material":
                return steps.answer(driver, who, name, "no_material")
            case _:
                made: Answer = getattr(steps, step)(driver, who, name)
                return made

    @precondition(lambda self: self.model.rfas)
    @rule(n=which, own=mostly, other=authority, officer=st.booleans(), withdrawal=st.booleans())
    def add(self, n: int, own: bool, other: str, officer: bool, withdrawal: bool) -> None:
        rfa = self.pick(self.model.rfas, n)
        who = rfa.of if own else other
        step = "withdraw" if withdrawal and n % 4 == 0 else "inform"
        about = About.WITHDRAWAL if step == "withdraw" else About.INFORMATION
        if step == "inform" and rfa.state == "clarification":
            step = "reply"
        allowed = who == rfa.of and rfa.known_outside and step in RFA_STEPS[rfa.state]
        by = f"{who}-officer" if officer else who
        made = self.attempt(allowed, lambda: self.driver.message(by, rfa.id, about))
        if made is not None:
            rfa.state = RFA_STEPS[rfa.state][step]
