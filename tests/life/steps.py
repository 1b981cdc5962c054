"""What tests of a policy set's life do again and again: forge one, hand it in, see that it is refused."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.client import authors, ceremony, policies
from gateway.client.profile import open_folder
from gateway.exchange.acts import ActivatePolicy
from gateway.exchange.parse import plain
from gateway.exchange.parties import Key, Party, Status, Use
from gateway.exchange.policy_sets import TYP, PolicyManifest, manifest_bytes, read_manifest
from gateway.kernel.encoding import b64url, hex_sha256
from gateway.kernel.errors import GatewayError, MalformedError
from gateway.kernel.signing import KeySigner, Signer, sign
from gateway.kernel.time import spell
from gateway.policy import load_files
from gateway.workflows import policy_sets
from tests.stateful.driver import Driver
from tests.world import World

EXTRA = "rules/99-extra.yaml"


def rule(when: str, more: str = "") -> str:
    """Return a file with one rule that denies."""
    return (
        "rules:\n- id: test.extra\n  effect: deny\n  reason: other\n  title: A test\n"
        f"  basis: None\n  when: {when}\n{more}"
    )


def extra(world: World, when: str, more: str = "") -> None:
    """Add that rule to the policy folder, or change it."""
    (world.policy / EXTRA).write_text(rule(when, more))


def harmless(world: World) -> None:
    """Add a rule that is over for long."""
    extra(world, "{eq: [item.sgbv, true]}", "  valid_to: 2001-01-01\n")


def author(world: World, who: str) -> KeySigner:
    return open_folder(world.folder(who), None).policy_signer()


def in_folder(world: World) -> PolicyManifest:
    """Return the manifest that lies in the folder."""
    return read_manifest(authors.read_signed(world.policy)[0])


def forge(world: World, *signers: Signer, typ: str = TYP, **over: Any) -> PolicyManifest:
    """Sign what lies in the folder without any of the checks that the authors' tool makes.

    *over* are members of the manifest that say something else.
    """
    old, files = in_folder(world), authors.read_files(world.policy)
    said: dict[str, Any] = {
        "number": old.number + 1,
        "supersedes": hex_sha256(manifest_bytes(old)),
        "files": {name: hex_sha256(data) for name, data in files.items()},
    }
    try:
        loaded = load_files(files)
        said |= {"policy": loaded.policy.digest, "rules": dict(loaded.rules)}
    except MalformedError:
        pass
    made = replace(old, **{**said, **over})
    both = signers or (author(world, "author1"), author(world, "author2"))
    put(world, made, sign(typ, plain(made), *both))
    return made


def put(world: World, manifest: PolicyManifest, container: bytes) -> None:
    (world.policy / authors.MANIFEST).write_bytes(manifest_bytes(manifest) + b"\n")
    (world.policy / authors.SIGNATURE).write_bytes(container + b"\n")


def add_key(
    world: World,
    who: str,
    use: Use = Use.POLICY,
    status: Status = Status.ACTIVE,
    term: tuple[int, int] = (-1, 300),
) -> KeySigner:
    """Give somebody of the mechanism one more key, good from one day to another from now."""
    made, actor = KeySigner.generate(), open_folder(world.folder(who), None).profile.actor
    begin, end = (spell(_now(world) + timedelta(days=days)) for days in term)
    key = Key(use, "Ed25519", b64url(made.public_key), status, begin, end)

    def with_it(party: Party) -> Party:
        members = (replace(m, keys=(*m.keys, key)) if m.id == actor else m for m in party.members)
        return replace(party, members=tuple(members))

    change_mechanism(world, with_it)
    return made


def change_mechanism(world: World, change: Callable[[Party], Party]) -> None:
    """Change the mechanism's party, and sign the directory."""
    ceremony.write_party(world.directory, change(ceremony.find_party(world.directory, "mechanism")))
    world.sign(days=3000)


def _now(world: World) -> datetime:
    return world._moment()


def order_of(world: World, **over: Any) -> ActivatePolicy:
    """Return the act that puts the folder into force; what is not there is empty."""
    found: dict[str, Any] = {}
    for member, name in (("manifest", authors.MANIFEST), ("signature", authors.SIGNATURE)):
        path = world.policy / name
        found[member] = path.read_text().rstrip("\n") if path.exists() else ""
    try:
        number = read_manifest(found["manifest"].encode()).number
    except GatewayError:
        number = 2
    said = {"number": number, **found, "files": policies.texts(world.policy)}
    return ActivatePolicy(**{**said, **over})


def activate(driver: Driver, who: str = "author1", **over: Any) -> dict[str, Any]:
    """Put the folder into force by order."""
    act = order_of(driver.world, **over)
    return driver.act(who, "/v1/policy/sets", act, policy_sets.activate)


def refused_both_ways(driver: Driver, says: str, *, by_order: str | None = None) -> None:
    """Hand the folder in, in place and by order: refused with these words, and the old set stays."""
    before = driver.gateway.sets
    (said,) = driver.reload()
    assert says in said, said
    with pytest.raises(GatewayError) as refusal:
        activate(driver)
    assert (by_order or says) in str(refusal.value)
    after = driver.gateway.sets
    assert (after.policy, after.register, after.number) == (
        before.policy, before.register, before.number,
    )  # fmt: skip
