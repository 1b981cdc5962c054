"""Chains of re-wrap records: what leads from the deposit record's vault header to another, and what does not."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.exchange import acts
from gateway.exchange.directory import Directory
from gateway.exchange.entitlement import check_entitled
from gateway.exchange.parties import Key, Member, Status, Use
from gateway.exchange.rewraps import (
    MOST,
    TYP,
    Rewrap,
    SignedRewrap,
    active_vault,
    check_chain,
    epoch_of,
    first_epoch,
    path_of,
    read_rewrap,
    sign_rewrap,
    standing_rewrap_keys,
    vaults,
)
from gateway.kernel.encoding import hex_sha256
from gateway.kernel.errors import MalformedError, UnavailableError, VerificationError
from gateway.kernel.signing import sign
from tests.exchange.test_attacks import HEADER, ITEM, deposited, released
from tests.exchange.world import (
    AUDIENCE,
    AUTHORITY,
    BEGIN,
    END,
    MECHANISM,
    NOW,
    directory,
    ident,
    key,
    seconds,
    signer,
)

FIRST, SECOND = b"the header of the second epoch", b"the header of the third epoch"
EPOCHS = [epoch_of(f"age1pq1{n}") for n in range(3)]


def keyholder(status: Status = Status.ACTIVE, *vaults: Key, use: Use = Use.REWRAP) -> Directory:
    """Return the directory with a keyholder of the mechanism."""
    member = Member(ident("svc", 40), "keyholder", (), (key("keyholder", use, status), *vaults))
    return directory(replace(MECHANISM, members=(*MECHANISM.members, member)), AUTHORITY)


def record(old: bytes, new: bytes, n: int = 0, **changes: Any) -> Rewrap:
    said = {"item": ITEM, "old": hex_sha256(old), "new": hex_sha256(new)}
    return Rewrap(**{**said, "before": EPOCHS[n], "after": EPOCHS[n + 1], **changes})


def signed(made: Rewrap, by: str = "keyholder", at: datetime = NOW) -> SignedRewrap:
    return SignedRewrap(sign_rewrap(made, signer(by)), at)


CHAIN = (signed(record(HEADER, FIRST)), signed(record(FIRST, SECOND, 1), at=seconds(60)))


def entitled(
    *chain: SignedRewrap, header: bytes = SECOND, among: Directory | None = None
) -> acts.Deposit:
    return check_entitled(
        deposited(),
        released(),
        vault_header=header,
        recipient=AUTHORITY.id,
        audience=AUDIENCE,
        directory_at=lambda _: among or keyholder(),
        chain=chain,
    )


def test_a_chain_leads_from_the_deposit_record_to_the_header_of_today() -> None:
    """The orders go on naming the header that the depositor vouched for."""
    assert entitled(*CHAIN).vault_header == hex_sha256(HEADER)
    assert entitled(CHAIN[0], header=FIRST).item == ITEM
    assert entitled(header=HEADER).item == ITEM


def test_a_header_before_or_after_the_end_of_the_chain_is_refused() -> None:
    for chain, header in ((CHAIN, HEADER), (CHAIN, FIRST), (CHAIN[:1], SECOND), ((), FIRST)):
        with pytest.raises(VerificationError, match="not the one of the deposit record"):
            entitled(*chain, header=header)


def test_records_out_of_order_doubled_or_missing_are_refused() -> None:
    for chain in (CHAIN[::-1], (CHAIN[0], CHAIN[0]), CHAIN[1:]):
        with pytest.raises(VerificationError, match="from one header to the next"):
            entitled(*chain)


def test_a_record_of_another_item_is_refused() -> None:
    """The file key of one item, re-wrapped, must not pass for another's."""
    other = signed(record(HEADER, FIRST, item=ident("itm", 9)))
    with pytest.raises(VerificationError, match="another item"):
        entitled(other, header=FIRST)


@pytest.mark.parametrize("by", ["manifest", "checkpoint", "releaser", "nobody"])
def test_a_record_by_another_key_of_the_gateway_is_refused(by: str) -> None:
    """Who has the web process has its keys, and none of them makes a re-wrap record."""
    with pytest.raises(VerificationError, match="not signed by enough"):
        entitled(signed(record(HEADER, FIRST), by), header=FIRST)


def test_a_record_by_a_revoked_key_or_of_another_type_is_refused() -> None:
    with pytest.raises(VerificationError):
        entitled(*CHAIN, among=keyholder(Status.REVOKED))
    with pytest.raises(VerificationError):
        entitled(*CHAIN, among=keyholder(use=Use.MANIFEST))
    assert entitled(*CHAIN, among=keyholder(Status.RETIRED)).item == ITEM
    made = record(HEADER, FIRST)
    said = {name: getattr(made, name) for name in made.__struct_fields__}
    wrong = SignedRewrap(sign("eg-manifest", said, signer("keyholder")), NOW)
    with pytest.raises(VerificationError):
        entitled(wrong, header=FIRST)
    assert read_rewrap(sign(TYP, said, signer("keyholder"))) == made


def test_every_record_is_judged_by_the_directory_of_its_own_time() -> None:
    seen: list[datetime] = []

    def at(moment: datetime) -> Directory:
        seen.append(moment)
        return keyholder()

    assert check_chain(ITEM, hex_sha256(HEADER), CHAIN, at) == hex_sha256(SECOND)
    assert seen == [NOW, seconds(60)]


def test_a_chain_without_end_is_not_followed() -> None:
    with pytest.raises(VerificationError, match="at most"):
        check_chain(ITEM, hex_sha256(HEADER), CHAIN[:1] * (MOST + 1), lambda _: keyholder())


@pytest.mark.parametrize(
    "changes",
    [{"item": "itm_x"}, {"old": "x"}, {"new": ""}, {"before": "2026Q4"}, {"after": EPOCHS[0]}],
)
def test_a_record_names_an_item_two_digests_and_two_epochs(changes: dict[str, str]) -> None:
    with pytest.raises(MalformedError):
        said = {
            "item": ITEM,
            "old": EPOCHS[0],
            "new": EPOCHS[1],
            "before": EPOCHS[0],
            "after": EPOCHS[1],
        }
        container = sign(TYP, {**said, **changes}, signer("keyholder"))
        read_rewrap(container)


def vault(text: str, begin: str = BEGIN, status: Status = Status.ACTIVE) -> Key:
    return Key(Use.VAULT, "mlkem768x25519", text, status, begin, END)


def test_deposits_go_to_the_vault_epoch_that_began_last() -> None:
    soon = (NOW + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    keys = (
        vault("age1pq1old"),
        vault("age1pq1new", "2026-10-01T00:00:00Z"),
        vault("age1pq1soon", soon),
        vault("age1pq1next", "2026-11-01T00:00:00Z", Status.NEXT),
        vault("age1pq1gone", "2026-11-01T00:00:00Z", Status.REVOKED),
    )
    among = keyholder(Status.ACTIVE, *keys)
    assert active_vault(among, NOW).public == "age1pq1new"
    assert active_vault(among, NOW + timedelta(days=2)).public == "age1pq1soon"
    assert [found.public for found in vaults(among)][0] == "age1pq1old"
    assert len(vaults(among)) == len(keys)
    assert (first_epoch(among), first_epoch(directory())) == (epoch_of("age1pq1old"), "")
    with pytest.raises(UnavailableError, match="no vault epoch"):
        active_vault(directory(), NOW)


def test_the_keyholder_follows_a_chain_by_keys_that_outlived_their_term() -> None:
    """A record of ten years ago holds, by a key that was retired since, and not by one that was revoked."""
    containers = [one.container for one in CHAIN]
    retired = key(
        "keyholder", Use.REWRAP, Status.RETIRED, ("2016-01-01T00:00:00Z", "2017-01-01T00:00:00Z")
    )
    member = Member(ident("svc", 40), "keyholder", (), (retired,))
    among = directory(replace(MECHANISM, members=(*MECHANISM.members, member)))
    path = path_of(ITEM, containers, standing_rewrap_keys(among))
    assert path == tuple(hex_sha256(header) for header in (HEADER, FIRST, SECOND))
    assert path_of(ITEM, (), {}) == ()
    assert standing_rewrap_keys(keyholder(Status.REVOKED)) == {}
    for chain, says in (
        (containers[::-1], "from one header"),
        (containers[:1] * (MOST + 1), "at most"),
    ):
        with pytest.raises(VerificationError, match=says):
            path_of(ITEM, chain, standing_rewrap_keys(among))
    with pytest.raises(VerificationError, match="another item"):
        path_of(ident("itm", 9), containers, standing_rewrap_keys(among))
