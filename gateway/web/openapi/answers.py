"""What the routes answer, as structures: only described here, never built, and no member more is allowed.

The workflows answer plain JSON. That each answer is one of these is checked by a test, which plays the
main job and holds every answer against the document.
"""

import msgspec


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is common to all of them: no member but those named."""


class Problem(Answer, frozen=True):
    """A problem (RFC 9457). *detail* is safe to show; *field* names the place of what is malformed."""

    type: str
    title: str
    status: int
    detail: str
    field: str | msgspec.UnsetType = msgspec.UNSET
