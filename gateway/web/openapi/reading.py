"""The operations that read the ledger, the directory, and this document."""

from gateway.web.openapi.operation import TEXT, Caller, Operation, Success, Tag, number

LEDGER = (
    Operation(
        "GET",
        "/v1/ledger/checkpoint",
        "getCheckpoint",
        Tag.LEDGER,
        "Get the newest checkpoint",
        Caller.SIGNED,
        (Success(200, "A signed note (c2sp.org/tlog-checkpoint).", media=TEXT),),
        (404,),
        text="404 before the first entry.",
    ),
    Operation(
        "GET",
        "/v1/ledger/consistency",
        "proveConsistency",
        Tag.LEDGER,
        "Prove that one head of the ledger begins another",
        Caller.SIGNED,
        (Success(200, "The proof (RFC 9162, section 2.1.4).", "Consistency"),),
        (404,),
        text="404 unless 0 < old ≤ new ≤ the ledger's size.",
        parameters=(
            number("old", "The size of the earlier head."),
            number("new", "The size of the later head."),
        ),
    ),
    Operation(
        "GET",
        "/v1/ledger/entries",
        "listEntries",
        Tag.LEDGER,
        "Get a page of leaves",
        Caller.SIGNED,
        (Success(200, "At most 500 leaves.", "LedgerPage"),),
        parameters=(number("start", "The index of the first."),),
    ),
    Operation(
        "GET",
        "/v1/ledger/proof",
        "proveEntry",
        Tag.LEDGER,
        "Prove that an entry stands in the ledger",
        Caller.SIGNED,
        (Success(200, "A proof with its checkpoint (c2sp.org/tlog-proof).", media=TEXT),),
        (404,),
        text="404 beyond the ledger's size.",
        parameters=(number("index", "The index of the entry."),),
    ),
    Operation(
        "GET",
        "/v1/directory",
        "getDirectory",
        Tag.LEDGER,
        "Get the caller's view of the directory",
        Caller.MEMBER,
        (Success(200, "The signed statement, and the entries the caller may see.", "View"),),
        (403,),
    ),
)

ABOUT = (
    Operation(
        "GET",
        "/v1/openapi.json",
        "getOpenApi",
        Tag.ABOUT,
        "Get this document",
        Caller.ANYONE,
        (Success(200, "OpenAPI 3.1.", media="application/json"),),
        text="It says nothing about anyone, and is the same for all.",
    ),
)
