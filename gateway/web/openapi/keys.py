"""The operations on envelope keys, and on shares that are wrapped to others by now."""

from gateway.exchange.acts import ChallengeKey, ConfirmKey, RewrapShare
from gateway.web.openapi.operation import Caller, Operation, Parameter, Success, Tag

KEYS = (
    Operation(
        "GET",
        "/v1/keys",
        "listKeys",
        Tag.KEYS,
        "List the envelope keys of the directory in force",
        Caller.MECHANISM,
        (Success(200, "Every key, how it was introduced, and what it waits for.", "KeyList"),),
        (403,),
    ),
    Operation(
        "GET",
        "/v1/keys/{key}/exposure",
        "getExposure",
        Tag.KEYS,
        "List what a key could open",
        Caller.MECHANISM,
        (Success(200, "At most 5,000 headers, and how many there are.", "KeyExposure"),),
        (403,),
        parameters=(
            Parameter(
                "after",
                "query",
                "The member `next` of the answer before.",
                {"type": "string", "maxLength": 64},
            ),
        ),
    ),
    Operation(
        "POST",
        "/v1/key-challenges",
        "challengeKey",
        Tag.KEYS,
        "Have a challenge sealed to a key",
        Caller.MECHANISM,
        (Success(201, "It waits for the key's owner.", "KeyChallenged"),),
        (404,),
        text="For a key of the directory that is next or active, and not introduced yet.",
        acts=(ChallengeKey,),
    ),
    Operation(
        "GET",
        "/v1/key-challenges",
        "listChallenges",
        Tag.KEYS,
        "List the unanswered challenges to keys of one's own party",
        Caller.MEMBER,
        (Success(200, "The challenges, each an age file.", "ChallengeList"),),
        (403,),
    ),
    Operation(
        "POST",
        "/v1/key-challenges/{challenge}/proof",
        "proveKey",
        Tag.KEYS,
        "Answer a challenge",
        Caller.MEMBER,
        (Success(201, "Possession is proved.", "KeyProved"),),
        (422,),
        text="By the owner of the key alone.",
        body="SignedKeyProof",
    ),
    Operation(
        "POST",
        "/v1/key-challenges/{challenge}/confirmations",
        "confirmKey",
        Tag.KEYS,
        "Confirm that a proved key is its owner's",
        Caller.MECHANISM,
        (
            Success(
                201, "It is kept; with the second person's the key is introduced.", "KeyConfirmed"
            ),
        ),
        (422,),
        acts=(ConfirmKey,),
    ),
    Operation(
        "GET",
        "/v1/authorities/{authority}/rewraps",
        "listRewraps",
        Tag.KEYS,
        "List the open shares of an authority that are wrapped to other keys than it has now",
        Caller.MECHANISM,
        (Success(200, "Their ids.", "RewrapsDue"),),
        (403,),
    ),
    Operation(
        "POST",
        "/v1/shares/{share}/rewrap",
        "rewrapShare",
        Tag.KEYS,
        "Wrap a share anew to its authority's keys of today",
        Caller.MECHANISM,
        (
            Success(
                201,
                "There are new headers and a new manifest; bodies are the same.",
                "ShareRewrapped",
            ),
        ),
        (422,),
        text=(
            "An authority's endpoint asks for one of its own shares. 409 if the keys are the same, or the "
            "share is not served for another reason than a revoked key."
        ),
        acts=(RewrapShare,),
    ),
)
