"""Acts: what each kind must look like, and how a body is read."""

from typing import Any

import msgspec
import pytest

from gateway.exchange import acts
from gateway.exchange.acts import act_of
from gateway.exchange.parse import build, decode, plain
from gateway.kernel.encoding import canonical_json
from gateway.kernel.errors import MalformedError
from tests.exchange.examples import DIGEST, GOOD, PARTICULARS, RELEASED, body
from tests.exchange.world import ident


@pytest.mark.parametrize("kind", sorted(GOOD))
def test_every_kind_of_act_is_read_and_written_alike(kind: str) -> None:
    act = act_of(body(kind))
    assert type(act) in acts.RIGHTS
    assert act_of(canonical_json({"act": plain(act), "sig2": None})) == act


def test_there_is_a_right_for_every_act_and_an_example_of_it() -> None:
    assert {type(act_of(body(kind))) for kind in GOOD} == set(acts.RIGHTS)


def nested(field: str, **changes: Any) -> dict[str, Any]:
    return {field: {**PARTICULARS, **changes}}


def relation(kind: str, of: str | None) -> dict[str, Any]:
    return nested("particulars", relation={"kind": kind, "of": of})


def basis(**changes: Any) -> dict[str, Any]:
    return {"basis": {**GOOD["package"]["basis"], **changes}}


def unasked(rationale: str) -> dict[str, Any]:
    return basis(mode="proactive", rfa=None, rationale=rationale)


ITEM = ident("itm", 1)


@pytest.mark.parametrize(
    ("kind", "changes", "says", "field"),
    [
        ("upload", {"id": ident("itm", 1)}, "starting with upl", "/act"),
        ("upload", {"size": -1}, "between 0 and", "/act"),
        ("upload", {"size": (1 << 50) + 1}, "between 0 and", "/act"),
        ("upload", {"size": True}, "expected `int`", "/act/size"),
        ("upload", {"suite": "rot13"}, "invalid enum", "/act/suite"),
        ("upload", {"more": 1}, "unknown field", "/act"),
        ("complete", {"handling": ""}, "handling has 1 to 64", "/act"),
        ("complete", {"handling": "x" * 65}, "handling has 1 to 64", "/act"),
        ("complete", {"parts": ["X"]}, "64 lower-case hex", "/act"),
        ("complete", nested("particulars", sha256="x"), "64 lower-case", "/act/particulars"),
        ("complete", nested("particulars", media_type=""), "media_type", "/act/particulars"),
        ("complete", nested("particulars", evidence_number="x" * 256), "evidence", "/act/part"),
        ("complete", nested("particulars", size=-1), "between 0 and", "/act/particulars"),
        ("complete", nested("particulars", name="/etc"), "relative path", "/act/particulars"),
        ("complete", relation("original", ITEM), "names the other item", "/act/particulars/rel"),
        ("complete", relation("copy", None), "names the other item", "/act/particulars/rel"),
        ("complete", relation("copy", "itm_x"), "not an id", "/act/particulars/relation"),
        ("deposit", {"item": "itm_"}, "not an id", "/act"),
        ("deposit", {"body_size": -1}, "between 0 and", "/act"),
        ("deposit", {"size": -1}, "between 0 and", "/act"),
        *(("deposit", {n: "F" * 64}, "hex", "/act") for n in ("vault_header", "body")),
        *(("deposit", {n: "F" * 64}, "hex", "/act") for n in ("facts", "particulars")),
        ("package", {"items": []}, "1 to 1000 different items", "/act"),
        ("package", {"items": [ITEM, ITEM]}, "1 to 1000 different items", "/act"),
        ("package", {"items": ["itm_" + "a" * 25]}, "not an id", "/act"),
        ("package", {"note": "x" * 4001}, "at most 4000 characters", "/act"),
        ("package", {"product": "gossip"}, "invalid enum", "/act/product"),
        ("package", basis(mode="proactive"), "requested package names", "/act/basis"),
        ("package", basis(rfa=None), "requested package names", "/act/basis"),
        ("package", basis(rationale="y"), "proactive package has", "/act/basis"),
        ("package", basis(mode="proactive", rfa=None), "proactive package has", "/act/basis"),
        ("package", basis(rfa=""), "starting with rfa", "/act/basis"),
        ("package", basis(rfa="RFA-2026-014"), "starting with rfa", "/act/basis"),
        ("package", basis(rfa=ITEM), "starting with rfa", "/act/basis"),
        ("package", unasked(""), "rationale has 1 to 4000", "/act/basis"),
        ("package", unasked("x" * 4001), "rationale has 1 to 4000", "/act/basis"),
        ("package", basis(purpose=""), "purpose has 1 to 64", "/act/basis"),
        ("package", basis(case="x" * 129), "case has 1 to 128", "/act/basis"),
        ("propose", {"share": ITEM}, "starting with shr", "/act"),
        ("propose", {"package": ITEM}, "starting with pkg", "/act"),
        ("propose", {"recipient": ITEM}, "starting with pty", "/act"),
        ("approve", {"basis": ""}, "hex", "/act"),
        ("approve", {"id": ITEM}, "starting with clr", "/act"),
        ("approve", {"share": ITEM}, "starting with shr", "/act"),
        ("approve", {"recipient": ITEM}, "starting with pty", "/act"),
        ("approve", {"role": "king"}, "invalid enum", "/act/role"),
        ("consult", {"id": ITEM}, "starting with clr", "/act"),
        ("consult", {"share": ITEM}, "starting with shr", "/act"),
        ("consult", {"recipient": ITEM}, "starting with pty", "/act"),
        ("consult", {"whom": ""}, "whom has 1 to 64", "/act"),
        ("consult", {"whom": "x" * 65}, "whom has 1 to 64", "/act"),
        ("consult", {"evidence": "see file"}, "hex", "/act"),
        ("consult", {"basis": ""}, "hex", "/act"),
        ("consult", {"items": [{**RELEASED, "item": "x"}]}, "starting with itm", "/act/items/0"),
        ("release", {"items": []}, "at least one item", "/act"),
        ("release", {"share": ITEM}, "starting with shr", "/act"),
        ("release", {"recipient": ITEM}, "starting with pty", "/act"),
        ("release", {"items": [{**RELEASED, "item": "x"}]}, "starting with itm", "/act/items/0"),
        ("release", {"items": [{**RELEASED, "body": "x"}]}, "hex", "/act/items/0"),
        ("release", {"items": [{**RELEASED, "vault_header": "x"}]}, "hex", "/act/items/0"),
        ("recall", {"share": ITEM}, "starting with shr", "/act"),
        ("recall", {"ask": "destroy"}, "invalid enum", "/act/ask"),
        ("recall", {"reason": ""}, "reason has 1 to 4000", "/act"),
        ("policy.activate", {"number": 0}, "between 1 and", "/act"),
        ("policy.activate", {"files": {}}, "a policy set has files", "/act"),
        ("policy.activate", {"files": {"/a.yaml": ""}}, "relative path", "/act"),
        ("policy.preview", {"manifest": "{}", "files": {}}, "comes with its files", "/act"),
        ("policy.signoff", {"id": ITEM}, "starting with sgn", "/act"),
        ("policy.signoff", {"manifest": "x"}, "hex", "/act"),
        ("policy.signoff", {"flips": "x"}, "hex", "/act"),
        ("accept-head", {"reason": "x" * 4001}, "reason has 1 to 4000", "/act"),
        ("accept-head", {"size": 0}, "a size above 0", "/act"),
        ("accept-head", {"root": "A" * 42}, "root in base64url", "/act"),
    ],
)
def test_an_act_of_another_form_is_malformed_and_says_where(
    kind: str, changes: dict[str, Any], says: str, field: str
) -> None:
    with pytest.raises(MalformedError, match=says) as caught:
        act_of(body(kind, **changes))
    assert caught.value.field.startswith(field)


def test_a_proactive_package_has_a_rationale_and_no_request() -> None:
    made = act_of(body("package", **basis(mode="proactive", rfa=None, rationale="the trial opens")))
    assert isinstance(made, acts.MakePackage)
    assert (made.basis.rfa, made.basis.rationale) == (None, "the trial opens")


def test_a_copy_names_the_item_it_is_of() -> None:
    made = act_of(body("complete", **relation("copy", ITEM)))
    assert isinstance(made, acts.Complete)
    assert made.particulars.relation.of == ITEM


def test_there_is_a_limit_of_items_and_of_parts() -> None:
    items = [ident("itm", n) for n in range(1001)]
    assert act_of(body("package", items=items[:1000]))
    with pytest.raises(MalformedError, match="1 to 1000"):
        act_of(body("package", items=items))
    with pytest.raises(MalformedError, match="at most 100000 parts"):
        act_of(body("complete", parts=[DIGEST] * 100_001))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b'{"act":{},"sig2":null}',
        b'{"act":{"type":"delete"},"sig2":null}',
        b'{"act":null,"sig2":null}',
        body("recall").replace(b',"sig2":null', b""),
        body("recall").replace(b'"sig2"', b'"sig3"'),
        body("recall").replace(b'"ask"', b'"ask":"sequester","ask"'),
    ],
)
def test_a_body_without_one_known_act_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        act_of(data)


def test_the_place_of_a_mistake_is_named() -> None:
    with pytest.raises(MalformedError) as caught:
        decode(b'{"kind":1,"of":null}', acts.Relation)
    assert caught.value.field == "/kind"
    with pytest.raises(MalformedError) as caught:
        build([], acts.Relation)
    assert caught.value.field == "/"


def test_only_a_structure_becomes_plain_members() -> None:
    assert plain(acts.Relation()) == {"kind": "original", "of": None}
    with pytest.raises(MalformedError, match="not a structure"):
        plain([msgspec.UNSET, 1][1:])
