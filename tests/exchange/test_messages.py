"""Messages of the inbox: each is about one share or one RFA, and says no more than that."""

from typing import Any

import pytest

from gateway.exchange.messages import About, Message, open_message, sign_message
from gateway.exchange.parse import build
from gateway.kernel.encoding import b64url
from gateway.kernel.errors import MalformedError
from tests.exchange.examples import SEALED
from tests.exchange.world import AUTHORITY, ident, kid, signer

SHARE, RFA = ident("shr", 1), ident("rfa", 1)
OF_SHARE = {about for about in About if about.name.startswith("SHARE_")}
GOOD: dict[str, Any] = {
    "v": 1,
    "id": ident("msg", 1),
    "to": AUTHORITY.id,
    "seq": 1,
    "at": "2026-11-23T16:18:00Z",
}


def subject(about: About) -> dict[str, str]:
    return {"share": SHARE} if about in OF_SHARE else {"rfa": RFA}


@pytest.mark.parametrize("about", list(About))
def test_a_message_is_about_the_kind_of_thing_that_it_announces(about: About) -> None:
    message = build({**GOOD, "about": about.value, **subject(about)}, Message)
    container = sign_message(message, signer("manifest"))
    keys = {kid("manifest"): signer("manifest").public_key}
    assert open_message(container, keys, to=AUTHORITY.id) == message


@pytest.mark.parametrize("about", list(About))
@pytest.mark.parametrize(
    "named", [{}, {"share": SHARE}, {"rfa": RFA}, {"share": SHARE, "rfa": RFA}]
)
def test_a_message_about_both_neither_or_the_wrong_one_is_refused(
    about: About, named: dict[str, str]
) -> None:
    if named == subject(about):
        return
    with pytest.raises(MalformedError, match="about one share, or about one rfa"):
        build({**GOOD, "about": about.value, **named}, Message)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"v": 2}, "of version 1"),
        ({"seq": 0}, "of version 1"),
        ({"seq": True}, "expected `int`"),
        ({"id": SHARE}, "starting with msg"),
        ({"to": SHARE}, "starting with pty"),
        ({"rfa": SHARE}, "starting with rfa"),
        ({"at": "now"}, "a time such as"),
        ({"about": "rfa.assessed"}, "invalid enum"),
        ({"due": "soon"}, "a date such as"),
        ({"content": b64url(b"in clear")}, "content is an age file"),
        ({"reason": "we think"}, "unknown field"),
    ],
)
def test_a_message_of_another_form_is_refused(changes: dict[str, Any], says: str) -> None:
    good = {**GOOD, "about": "rfa.extended", "rfa": RFA, "due": "2027-01-31", "content": SEALED}
    assert build(good, Message).due == "2027-01-31"
    with pytest.raises(MalformedError, match=says):
        build({**good, **changes}, Message)


def test_a_message_about_a_share_names_a_share() -> None:
    with pytest.raises(MalformedError, match="starting with shr"):
        build({**GOOD, "about": "share.available", "share": RFA}, Message)
