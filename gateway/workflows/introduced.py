"""Which envelope keys may be wrapped to: those of the directory that were also introduced."""

from msgspec.structs import replace
from sqlalchemy import Connection

from gateway.exchange.key_life import kid_digest
from gateway.exchange.parties import Member, Party, Use
from gateway.store import envelope_keys


def usable(conn: Connection, party: Party) -> Party:
    """Return *party* without those envelope keys that nobody has introduced.

    A key that stood in the first directory was introduced by the ceremony that signed it; any other by
    its owner, who opened a challenge with it, and by two persons.
    """
    names = {
        key.kid: kid_digest(key.kid)
        for member in party.members
        for key in member.keys
        if key.use is Use.ENVELOPE
    }
    known = envelope_keys.introduced(conn, names.values())
    strangers = {kid for kid, name in names.items() if name not in known}
    return replace(party, members=tuple(_without(m, strangers) for m in party.members))


def _without(member: Member, kids: set[str]) -> Member:
    return replace(member, keys=tuple(key for key in member.keys if key.kid not in kids))
