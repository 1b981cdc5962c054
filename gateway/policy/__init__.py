"""Disclosure policy as data: YAML rules over a closed vocabulary, three-valued, default deny."""

from gateway.policy.cases import Result, run
from gateway.policy.clearances import Clearance, missing
from gateway.policy.decide import (
    ENGINE,
    Decision,
    Fired,
    Outcome,
    PolicySet,
    Verdict,
    facts_digest,
    join,
)
from gateway.policy.enforce import Circumstances, reasons_of, unmet
from gateway.policy.explain import explain, explain_to_recipient
from gateway.policy.folder import (
    Loaded,
    check_cases,
    check_invariants,
    load_files,
    rule_digests,
)
from gateway.policy.jurisdictions import (
    Attested,
    Register,
    check_codes,
    load_register,
    recipient_facts,
    register_json,
)
from gateway.policy.load import load
from gateway.policy.obligations import terms_json
from gateway.policy.replay import (
    Flip,
    decide_all,
    differences,
    flip,
    known_to,
    moved,
    revive,
)
from gateway.policy.rules import Effect, Reason, Rule
from gateway.policy.text import Value, read
from gateway.policy.vocabulary import TODAY, Fact, Facts, Vocabulary, to_json

__all__ = [
    "rule_digests",
    "revive",
    "moved",
    "load_files",
    "known_to",
    "flip",
    "differences",
    "decide_all",
    "check_invariants",
    "check_cases",
    "Loaded",
    "Flip",
    "ENGINE",
    "TODAY",
    "Attested",
    "Circumstances",
    "Clearance",
    "Decision",
    "Effect",
    "Fact",
    "Facts",
    "Fired",
    "Outcome",
    "PolicySet",
    "Reason",
    "Register",
    "Result",
    "Rule",
    "Value",
    "Verdict",
    "Vocabulary",
    "check_codes",
    "explain",
    "explain_to_recipient",
    "facts_digest",
    "join",
    "load",
    "load_register",
    "missing",
    "read",
    "reasons_of",
    "recipient_facts",
    "register_json",
    "run",
    "terms_json",
    "to_json",
    "unmet",
]
