"""Lists of parts in the inner manifest: of the right bodies, of the right length, or refused."""

import msgspec
import pytest

from gateway.envelope import PART
from gateway.exchange.body_parts import MAX_BODY_PARTS, BodyParts, check_parts
from gateway.exchange.deposit_acts import Particulars
from gateway.exchange.manifest import Inner, Manifest, OpenItem, SealedItem, open_inner
from gateway.exchange.parse import build, plain
from gateway.kernel.encoding import canonical_json, hex_sha256
from gateway.kernel.errors import MalformedError, VerificationError
from gateway.kernel.ids import new_id

ONE, TWO = hex_sha256(b"1"), hex_sha256(b"2")
SIZES = [100, 2 * PART, 2 * PART + 1]


@pytest.mark.parametrize("digests", [[], [ONE], [ONE, "x"], [ONE, ONE.upper()]])
def test_a_list_has_several_digests(digests: list[str]) -> None:
    with pytest.raises(MalformedError):
        build({"n": 1, "sha256": digests}, BodyParts)


def test_a_list_has_an_end() -> None:
    build({"n": 0, "sha256": [ONE] * MAX_BODY_PARTS}, BodyParts)
    with pytest.raises(MalformedError, match=f"2 to {MAX_BODY_PARTS} digests"):
        build({"n": 0, "sha256": [ONE] * (MAX_BODY_PARTS + 1)}, BodyParts)


def test_lists_agree_with_the_sizes_of_the_bodies() -> None:
    check_parts([], SIZES)
    check_parts([BodyParts(2, (ONE, TWO, ONE))], SIZES)
    check_parts([BodyParts(1, (ONE, TWO)), BodyParts(2, (ONE, TWO, ONE))], SIZES)


@pytest.mark.parametrize(
    ("listed", "says"),
    [
        ([BodyParts(0, (ONE, TWO))], "on the parts"),
        ([BodyParts(2, (ONE, TWO))], "on the parts"),
        ([BodyParts(3, (ONE, TWO))], "in their order"),
        ([BodyParts(-1, (ONE, TWO, ONE))], "in their order"),
        ([BodyParts(1, (ONE, TWO)), BodyParts(1, (ONE, TWO))], "in their order"),
        ([BodyParts(2, (ONE, TWO, ONE)), BodyParts(1, (ONE, TWO))], "in their order"),
    ],
)
def test_lists_of_other_bodies_or_lengths_are_refused(listed: list[BodyParts], says: str) -> None:
    with pytest.raises(VerificationError, match=says):
        check_parts(listed, SIZES)


def test_an_inner_manifest_whose_parts_do_not_fit_the_outer_one_is_refused() -> None:
    share, party = new_id("shr"), new_id("pty")
    sealed = SealedItem(0, ONE, 168, TWO, 2 * PART, 2 * PART - 40_000)
    issued = "2026-11-25T10:00:00Z"
    outer = Manifest(1, share, party, issued, 1, "evidence", (sealed,), ONE)
    said = Particulars("a.bin", "application/octet-stream", "E-1", sealed.size, ONE)
    inner = Inner(share, party, (OpenItem(0, said, {}),), {}, {}, "", (BodyParts(0, (ONE, TWO)),))
    read = open_inner(outer, canonical_json(plain(inner)))
    assert read.parts_of(0) == (ONE, TWO)
    assert read.parts_of(1) == ()
    without = msgspec.structs.replace(inner, parts=msgspec.UNSET)
    assert open_inner(outer, canonical_json(plain(without))).parts_of(0) == ()
    wrong = msgspec.structs.replace(inner, parts=(BodyParts(0, (ONE, TWO, ONE)),))
    with pytest.raises(VerificationError, match="on the parts"):
        open_inner(outer, canonical_json(plain(wrong)))
