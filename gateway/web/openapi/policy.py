"""The operations on policy sets, and on the decisions that were made by them."""

from gateway.exchange.acts import ActivatePolicy, PreviewPolicy, SignOffPolicy
from gateway.web.openapi.operation import Caller, Operation, Success, Tag

_SMALL = "The body has at most 2 MiB."

POLICY = (
    Operation(
        "POST",
        "/v1/policy/sets",
        "activatePolicy",
        Tag.POLICY,
        "Put a policy set into force, or leave the old one as it is",
        Caller.MECHANISM,
        (
            Success(
                201, "It is in force; open and released shares are decided again.", "PolicyAccepted"
            ),
        ),
        (404, 422),
        text=(
            f"{_SMALL} Signed by two authors, of the next number upon the one in force, its cases met; what "
            "turns to permit must be signed off."
        ),
        acts=(ActivatePolicy,),
    ),
    Operation(
        "GET",
        "/v1/policy/sets",
        "listPolicySets",
        Tag.POLICY,
        "List the policy sets that came into force",
        Caller.MECHANISM,
        (Success(200, "Every set, oldest first.", "PolicyList"),),
        (403,),
    ),
    Operation(
        "GET",
        "/v1/policy/sets/{number}",
        "getPolicySet",
        Tag.POLICY,
        "Show a policy set with its files",
        Caller.MECHANISM,
        (Success(200, "The set.", "PolicyShown"),),
        (403,),
    ),
    Operation(
        "POST",
        "/v1/policy/preview",
        "previewPolicy",
        Tag.POLICY,
        "Say what a policy set would change, and what it lacks",
        Caller.MECHANISM,
        (Success(200, "What it would change; nothing is recorded.", "PolicyPreview"),),
        text=f"{_SMALL} Without files: what the set in force would change in what was decided earlier.",
        acts=(PreviewPolicy,),
    ),
    Operation(
        "POST",
        "/v1/policy/signoffs",
        "signOffPolicy",
        Tag.POLICY,
        "Agree to what a policy set turns to permit",
        Caller.MECHANISM,
        (Success(201, "It is kept.", "PolicySignedOff"),),
        text="It counts unless by an author of the set, or by who activates it.",
        acts=(SignOffPolicy,),
    ),
    Operation(
        "GET",
        "/v1/shares/{share}/decisions",
        "listDecisions",
        Tag.POLICY,
        "List the recorded decisions of a share",
        Caller.MECHANISM,
        (Success(200, "Its decisions, oldest first.", "RecordedList"),),
        (403,),
    ),
    Operation(
        "GET",
        "/v1/decisions/{digest}",
        "getDecision",
        Tag.POLICY,
        "Show a recorded decision with the facts it was made on",
        Caller.MECHANISM,
        (Success(200, "All that it takes to make it again.", "RecordedDecision"),),
        (403,),
    ),
)
