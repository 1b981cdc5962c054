"""By which moment a message is judged that was signed long before it is read."""

from datetime import datetime

from gateway.kernel.errors import MalformedError
from gateway.kernel.signing import unverified_payload
from gateway.kernel.time import instant


def moment_of(container: bytes, before: datetime | None) -> datetime:
    """Return the time that a message states, or *before*, that of the one read before it, if it is later.

    What is older than a key's second signatures stays readable, but a message cannot say that it is older
    than one that came before it. Raises MalformedError if it states none.
    """
    payload = unverified_payload(container)
    stated = payload.get("at") if isinstance(payload, dict) else None
    if not isinstance(stated, str):
        raise MalformedError("a message without a time", field="/at")
    said = instant(stated)
    return said if before is None else max(said, before)
