"""The operations of an authority: inbox, pull, receipts."""

from gateway.web.openapi.operation import AGE, Caller, Operation, Success, Tag, header, number
from gateway.web.polls import MAX_WAIT

_STOPPED = "409 if the share was recalled, has expired or is suspended; 503 once the directory has expired."
_WAIT = "How many seconds to wait for the first."

PULL = (
    Operation(
        "GET",
        "/v1/inbox",
        "readInbox",
        Tag.PULL,
        "Read messages above a cursor, waiting for the first",
        Caller.ENDPOINT,
        (Success(200, "At most 100 messages, oldest first.", "Inbox"),),
        (403,),
        text="Each message is a signed object (`SignedMessage`) as text. They are kept for ever.",
        parameters=(
            number("after", "The number of the last message that was seen."),
            number("wait", _WAIT, MAX_WAIT),
        ),
    ),
    Operation(
        "GET",
        "/v1/shares/{share}/manifest",
        "getManifest",
        Tag.PULL,
        "Get the outer manifest, signed",
        Caller.ENDPOINT,
        (Success(200, "The signed manifest.", "SignedManifest"),),
        (403, 409),
        text=_STOPPED,
    ),
    Operation(
        "GET",
        "/v1/shares/{share}/manifest/inner",
        "getInnerManifest",
        Tag.PULL,
        "Get the inner manifest, sealed",
        Caller.ENDPOINT,
        (Success(200, "An age file over JSON (`Inner`).", media=AGE),),
        (403, 409),
        text=_STOPPED,
    ),
    Operation(
        "GET",
        "/v1/shares/{share}/evidence",
        "getEvidence",
        Tag.PULL,
        "Get the ledger's evidence that this very manifest was released",
        Caller.RECIPIENT,
        (Success(200, "Leaf, proof, and openings sealed to the recipient.", "ShareEvidence"),),
        (409,),
        text="409 if the authority has no envelope key in force.",
    ),
    Operation(
        "GET",
        "/v1/shares/{share}/items/{n}",
        "getItem",
        Tag.PULL,
        "Get an item, whole or a range of it",
        Caller.ENDPOINT,
        (
            Success(
                200,
                "Header and body: an age file.",
                media=AGE,
                headers=("ETag", "Accept-Ranges", "Content-Disposition"),
            ),
            Success(
                206,
                "A range of it.",
                media=AGE,
                headers=("ETag", "Accept-Ranges", "Content-Disposition", "Content-Range"),
            ),
        ),
        (403, 409, 416, 429),
        text=(
            f"{_STOPPED} 409 (`/problems/termsunsigned`) while an officer has to sign the terms: manifest "
            "and inner manifest are served then, no item is. The share is decided again for every range, and a running answer is broken off "
            "when it may not go on. Ranges below 1 MiB that do not reach the end are limited to 60 a "
            "minute and key (429)."
        ),
        parameters=(
            header(
                "Range",
                "One range: `bytes=first-last`, `bytes=first-` or `bytes=-length`.",
                {"type": "string", "pattern": "^bytes=([0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})$"},
            ),
            header(
                "If-Range",
                "The ETag of what is there already; if it is another one, the whole is sent.",
                {"type": "string"},
            ),
        ),
    ),
    Operation(
        "POST",
        "/v1/shares/{share}/receipts",
        "sendReceipt",
        Tag.PULL,
        "Send a signed receipt for the next rung",
        Caller.RECEIPTING,
        (Success(201, "The receipt is taken.", "ShareMoved"),),
        (422,),
        text=(
            "The endpoint signs `pulled` and `verified`, an officer `opened`, `accepted` and `rejected`. "
            "409 for bytes that were not served, and for a rung that is not the next."
        ),
        body="SignedReceipt",
    ),
    Operation(
        "POST",
        "/v1/shares/{share}/terms",
        "signTerms",
        Tag.PULL,
        "Accept the terms of a share, signed by an officer",
        Caller.SIGNING,
        (Success(201, "The signature is taken: items are served from now on.", "ShareMoved"),),
        (422,),
        text=(
            "For a share whose terms say `terms: signed`. 422 for another manifest or other terms; 409 if "
            "the terms ask for no signature, have one already, or the share is not served any more."
        ),
        body="SignedAcceptance",
    ),
)
