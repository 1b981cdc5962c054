"""Whatever is changed of what was signed and sealed, no plaintext reaches its final place.

The recipient's own functions, in the order of a pull, over files; nothing is sent. What a line or a disk
may do to a share is done to it: every bit, every cut, pieces of other items and of other shares.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.client import pull
from gateway.client.arrived import Arrived, _line, _state
from gateway.envelope import (
    Identity,
    PartDigests,
    Suite,
    new_file_key,
    new_nonce,
    parts,
    seal_body,
    seal_bytes,
    unseal_bytes,
    wrap,
)
from gateway.exchange.body_parts import BodyParts
from gateway.exchange.deposit_acts import Particulars
from gateway.exchange.manifest import (
    Inner,
    Manifest,
    OpenItem,
    SealedItem,
    check_inner_digest,
    open_inner,
    open_manifest,
    sign_manifest,
)
from gateway.exchange.parse import plain
from gateway.kernel.encoding import b64url, canonical_json, hex_sha256
from gateway.kernel.errors import GatewayError, VerificationError
from gateway.kernel.ids import new_id
from gateway.kernel.signing import KeySigner, thumbprint
from tests.envelope.test_unit_body import Trickle

PART = 40_000  # bytes, for bodies of one part and of several
SIGNER = KeySigner.from_seed(b"m" * 32)
KEYS = {thumbprint(SIGNER.public_key): SIGNER.public_key}
MINE = Identity(Suite.CLASSIC, b"i" * 32)
PARTY, OTHER_PARTY = new_id("pty"), new_id("pty")
TEXTS = (b"A statement.\n" * 9000, b"", b"x" * 65536, b"Another statement.\n" * 40)


@dataclass(frozen=True)
class Share:
    """A share as it lies at the gateway: signed manifest, sealed inner layer, header ‖ body of each item."""

    id: str
    container: bytes
    inner: bytes
    items: tuple[bytes, ...]


@dataclass(frozen=True)
class Body:
    """A body that is in several shares."""

    key: bytes
    data: bytes
    text: bytes


@pytest.fixture(autouse=True, scope="module")
def small_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PART", PART)
        yield


def sealed(text: bytes) -> Body:
    key = new_file_key()
    with tempfile.TemporaryFile() as sink:
        seal_body(key, new_nonce(), Trickle(text, 50_000), sink)
        sink.seek(0)
        return Body(key, sink.read(), text)


def digests(body: bytes) -> tuple[str, ...]:
    made = PartDigests()
    made.update(body)
    return made.digests()


def shared(bodies: list[Body], recipient: str = PARTY) -> Share:
    """Make a share as the gateway does."""
    share = new_id("shr")
    headers = [wrap(body.key, [MINE.recipient]) for body in bodies]
    listed = [(n, digests(body.data)) for n, body in enumerate(bodies)]
    named = [
        Particulars(f"{n}.txt", "text/plain", "E-1", len(b.text), hex_sha256(b.text))
        for n, b in enumerate(bodies)
    ]
    inner = Inner(
        share,
        recipient,
        tuple(OpenItem(n, said, {}) for n, said in enumerate(named)),
        {},
        {"mode": "proactive"},
        "",
        tuple(BodyParts(n, found) for n, found in listed if len(found) > 1) or msgspec.UNSET,
    )
    closed = seal_bytes(canonical_json(plain(inner)), [MINE.recipient])
    items = [
        SealedItem(n, hex_sha256(h), len(h), hex_sha256(b.data), len(b.data), len(b.text))
        for n, (h, b) in enumerate(zip(headers, bodies, strict=True))
    ]
    issued = "2026-11-25T10:00:00Z"
    outer = Manifest(1, share, recipient, issued, 1, "evidence", tuple(items), hex_sha256(closed))
    joined = tuple(h + b.data for h, b in zip(headers, bodies, strict=True))
    return Share(share, sign_manifest(outer, SIGNER), closed, joined)


def receive(got: Share, wanted: str, out: Path, *, believe: bool) -> None:
    """Do what a pull does with what arrived. *believe*: a state file says of every part that it holds."""
    manifest = open_manifest(got.container, KEYS, share=wanted, recipient=PARTY)
    check_inner_digest(manifest, got.inner)
    inner = open_inner(manifest, unseal_bytes(got.inner, [MINE]))
    work = out / "work"
    work.mkdir()
    for item, data in zip(manifest.items, got.items, strict=True):
        path, listed = work / f"{item.n}.age", inner.parts_of(item.n)
        path.write_bytes(data)
        if believe:
            pieces = enumerate(Arrived(work / "none", item, listed).pieces)
            _state(path).write_text("".join(_line(n, piece) for n, piece in pieces if n))
        if Arrived(path, item, listed).missing() is not None:
            raise VerificationError("something has to come again")
    pull._unpack(manifest, inner, [MINE], work, out / "final")


@contextmanager
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def refused(got: Share, wanted: str) -> None:
    """Assert that nothing of it gets its final name, whether or not the parts are believed."""
    for believe in (False, True):
        with place() as out:
            with pytest.raises(GatewayError):
                receive(got, wanted, out, believe=believe)
            assert not (out / "final").exists()


@pytest.fixture(scope="module")
def bodies(small_parts: None) -> list[Body]:
    return [sealed(text) for text in TEXTS]


@pytest.fixture(scope="module")
def share(bodies: list[Body]) -> Share:
    return shared(bodies)


def flipped(data: bytes, bit: int) -> bytes:
    at = bit // 8
    return data[:at] + bytes([data[at] ^ 1 << bit % 8]) + data[at + 1 :]


def with_item(share: Share, n: int, data: bytes) -> Share:
    return replace(share, items=(*share.items[:n], data, *share.items[n + 1 :]))


def with_layer(share: Share, layer: str, data: bytes) -> Share:
    return replace(share, container=data) if layer == "container" else replace(share, inner=data)


@pytest.mark.parametrize("believe", [False, True])
def test_what_was_signed_and_sealed_arrives(share: Share, believe: bool) -> None:
    with place() as out:
        receive(share, share.id, out, believe=believe)
        for n, text in enumerate(TEXTS):
            assert (out / "final" / f"{n}.txt").read_bytes() == text


@settings(max_examples=60)
@given(data=st.data())
def test_no_bit_of_the_manifest_can_be_changed(share: Share, data: st.DataObject) -> None:
    layer = data.draw(st.sampled_from(["container", "inner"]))
    whole: bytes = getattr(share, layer)
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    refused(with_layer(share, layer, flipped(whole, bit)), share.id)


@settings(max_examples=60)
@given(data=st.data())
def test_no_bit_of_a_header_or_body_can_be_changed(share: Share, data: st.DataObject) -> None:
    n = data.draw(st.integers(0, len(TEXTS) - 1))
    bit = data.draw(st.integers(0, 8 * len(share.items[n]) - 1))
    refused(with_item(share, n, flipped(share.items[n], bit)), share.id)


def test_no_bit_of_a_whole_header_can_be_changed(share: Share) -> None:
    manifest = open_manifest(share.container, KEYS, share=share.id, recipient=PARTY)
    small = share.items[1]
    for bit in range(0, 8 * (manifest.items[1].header_size + 32), 31):
        refused(with_item(share, 1, flipped(small, bit)), share.id)


@settings(max_examples=15)
@given(data=st.data())
def test_nothing_can_be_cut_off_or_added(share: Share, data: st.DataObject) -> None:
    n = data.draw(st.integers(0, len(TEXTS) - 1))
    whole = share.items[n]
    keep = data.draw(st.integers(1, len(whole) - 1))
    refused(with_item(share, n, whole[:keep]), share.id)
    refused(with_item(share, n, whole[keep:]), share.id)
    refused(with_item(share, n, b""), share.id)
    more = data.draw(st.binary(min_size=1, max_size=99))
    refused(with_item(share, n, more + whole), share.id)
    with place() as out:  # what lies behind the end is no part of the item, and is taken off
        receive(with_item(share, n, whole + more), share.id, out, believe=True)
        assert (out / "final" / f"{n}.txt").read_bytes() == TEXTS[n]
    for layer in ("container", "inner"):
        text: bytes = getattr(share, layer)
        refused(with_layer(share, layer, text[: len(text) * keep // len(whole)]), share.id)
        refused(with_layer(share, layer, text + more), share.id)


def test_items_and_their_parts_cannot_change_places(share: Share) -> None:
    for one in range(len(TEXTS)):
        for two in range(one):
            items = [*share.items]
            items[one], items[two] = items[two], items[one]
            refused(replace(share, items=tuple(items)), share.id)
    header = len(share.items[0]) - len(body_of(share.items[0]))
    body = share.items[0][header:]
    first, second, rest = body[:PART], body[PART : 2 * PART], body[2 * PART :]
    refused(with_item(share, 0, share.items[0][:header] + second + first + rest), share.id)


def body_of(item: bytes) -> bytes:
    """Return the body of an item of ours, whose header has one stanza of X25519."""
    return item[168:]


def test_nothing_of_another_share_can_be_spliced_in(share: Share, bodies: list[Body]) -> None:
    """Not even of the same item under the same file key, and not by who knows that key."""
    other = shared(bodies)
    co_recipient = sealed_again(bodies[0])
    for n in range(len(TEXTS)):
        refused(with_item(share, n, other.items[n]), share.id)
        head, body = share.items[n][:168], body_of(other.items[(n + 1) % len(TEXTS)])
        refused(with_item(share, n, head + body), share.id)
    forged = share.items[0][:168] + co_recipient
    refused(with_item(share, 0, forged), share.id)
    refused(replace(share, inner=other.inner), share.id)
    refused(replace(share, container=other.container), share.id)


def sealed_again(body: Body) -> bytes:
    """Make another body of the same size under the same key, as a co-recipient can."""
    with tempfile.TemporaryFile() as sink:
        seal_body(body.key, body.data[:16], Trickle(b"B" * len(body.text), 99_999), sink)
        sink.seek(0)
        return sink.read()


def test_a_manifest_cannot_be_replayed_for_another_share_or_party(bodies: list[Body]) -> None:
    one, two = shared(bodies), shared(bodies)
    refused(one, two.id)
    refused(shared(bodies, OTHER_PARTY), one.id)
    theirs = shared(bodies, OTHER_PARTY)
    refused(theirs, theirs.id)


@pytest.mark.parametrize("change", [lambda items: items[::-1], lambda items: items[:-1]])
def test_a_manifest_whose_items_are_in_another_order_is_none(
    share: Share, change: Callable[[tuple[SealedItem, ...]], tuple[SealedItem, ...]]
) -> None:
    manifest = open_manifest(share.container, KEYS, share=share.id, recipient=PARTY)
    other = plain(manifest) | {"items": [plain(i) for i in change(manifest.items)]}
    container = msgspec.json.decode(share.container)
    container["payload"] = b64url(canonical_json(other))
    refused(replace(share, container=canonical_json(container)), share.id)


def test_a_whole_digest_that_the_parts_do_not_make_is_refused(bodies: list[Body]) -> None:
    """Were the lists of parts and the digest of the whole at odds, the whole decides."""
    good = shared(bodies)
    manifest = open_manifest(good.container, KEYS, share=good.id, recipient=PARTY)
    wrong = msgspec.structs.replace(manifest.items[0], body=hashlib.sha256(b"other").hexdigest())
    changed = msgspec.structs.replace(manifest, items=(wrong, *manifest.items[1:]))
    with place() as out:
        with pytest.raises(VerificationError, match="item 0 is not what the manifest says"):
            receive(
                replace(good, container=sign_manifest(changed, SIGNER)),
                good.id,
                out,
                believe=False,
            )
        assert not (out / "final").exists()
