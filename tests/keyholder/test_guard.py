"""The unlocking secret: any k custodians open it, and nothing else does, each wrong share by its own name."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kernel.encoding import digest_of
from gateway.kernel.errors import ConflictError, MalformedError, VerificationError
from gateway.keyfiles import LEAST
from gateway.keyholder import guard

NAMES = ("Ana", "Ben", "Cy", "Dee", "Eve")
PHRASES = [(name, f"phrase of {name}") for name in NAMES]


def split(k: int, n: int) -> tuple[bytes, guard.Guard, list[bytes]]:
    secret = guard.new_secret()
    made, files = guard.by_custodians(secret, k, PHRASES[:n], LEAST)
    return bytes(secret), made, files


def opened(made: guard.Guard, files: list[bytes]) -> list[guard.Opened]:
    return [
        guard.open_share(made, data, f"phrase of {json.loads(data)['custodian']}") for data in files
    ]


@given(st.integers(2, 5).flatmap(lambda n: st.tuples(st.integers(2, n), st.just(n))))
@settings(max_examples=10, deadline=None)
def test_any_k_custodians_open_it_and_fewer_do_not(kn: tuple[int, int]) -> None:
    k, n = kn
    secret, made, files = split(k, n)
    shares = opened(made, files)
    for chosen in itertools.combinations(shares, k):
        assert bytes(guard.combine(made, chosen)) == secret
    with pytest.raises(ConflictError, match=f"{k - 1} of {k} shares"):
        guard.combine(made, shares[: k - 1])
    assert bytes(guard.combine(made, shares)) == secret, "more than k are none too many"


def test_one_share_twice_counts_once() -> None:
    _, made, files = split(2, 3)
    share = opened(made, files[:1])[0]
    with pytest.raises(ConflictError, match="1 of 2"):
        guard.combine(made, [share, share])


def test_wrong_mixed_and_damaged_shares_are_told_apart() -> None:
    _, made, files = split(2, 3)
    _, _, others = split(2, 3)
    with pytest.raises(VerificationError, match="does not open the share of Ana"):
        guard.open_share(made, files[0], "another phrase")
    with pytest.raises(VerificationError, match="of another set"):
        guard.open_share(made, others[0], "phrase of Ana")
    with pytest.raises(MalformedError, match="damaged"):
        guard.open_share(made, files[0].replace(b'"k":2', b'"k":3'), "phrase of Ana")
    with pytest.raises(MalformedError):
        guard.open_share(made, files[0][:-40], "phrase of Ana")


@pytest.mark.parametrize(
    ("member", "value"), [("custodian", "Ben"), ("index", 2), ("k", 3), ("n", 4)]
)
def test_a_share_cannot_be_put_into_another_file(member: str, value: object) -> None:
    """Whoever writes the clear part anew, digest and all, does not change what is sealed."""
    _, made, files = split(2, 3)
    clear = {key: said for key, said in json.loads(files[0]).items() if key != "digest"}
    clear[member] = value
    forged = json.dumps({**clear, "digest": digest_of(clear)}).encode()
    with pytest.raises(VerificationError, match="says something else"):
        guard.open_share(made, forged, "phrase of Ana")


def test_shares_that_yield_another_secret_are_refused() -> None:
    """Shamir's sharing itself would not notice."""
    _, made, files = split(2, 3)
    first, second = opened(made, files[:2])
    wrong = guard.Opened(second.set, second.custodian, second.index, bytes(32))
    with pytest.raises(VerificationError, match="not the unlocking secret"):
        guard.combine(made, [first, wrong])
    with pytest.raises(VerificationError, match="not of one set"):
        guard.combine(made, [first, guard.Opened("other", "Ben", 2, second.value)])


@pytest.mark.parametrize(
    ("k", "names"),
    [(1, ("Ana", "Ben")), (3, ("Ana", "Ben")), (2, ("Ana", "Ana")), (2, ("Ana", "B/n"))],
)
def test_a_set_of_custodians_makes_sense(k: int, names: tuple[str, ...]) -> None:
    with pytest.raises(MalformedError):
        guard.by_custodians(guard.new_secret(), k, [(name, "x") for name in names], LEAST)


def test_a_passphrase_opens_it_and_another_does_not() -> None:
    secret = guard.new_secret()
    made = guard.by_passphrase(secret, "a phrase", LEAST)
    assert guard.open_passphrase(made, "a phrase") == secret
    assert made.n == 0
    with pytest.raises(VerificationError, match="does not open the keyholder"):
        guard.open_passphrase(made, "another")


def test_a_keyholder_opens_the_way_it_was_made() -> None:
    _, shared, files = split(2, 3)
    with pytest.raises(ConflictError, match="2 of 3 custodians"):
        guard.open_passphrase(shared, "a phrase")
    alone = guard.by_passphrase(guard.new_secret(), "a phrase", LEAST)
    with pytest.raises(ConflictError, match="by a passphrase"):
        guard.open_share(alone, files[0], "phrase of Ana")


def test_a_guard_is_one_or_the_other() -> None:
    with pytest.raises(ValueError, match="either"):
        guard.Guard("s", "d", 1)
    with pytest.raises(ValueError, match="k is between"):
        guard.Guard("s", "d", 3, ("Ana", "Ben"))


def test_nothing_secret_is_shown_or_left() -> None:
    secret, made, files = split(2, 2)
    assert secret.hex() not in repr(opened(made, files)) + repr(made)
    held = bytearray(secret)
    guard.wipe(held)
    assert held == bytes(32)
