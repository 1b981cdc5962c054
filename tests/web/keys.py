"""A second key folder for a person who has one."""

import shutil
from datetime import UTC, datetime

from gateway import keyfiles
from gateway.client import ceremony
from gateway.exchange.parties import Member, Party, Use
from gateway.kernel.encoding import b64url
from tests.world import World


def add_key_folder(world: World, who: str, again: str) -> None:
    """Give *who* another folder with another request key of hers; sign the directory next."""
    folder = world.folder(again)
    folder.mkdir(parents=True)
    shutil.copy(world.folder(who) / "profile.json", folder / "profile.json")
    signer = keyfiles.make_signer(folder / "request.key", None)
    key = ceremony.public_key(Use.REQUEST, "Ed25519", b64url(signer.public_key), datetime.now(UTC))
    party = ceremony.find_party(world.directory, "mechanism")
    (member,) = [m for m in party.members if m.name == f"Person {who}"]
    changed = Member(member.id, member.name, member.roles, (*member.keys, key))
    members = tuple(changed if m == member else m for m in party.members)
    ceremony.write_party(
        world.directory, Party(party.id, party.short, party.name, party.kind, members)
    )
