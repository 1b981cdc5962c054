"""The operations of the sharing team: uploads and items, packages and shares."""

from collections.abc import Mapping

from gateway.exchange.acts import (
    Approve,
    Complete,
    Consult,
    Deposit,
    MakePackage,
    OpenUpload,
    Propose,
    Recall,
    Release,
)
from gateway.kernel.encoding import Json
from gateway.web.openapi.operation import (
    TUS_PART,
    Caller,
    Operation,
    Parameter,
    Success,
    Tag,
    header,
    which,
)

_BYTES: Mapping[str, Json] = {"type": "string", "pattern": "^[0-9]{1,18}$"}
_TUS = header("Tus-Resumable", "The version of tus.", {"const": "1.0.0"}, required=True)
_SPOILT = (
    "Other bytes for a part that was recorded but not sealed spoil the upload: begin a new one."
)


def _bytes(name: str, text: str) -> Parameter:
    return header(name, text, _BYTES, required=True)


DEPOSIT = (
    Operation(
        "POST",
        "/v1/uploads",
        "openUpload",
        Tag.DEPOSIT,
        "Begin an upload",
        Caller.MECHANISM,
        (
            Success(
                201, "It takes parts now.", "UploadOpened", headers=("Location", "Tus-Resumable")
            ),
        ),
        text="tus 1.0 (core and creation). The signed body stands in place of Upload-Metadata.",
        acts=(OpenUpload,),
        parameters=(_TUS, _bytes("Upload-Length", "The size that the signed body states.")),
    ),
    Operation(
        "HEAD",
        "/v1/uploads/{upload}",
        "getUploadOffset",
        Tag.DEPOSIT,
        "Say how many bytes of an upload are durable",
        Caller.UPLOADER,
        (
            Success(
                200,
                "The offset to go on from.",
                media="",
                headers=("Upload-Offset", "Upload-Length", "Tus-Resumable"),
            ),
        ),
        parameters=(_TUS,),
    ),
    Operation(
        "PATCH",
        "/v1/uploads/{upload}",
        "putPart",
        Tag.DEPOSIT,
        "Send one part",
        Caller.UPLOADER,
        (
            Success(
                204, "The part is durable.", media="", headers=("Upload-Offset", "Tus-Resumable")
            ),
        ),
        text=(
            "At most 8 MiB, and a multiple of 65,536 bytes unless it ends the upload. The token binds "
            "the part's SHA-256; nothing is sealed or stored before it matches. The same part again is "
            f"answered again. {_SPOILT}"
        ),
        body="binary",
        media=TUS_PART,
        parameters=(_TUS, _bytes("Upload-Offset", "Where the upload stands.")),
    ),
    Operation(
        "DELETE",
        "/v1/uploads/{upload}",
        "abandonUpload",
        Tag.DEPOSIT,
        "Give up an upload that is not complete",
        Caller.UPLOADER,
        (Success(204, "Its parts are removed.", media="", headers=("Tus-Resumable",)),),
        (403, 409),
        parameters=(_TUS,),
    ),
    Operation(
        "POST",
        "/v1/uploads/{upload}/complete",
        "completeUpload",
        Tag.DEPOSIT,
        "State what was uploaded, and have it sealed",
        Caller.UPLOADER,
        (Success(201, "What was sealed.", "UploadSealed"),),
        (422,),
        acts=(Complete,),
    ),
    Operation(
        "POST",
        "/v1/items",
        "depositItem",
        Tag.DEPOSIT,
        "Vouch for a sealed upload: only this makes the item",
        Caller.MECHANISM,
        (Success(201, "The item is there.", "ItemDeposited"),),
        (404, 422),
        acts=(Deposit,),
    ),
)

SHARES = (
    Operation(
        "POST",
        "/v1/packages",
        "makePackage",
        Tag.SHARES,
        "Put items together under one basis",
        Caller.MECHANISM,
        (Success(201, "The package is there.", "PackageMade"),),
        (404,),
        acts=(MakePackage,),
    ),
    Operation(
        "POST",
        "/v1/shares",
        "proposeShare",
        Tag.SHARES,
        "Propose a package to one authority, and have it decided",
        Caller.MECHANISM,
        (Success(201, "The decision, whatever it is: permit, hold or deny.", "ShareDecided"),),
        (404,),
        acts=(Propose,),
    ),
    Operation(
        "GET",
        "/v1/shares",
        "listShares",
        Tag.SHARES,
        "List every share",
        Caller.MECHANISM,
        (Success(200, "Every share in short.", "ShareList"),),
        (403,),
    ),
    Operation(
        "GET",
        "/v1/shares/{share}",
        "getShare",
        Tag.SHARES,
        "Show a share with its life, receipts and the decision as it would be now",
        Caller.MECHANISM,
        (Success(200, "The share.", "ShareShown"),),
        (403,),
    ),
    Operation(
        "GET",
        "/v1/shares/{share}/explanation",
        "explainShare",
        Tag.SHARES,
        "Explain a recorded decision on a share: rules, facts, obligations, and what is missing",
        Caller.MECHANISM,
        (Success(200, "The decision explained.", "ShareExplained"),),
        (403, 409),
        text="409 if the policy set that made the decision is not at hand.",
        parameters=(which("decision", "Which one, from 0; the newest if it is absent."),),
    ),
    Operation(
        "POST",
        "/v1/shares/{share}/approvals",
        "clearShare",
        Tag.SHARES,
        "Clear one obligation of a held share: approve, or record a consultation",
        Caller.MECHANISM,
        (Success(201, "The share as it is decided with the clearance.", "ShareDecided"),),
        (422,),
        text="Not by who proposed the share; the same obligation not twice by one person.",
        acts=(Approve, Consult),
    ),
    Operation(
        "POST",
        "/v1/shares/{share}/release",
        "releaseShare",
        Tag.SHARES,
        "Release a share, and carry it through until it is available",
        Caller.MECHANISM,
        (Success(200, "It is available.", "ShareReleased"),),
        (422,),
        text="403 also if it is not permitted any more.",
        acts=(Release,),
    ),
    Operation(
        "POST",
        "/v1/shares/{share}/recall",
        "recallShare",
        Tag.SHARES,
        "Recall a share: pulls stop at once, and the authority is asked",
        Caller.MECHANISM,
        (Success(200, "It is recalled.", "ShareMoved"),),
        acts=(Recall,),
    ),
)
