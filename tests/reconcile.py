"""The books balanced: every row of a gateway's tables against the ledger, both ways, and the ledger itself.

`check` raises AssertionError naming the first thing that does not add up. It reads the database alone and
changes nothing, so that it can follow any test, and any crash.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, select

from gateway.exchange import rfas as rfa_life
from gateway.exchange import shares as share_life
from gateway.exchange.acts import act_of
from gateway.exchange.entries import OF_STEP
from gateway.exchange.life import advance
from gateway.exchange.messages import About, Message, open_message
from gateway.exchange.parties import Use
from gateway.exchange.rfas import Step as RfaStep
from gateway.exchange.shares import State as ShareState
from gateway.kernel.encoding import Json, hex_sha256, parse_json
from gateway.kernel.time import exact
from gateway.store import tables
from gateway.workflows.gateway import Gateway
from tests.books import Books, Told, read_ledger

_RECEIPT = {"pulled", "verified", "opened", "accepted", "rejected"}
_TOLD = {
    RfaStep.CONFIRM: About.RFA_REGISTERED,
    RfaStep.REGISTER: About.RFA_REGISTERED,
    RfaStep.ASK: About.RFA_QUESTION,
    RfaStep.TELL: About.RFA_NOTE,
    RfaStep.EXTEND: About.RFA_EXTENDED,
    RfaStep.ANSWER: About.RFA_ANSWERED,
    RfaStep.DECLINE: About.RFA_DECLINED,
    RfaStep.REOPEN: About.RFA_REOPENED,
    RfaStep.CLOSE: About.RFA_CLOSED,
    **dict.fromkeys(
        (RfaStep.RECEIVE, RfaStep.REPLY, RfaStep.INFORM, RfaStep.WITHDRAW), About.RFA_RECEIVED
    ),
}
"""What the authority is told of each step; of the others it is told nothing."""


def check(gateway: Gateway) -> Counter[str]:
    """Check everything; return how many entries of each kind there are."""
    with gateway.engine.connect() as conn:
        return check_on(gateway, conn)


def check_on(gateway: Gateway, conn: Connection) -> Counter[str]:
    """Check what this connection sees."""
    books = Books(conn, read_ledger(gateway, conn))
    _shares(books)
    _keys(books)
    _servings(books)
    _rfas(books)
    _facts(books)
    _withheld(books)
    _sets(books)
    _inbox(gateway, books)
    _nothing_left(books)
    return +Counter({kind: len(found) for kind, found in books.kinds.items()})


def _nothing_left(books: Books) -> None:
    """Every entry has its row, but those that record what left no row by its nature."""
    rowless = {"refused", "unauthenticated", "head.accepted", "policy.refused"}
    for told in books.entries.values():
        if told.kind not in rowless:
            assert told.id in books.claimed, f"{told.kind} {told.id} has no row"


# --- shares -----------------------------------------------------------------------------------------
def _shares(books: Books) -> None:
    lives: dict[str, list[Row[Any]]] = defaultdict(list)
    for event in books.rows(tables.share_events):
        lives[event.share].append(event)
    shares = {row.id: row for row in books.rows(tables.shares)}
    assert set(lives) == set(shares), "a share without a life, or a life without a share"
    steps = {(at, state) for (at, _), state in share_life.TRANSITIONS.items()}
    for name, events in lives.items():
        state = None
        for n, event in enumerate(sorted(events, key=lambda e: int(e.n))):
            assert event.n == n, f"{name}: event {n} is missing"
            new = ShareState(event.state)
            assert (state, new) in steps, f"{name}: {state} -> {new}"
            _share_event(books, event, first=n == 0)
            state = new
        assert shares[name].state == state, f"{name} is {shares[name].state}, its life says {state}"
    _decisions(books)
    _clearances(books)
    _suspensions(books)
    _receipts(books)
    _signed_terms(books)
    _prepared(books, shares)


def _share_event(books: Books, event: Row[Any], *, first: bool) -> None:
    decided = {"proposed", "held", "denied"}
    if event.state in _RECEIPT:
        kind = "receipt"
    elif event.state in decided:
        kind = "share.proposed" if first else "share.decided"
    else:
        kind = f"share.{event.state}"
    said = {"subject": event.share, "actor": event.actor, "order": event.order_digest}
    told = books.claim(event.entry, [kind], **said, time=exact(event.at))
    expected = {"proposed": "permit", "held": "hold", "denied": "deny", "released": "permit"}
    if event.state in expected:
        assert told["outcome"] == expected[event.state], f"{event.state} on {told['outcome']}"
        assert told["decision"], f"{kind} without a decision"
    if event.state in _RECEIPT:
        assert told["outcome"] == event.state


def _decisions(books: Books) -> None:
    """What an entry says was decided is kept, and what is kept was entered.

    An approval that leaves a share held changes neither outcome nor state: its own entry speaks for it.
    """
    kept: dict[tuple[str, str], Row[Any]] = {}
    by_share: dict[str, list[int]] = defaultdict(list)
    for row in books.rows(tables.decisions):
        assert row.digest == hex_sha256(row.data)
        kept[row.share, row.digest] = row
        by_share[row.share].append(row.n)
    for name, numbers in by_share.items():
        assert sorted(numbers) == list(range(len(numbers))), f"{name}: a decision is missing"
    entered = set()
    for told in books.entries.values():
        if told["decision"] is not None:
            key = str(told["subject"]), str(told["decision"])
            assert key in kept, f"{told.kind} {told.id} rests on a decision that nobody kept"
            entered.add(key)
    cleared = {
        (told["subject"], told["time"])
        for kind in ("share.approved", "share.consulted")
        for told in books.kinds[kind]
    }
    for key, row in kept.items():
        spoken = row.stage == "approve" and (row.share, exact(row.at)) in cleared
        assert key in entered or spoken, f"the decision at {row.stage} of {row.share} has no entry"


def _clearances(books: Books) -> None:
    orders = {k: books.by(k, "order") for k in ("share.approved", "share.consulted")}
    for row in books.rows(tables.clearances):
        kind = "share.approved" if row.role.startswith("approval:") else "share.consulted"
        told = orders[kind][row.order_digest]
        books.claim(told.id, [kind], subject=row.share, actor=row.person, outcome=row.role)


def _suspensions(books: Books) -> None:
    stands: dict[str, bool] = {}
    for row in sorted(books.rows(tables.suspensions), key=lambda r: (r.share, int(r.n))):
        kind = "share.suspended" if row.suspended else "share.resumed"
        books.claim(row.entry, [kind], subject=row.share, time=exact(row.at))
        assert stands.get(row.share, False) is not row.suspended, f"{row.share}: {kind} twice"
        stands[row.share] = row.suspended


def _receipts(books: Books) -> None:
    """Each receipt is the body of the order that its entry names, and the share took its rung.

    Or it had expired before, and stayed so.
    """
    events = {(e.share, e.state): e for e in books.rows(tables.share_events)}
    bodies = {o.digest: o.body for o in books.rows(tables.orders)}
    rows = books.rows(tables.receipts)
    assert len(rows) == len(books.kinds["receipt"])
    for row in rows:
        assert row.digest == hex_sha256(row.container)
        if (row.share, row.rung) not in events:
            assert (row.share, "expired") in events, f"{row.id} moved nothing"
            _entry_of(books, "receipt", row, bodies)
            continue
        event = events[row.share, row.rung]
        assert bodies[event.order_digest] == row.container
        assert event.actor == row.actor


def _entry_of(books: Books, kind: str, row: Row[Any], bodies: Mapping[str, bytes]) -> None:
    """Claim the one entry whose order is what somebody of the recipient signed and sent."""
    (told,) = [t for t in books.kinds[kind] if bodies.get(str(t["order"])) == row.container]
    books.claim(told.id, [kind], subject=row.share, actor=row.actor, time=exact(row.at))


def _signed_terms(books: Books) -> None:
    """Each acceptance of terms is the body of the order that its entry names, one for a share."""
    bodies = {o.digest: o.body for o in books.rows(tables.orders)}
    rows = books.rows(tables.signed_terms)
    assert len(rows) == len(books.kinds["share.terms_signed"])
    for row in rows:
        assert row.digest == hex_sha256(row.container)
        _entry_of(books, "share.terms_signed", row, bodies)


def _prepared(books: Books, shares: Mapping[str, Row[Any]]) -> None:
    """Whatever was prepared has its manifest, a header for each item, and keys; nothing else has.

    What was wrapped anew has as many more of both; a header that was deleted has a row that says so.
    """
    prepared = {e.share for e in books.rows(tables.share_events) if e.state == "prepared"}
    manifests = {(row.share, row.seq): row for row in books.rows(tables.manifests)}
    made = {(name, 0) for name in prepared} | _rewrapped(books, manifests)
    assert set(manifests) == made
    assert {row.share for row in books.rows(tables.share_keys)} == prepared
    items: dict[str, set[str]] = defaultdict(set)
    for row in books.rows(tables.package_items):
        items[row.package].add(row.item)
    headers: dict[tuple[str, int], set[str]] = defaultdict(set)
    for row in books.rows(tables.headers):
        assert row.digest == hex_sha256(row.data)
        headers[row.share, row.seq].add(row.item)
    wrapped: dict[tuple[str, int], set[str]] = defaultdict(set)
    introduced = {row.key for row in books.rows(tables.introduced_keys)}
    where = {}
    for row in books.rows(tables.wrappings):
        assert row.key in introduced, "a header was wrapped to a key that nobody introduced"
        wrapped[row.share, row.seq].add(row.item)
        where[row.share, row.n, row.seq] = row.item
    for row in _deleted(books):
        headers[row.share, row.seq].add(where[row.share, row.n, row.seq])
    assert headers == wrapped == {one: items[shares[one[0]].package] for one in made}
    for told in books.kinds["share.available"]:
        assert told["content"] == {"manifest": manifests[str(told["subject"]), 0].digest}


def _rewrapped(books: Books, manifests: Mapping[tuple[str, int], Row[Any]]) -> set[tuple[str, int]]:
    """Each re-wrap has its entry, which names the new manifest and the one before."""
    rows = books.rows(tables.share_rewraps)
    assert len(rows) == len(books.kinds["share.rewrapped"])
    for row in rows:
        said = {"subject": row.share, "actor": row.actor, "order": row.order_digest}
        told = books.claim(row.entry, ["share.rewrapped"], **said, time=exact(row.at))
        assert told["content"] == {
            "manifest": manifests[row.share, row.seq].digest,
            "replaces": manifests[row.share, row.seq - 1].digest,
            "rewrap": row.seq,
        }
    return {(row.share, row.seq) for row in rows}


def _deleted(books: Books) -> list[Row[Any]]:
    """Each deleted header is named by an entry, and was never served."""
    rows = books.rows(tables.header_deletions)
    served = {(row.share, row.n, row.seq) for row in books.rows(tables.servings)}
    named: dict[str, set[int]] = defaultdict(set)
    for row in rows:
        assert (row.share, row.n, row.seq) not in served, "a header was deleted that was fetched"
        named[row.entry].add(row.n)
    for entry, numbers in named.items():
        content = books.claim(entry, ["header.deleted"])["content"]
        assert isinstance(content, dict)
        assert content["n"] == sorted(numbers)
    return rows


def _keys(books: Books) -> None:
    """Each challenge, answer and confirmation has its entry; a confirmed key has two persons."""
    for kind, table, name in (
        ("key.challenged", tables.key_challenges, "id"),
        ("key.proved", tables.key_proofs, "challenge"),
    ):
        entries = books.by(kind, "subject")
        rows = books.rows(table)
        assert {getattr(row, name) for row in rows} == set(entries)
        for row in rows:
            books.claim(entries[getattr(row, name)].id, [kind], time=exact(row.at))
    persons: dict[str, set[str]] = defaultdict(set)
    keys = {row.id: row.key for row in books.rows(tables.key_challenges)}
    for row in books.rows(tables.key_confirmations):
        books.claim(row.entry, ["key.confirmed"], subject=row.challenge, actor=row.person)
        persons[keys[row.challenge]].add(row.person)
    for row in books.rows(tables.introduced_keys):
        assert row.how == "founding" or len(persons[row.key]) >= 2, "one person introduced a key"


def _servings(books: Books) -> None:
    """A range is authorised once, and ended once if it has ended."""
    ends: dict[Json, list[Told]] = defaultdict(list)
    for kind in ("range.finished", "range.interrupted"):
        for told in books.kinds[kind]:
            ends[told["cause"]].append(told)
    released = {
        e.share: books.entries[e.entry].index
        for e in books.rows(tables.share_events)
        if e.state == "released"
    }
    for row in books.rows(tables.servings):
        said = books.claim(row.entry, ["range.authorised"], subject=row.share)
        assert said["content"] == {"n": row.n, "first": row.first, "end": row.end}
        assert said["decision"], "a range was served without a decision"
        assert released[row.share] < said.index, "a range was served before its release"
        ended = ends.pop(row.entry, [])
        assert len(ended) == (row.state != "open"), f"{row.id} ended {len(ended)} times"
        for told in ended:
            books.claim(told.id, [f"range.{row.state}"], subject=row.share)
            assert told.index > said.index
    assert not ends, "a range ended that was never authorised"


# --- RFAs -------------------------------------------------------------------------------------------
def _rfas(books: Books) -> None:
    lives: dict[str, list[Row[Any]]] = defaultdict(list)
    for event in books.rows(tables.rfa_events):
        lives[event.rfa].append(event)
    rfas = {row.id: row for row in books.rows(tables.rfas)}
    assert set(lives) == set(rfas)
    for name, events in lives.items():
        state = None
        for n, event in enumerate(sorted(events, key=lambda e: int(e.n))):
            assert event.n == n, f"{name}: event {n} is missing"
            step = RfaStep(event.step)
            state = advance(rfa_life.TRANSITIONS, state, step, "an RFA")
            assert event.state == state
            said = {"subject": name, "actor": event.actor, "order": event.order_digest}
            told = books.claim(event.entry, [OF_STEP[step].value], **said, time=exact(event.at))
            if told.kind == "rfa.registered":
                content = told["content"]
                assert isinstance(content, dict)
                assert content["investigation"] == rfas[name].investigation
                assert content["origin"] == rfas[name].origin
        assert rfas[name].state == state
    _assessments(books)


def _assessments(books: Books) -> None:
    orders = books.by("rfa.assessed", "order")
    rows = books.rows(tables.assessments)
    assert len(rows) == len(orders)
    for row in rows:
        told = orders[row.order_digest]
        assert told["subject"] == row.rfa
        assert told["outcome"] == ("met" if row.met else "not met")


# --- facts, items, history, sets ----------------------------------------------------------------------
def _facts(books: Books) -> None:
    made = (
        (tables.items, "item.deposited", "id"),
        (tables.packages, "package.made", "id"),
        (tables.attestations, "fact.attested", "id"),
        (tables.attestation_ends, "fact.ended", "attestation"),
    )
    for table, kind, name in made:
        entries = books.by(kind, "subject")
        for row in books.rows(table):
            subject = getattr(row, name)
            assert subject in entries, f"{table.name} {subject} has no entry"
            books.claim(
                entries[subject].id, [kind], actor=row.actor, order=row.order_digest,
                time=exact(row.at),
            )  # fmt: skip
    orders = books.by("item.amended", "order")
    for row in books.rows(tables.amendments):
        books.claim(orders[row.order_digest].id, ["item.amended"], subject=row.item)
    derived = books.by("item.derived", "order")
    for row in books.rows(tables.derivatives):
        said = books.claim(
            derived[row.order_digest].id, ["item.derived"], subject=row.item, actor=row.actor,
            time=exact(row.at), recipient=None,
        )["content"]  # fmt: skip
        assert said == {"original": row.original, "attestation": hex_sha256(row.attestation)}
    for row in books.rows(tables.declared):
        data = parse_json(row.data)
        said = books.claim(row.entry, [f"declared.{row.kind}"], subject=row.declaration)["content"]
        assert isinstance(said, dict)
        assert {key: value for key, value in said.items() if key != "file"} == data


def _withheld(books: Books) -> None:
    """What is kept back, and each review of it, has its entry, and its authority may open neither."""
    rows = {row.id: row for row in books.rows(tables.withheld)}
    for row in rows.values():
        told = books.claim(
            row.entry, ["item.withheld"], subject=row.item, outcome=row.cause, recipient=None,
            time=exact(row.at),
        )  # fmt: skip
        assert told["content"] == {
            "withheld": row.id, "rfa": row.rfa, "from": row.recipient, "case": row.reference,
            "share": row.share, "why": parse_json(row.reasons), "exculpatory": row.exculpatory,
            "reviewer": row.reviewer,
        }  # fmt: skip
        assert str(told["cause"]) in books.entries, "what kept it back is in no ledger"
        assert row.reviewer != row.proposer
    for row in books.rows(tables.withheld_reviews):
        one = rows[row.withheld]
        told = books.claim(
            row.entry, ["withheld.reviewed"], subject=row.withheld, outcome=row.finding,
            actor=row.actor, order=row.order_digest, cause=one.entry, recipient=None,
            time=exact(row.at),
        )  # fmt: skip
        assert told["content"] == {"review": row.id, "reason": row.reason.decode()}
        assert row.actor != one.proposer


def _sets(books: Books) -> None:
    """Sets came into force one after another, each with the entry that says so."""
    for table, kind in (
        (tables.directory_sets, "directory.accepted"),
        (tables.policy_sets, "policy.accepted"),
    ):
        entries = sorted(books.kinds[kind], key=lambda told: told.index)
        rows = sorted(books.rows(table), key=lambda row: int(row.number))
        for told, row in zip(entries, rows, strict=True):
            books.claim(told.id, [kind], time=exact(row.at))
            content = told["content"]
            assert isinstance(content, dict)
            assert row.digest in (content.get("digest"), content.get("manifest"))
    _bundles(books)


def _bundles(books: Books) -> None:
    """Each policy set is kept with its signatures and files; each sign-off has its entry."""
    numbers = {row.number: row.digest for row in books.rows(tables.policy_sets)}
    kept = {row.number: row.manifest_digest for row in books.rows(tables.policy_bundles)}
    assert numbers == kept, "a set without its files"
    entries = books.by("policy.signed_off", "subject")
    for row in books.rows(tables.policy_signoffs):
        said = {"actor": row.person, "order": row.order_digest, "time": exact(row.at)}
        books.claim(entries[row.id].id, ["policy.signed_off"], **said)


# --- what authorities were told -----------------------------------------------------------------------
def _inbox(gateway: Gateway, books: Books) -> None:
    """Each inbox is numbered without a gap, and holds exactly what happened to its own."""
    directory = gateway.sets.directory
    mechanism = directory.mechanism()
    boxes: dict[str, list[Message]] = defaultdict(list)
    for row in sorted(books.rows(tables.messages), key=lambda r: (r.recipient, int(r.seq))):
        keys = directory.verify_keys(mechanism, Use.MANIFEST, row.at)
        message = open_message(row.container, keys, to=row.recipient)
        assert (message.seq, message.id) == (row.seq, row.id)
        boxes[row.recipient].append(message)
    for recipient, box in boxes.items():
        assert [m.seq for m in box] == list(range(1, len(box) + 1)), f"a gap for {recipient}"
    told = Counter((to, m.share or m.rfa, m.about) for to, box in boxes.items() for m in box)
    assert told == _owed(books)


def _after_the_end(books: Books, expired: set[str]) -> list[Told]:
    """Claim the recalls of shares that had expired: these ask for copies and move nothing."""
    found = [told for told in books.kinds["share.recalled"] if told["subject"] in expired]
    for told in found:
        books.claim(told.id, ["share.recalled"])
    return found


def _owed(books: Books) -> Counter[tuple[str, str | None, About]]:
    recipients = {row.id: row.recipient for row in books.rows(tables.shares)}
    events = books.rows(tables.share_events)
    offered = {e.share for e in events if e.state == "available"}
    recalled = {e.share for e in events if e.state == "recalled"} & offered
    expired = {e.share for e in events if e.state == "expired"} & offered
    recalled |= {str(told["subject"]) for told in _after_the_end(books, expired)}
    owed: Counter[tuple[str, str | None, About]] = Counter()
    owed.update((recipients[s], s, About.SHARE_AVAILABLE) for s in offered)
    owed.update((recipients[s], s, About.SHARE_RECALLED) for s in recalled)
    owed.update((recipients[s], s, About.SHARE_EXPIRED) for s in expired)
    again = (row.share for row in books.rows(tables.share_rewraps))
    owed.update((recipients[s], s, About.SHARE_REWRAPPED) for s in again)
    authorities = {row.id: row.authority for row in books.rows(tables.rfas)}
    for event in books.rows(tables.rfa_events):
        about = _TOLD.get(RfaStep(event.step))
        if about is not None:
            owed[authorities[event.rfa], event.rfa, about] += 1
    return owed


def released(gateway: Gateway) -> dict[str, str]:
    """Return every share that was released with its recipient, from the orders that people signed."""
    with gateway.engine.connect() as conn:
        e, o = tables.share_events, tables.orders
        joined = e.join(o, o.c.digest == e.c.order_digest)
        query = select(e.c.share, o.c.body).select_from(joined).where(e.c.state == "released")
        acts = {row.share: act_of(row.body) for row in conn.execute(query)}
    return {share: str(getattr(act, "recipient", "")) for share, act in acts.items()}
