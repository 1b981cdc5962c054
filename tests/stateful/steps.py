"""The steps people take, each as one call: what they sign, and the workflow it goes to."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal

from gateway.exchange.acts import (
    Amend,
    AnswerRfa,
    Approve,
    Ask,
    AskRfa,
    AssessRfa,
    Attest,
    Basis,
    CloseRfa,
    Complete,
    ConfirmRfa,
    Consult,
    DeclineRfa,
    Deposit,
    DerivationCheck,
    Derive,
    EndAttestation,
    Evidence,
    ExtendRfa,
    MakePackage,
    OpenUpload,
    Particulars,
    Product,
    Propose,
    Recall,
    RecordRfa,
    RegisterRfa,
    Relation,
    Release,
    ReleaseItem,
    ReopenRfa,
    StrikeRfa,
    TellRfa,
    Wanted,
    relation_to,
)
from gateway.exchange.parse import build
from gateway.exchange.parties import Role
from gateway.exchange.rfa_acts import Check, CheckName, Crime
from gateway.exchange.rfa_messages import About
from gateway.kernel.encoding import Json
from gateway.kernel.ids import new_id
from gateway.store import uploads
from gateway.workflows import clear, deposit, derive, dossier, facts, propose, release, rfa
from tests.stateful.driver import Answer, Driver

EVIDENCE = Evidence("document", "ab" * 32, "Note verbale 12/2026")
Death = Literal["excluded", "possible", "unknown"]
_ORIGINAL = Relation()


def today(driver: Driver, days: int = 0) -> str:
    return (driver.now + timedelta(days=days)).date().isoformat()


def wanted(
    investigation: str, *, parent: str | None = None, death_penalty: Death = "excluded"
) -> Wanted:
    """Say what an RFA asks for."""
    crimes, products = (Crime.WAR_CRIMES,), (Product.EVIDENCE, Product.INFORMATION)
    return Wanted(investigation, "criminal", crimes, products, death_penalty, parent=parent)


# --- RFAs -------------------------------------------------------------------------------------------
def submit(driver: Driver, who: str, asked: Wanted) -> str:
    name = new_id("rfa")
    driver.message(who, name, About.REQUEST, wanted=asked)
    return name


def record(driver: Driver, who: str, authority: str, asked: Wanted, scan: str, number: str) -> str:
    name = new_id("rfa")
    act = RecordRfa(
        new_id("stp"), name, authority, asked, scan, today(driver, -3), number, today(driver, 60)
    )
    driver.act(who, "/v1/rfas/paper", act, rfa.record)
    return name


def officer_act(driver: Driver, who: str, name: str, act: object) -> Answer:
    return driver.act(who, f"/v1/rfas/{name}/steps", act, rfa.act_on, name)


def confirm(driver: Driver, who: str, name: str) -> Answer:
    request = str(dossier.show(driver.gateway, name)["request"])
    return officer_act(driver, who, name, ConfirmRfa(new_id("stp"), name, request))


def strike(driver: Driver, who: str, name: str) -> Answer:
    return officer_act(driver, who, name, StrikeRfa(new_id("stp"), name, "entered twice"))


def register(driver: Driver, who: str, name: str, number: str) -> Answer:
    shown: Any = dossier.show(driver.gateway, name)
    said = shown["wanted"]
    act = RegisterRfa(
        new_id("stp"), name, shown["request"], number, said["investigation"], said["purpose"],
        today(driver, 60),
    )  # fmt: skip
    return officer_act(driver, who, name, act)


def assess(driver: Driver, who: str, name: str, *, met: bool = True, days: int = 365) -> Answer:
    request = str(dossier.show(driver.gateway, name)["request"])
    checks = tuple(Check(c, met or c is not CheckName.FAIR_TRIAL, "Memo 7") for c in CheckName)
    act = AssessRfa(new_id("stp"), name, request, checks, today(driver, days))
    return officer_act(driver, who, name, act)


def ask(driver: Driver, who: str, name: str) -> Answer:
    return officer_act(driver, who, name, AskRfa(new_id("stp"), name, _for(driver, name)))


def tell(driver: Driver, who: str, name: str) -> Answer:
    return officer_act(driver, who, name, TellRfa(new_id("stp"), name, _for(driver, name)))


def extend(driver: Driver, who: str, name: str) -> Answer:
    act = ExtendRfa(new_id("stp"), name, today(driver, 90), "the search takes longer")
    return officer_act(driver, who, name, act)


def answer(
    driver: Driver,
    who: str,
    name: str,
    outcome: Literal["packages", "service", "no_material"],
    shares: Sequence[str] = (),
) -> Answer:
    act = AnswerRfa(new_id("stp"), name, outcome, tuple(shares), _for(driver, name))
    return officer_act(driver, who, name, act)


def decline(driver: Driver, who: str, name: str) -> Answer:
    act = DeclineRfa(new_id("stp"), name, _for(driver, name), "no fair trial")
    return officer_act(driver, who, name, act)


def reopen(driver: Driver, who: str, name: str) -> Answer:
    return officer_act(
        driver, who, name, ReopenRfa(new_id("stp"), name, today(driver, 60), "new material")
    )


def close(driver: Driver, who: str, name: str) -> Answer:
    return officer_act(driver, who, name, CloseRfa(new_id("stp"), name))


def _for(driver: Driver, name: str) -> str:
    return driver.sealed(str(dossier.show(driver.gateway, name)["authority"]))


# --- items ------------------------------------------------------------------------------------------
def deposit_item(
    driver: Driver,
    who: str,
    data: bytes,
    said: dict[str, Json],
    name: str = "statement.pdf",
    suite: Literal["pq", "classic"] = "pq",
    relation: Relation = _ORIGINAL,
) -> Answer:
    """Deposit some bytes; return the item's id and the deposit record's answer."""
    upload, sha256 = new_id("upl"), hashlib.sha256(data).hexdigest()
    driver.act(who, "/v1/uploads", OpenUpload(upload, len(data), suite), deposit.open_upload)
    if data:
        signed = driver.signed(who, "PATCH", f"/v1/uploads/{upload}", data)
        driver.perform(signed, deposit.put_part, upload, 0, data)
    particulars = Particulars(name, "application/pdf", "E-1", len(data), sha256, relation)
    parts = (sha256,) if data else ()
    complete = Complete(upload, particulars, said, "standard", parts)
    target = f"/v1/uploads/{upload}/complete"
    made = driver.act(who, target, complete, deposit.complete, upload)
    act = build({"type": "deposit", **made}, Deposit)
    return driver.act(who, "/v1/items", act, deposit.deposit)


def amend(driver: Driver, who: str, item: str, said: dict[str, Json]) -> Answer:
    before = str(facts.show_item(driver.gateway, item)["digest"])
    act = Amend(new_id("amd"), item, before, said, EVIDENCE)
    return driver.act(who, f"/v1/items/{item}/amendments", act, facts.amend, item)


def deposit_derivative(
    driver: Driver,
    who: str,
    original: str,
    data: bytes,
    said: dict[str, Json],
    removed: Sequence[str],
) -> str:
    """Deposit what was made from an item; return its id."""
    name, relation = f"derived-{new_id('drv')[4:12]}.pdf", relation_to(original, removed)
    made = deposit_item(driver, who, data, said, name, relation=relation)
    return str(made["item"])


def derive_item(
    driver: Driver, who: str, item: str, original: str, removed: Sequence[str], to: str | None
) -> Answer:
    """Attest that an item was made from another, without these, marked for this party if for any."""
    with driver.gateway.engine.connect() as conn:
        digests = [uploads.sealed_item(conn, n).particulars.sha256 for n in (item, original)]
    act = Derive(
        new_id("drv"), item, digests[0], original, digests[1], "by hand", tuple(removed),
        "visible" if to else "none", to, (DerivationCheck("read again", True, "nothing left"),),
    )  # fmt: skip
    return driver.act(who, f"/v1/items/{item}/derivation", act, derive.attest, item)


# --- facts ------------------------------------------------------------------------------------------
def attest(
    driver: Driver,
    who: str,
    fact: str,
    value: Json,
    jurisdiction: str,
    *,
    days: int = 30,
    case: str | None = None,
) -> str:
    name = new_id("att")
    act = Attest(
        name, fact, value, jurisdiction, EVIDENCE, today(driver), today(driver, days), case=case
    )
    driver.act(who, "/v1/attestations", act, facts.attest)
    return name


def end_attestation(driver: Driver, who: str, name: str) -> Answer:
    act = EndAttestation(name, "withdrawn by the ministry")
    return driver.act(who, f"/v1/attestations/{name}/end", act, facts.end, name)


# --- shares -----------------------------------------------------------------------------------------
def package(
    driver: Driver,
    who: str,
    items: Sequence[str],
    *,
    rfa_id: str | None = None,
    case: str = "case-1",
    product: Product = Product.EVIDENCE,
) -> str:
    name = new_id("pkg")
    basis = (
        Basis("requested", "criminal", case, rfa=rfa_id)
        if rfa_id
        else Basis("proactive", "criminal", case, rationale="It shows a chain of command")
    )
    act = MakePackage(name, product, basis, tuple(items), "A note")
    driver.act(who, "/v1/packages", act, propose.make_package)
    return name


def offer(driver: Driver, who: str, package_id: str, authority: str) -> Answer:
    act = Propose(new_id("shr"), package_id, authority)
    return driver.act(who, "/v1/shares", act, propose.propose)


def shown(driver: Driver, share: str) -> Answer:
    return propose.show(driver.gateway, share)


def _items(said: Answer) -> tuple[ReleaseItem, ...]:
    return build(said["items"], tuple[ReleaseItem, ...])


def basis_of(said: Answer, what: str) -> str:
    """Return the basis on which a share asks for a clearance; of what it does not ask for, some digest."""
    bases: Any = said["bases"]
    return str(bases.get(what, "00" * 32))


def approve(
    driver: Driver, who: str, share: str, role: Role, *, basis: str | None = None
) -> Answer:
    said = shown(driver, share)
    held = basis or basis_of(said, f"approval:{role.value}")
    act = Approve(new_id("clr"), share, str(said["recipient"]), role, held, _items(said))
    return driver.act(who, f"/v1/shares/{share}/approvals", act, clear.clear, share)


def consult(driver: Driver, who: str, share: str, whom: str = "source") -> Answer:
    said = shown(driver, share)
    act = Consult(
        new_id("clr"), share, str(said["recipient"]), whom, "cd" * 32,
        basis_of(said, f"consultation:{whom}"), _items(said),
    )  # fmt: skip
    return driver.act(who, f"/v1/shares/{share}/approvals", act, clear.clear, share)


def release_order(driver: Driver, share: str) -> Release:
    said = shown(driver, share)
    return Release(share, str(said["recipient"]), _items(said))


def release_share(driver: Driver, who: str, share: str) -> Answer:
    act = release_order(driver, share)
    return driver.act(who, f"/v1/shares/{share}/release", act, release.release, share)


def recall(driver: Driver, who: str, share: str) -> Answer:
    act = Recall(share, Ask.SEQUESTER, f"a reason that stays inside, of {driver.now}")
    return driver.act(who, f"/v1/shares/{share}/recall", act, release.recall, share)
