"""Disclosure policy as data: YAML rules over a closed vocabulary, three-valued, default deny."""

from gateway.policy.applied import Applied, apply, as_recorded, facts_of
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
from gateway.policy.explain import Explanation, explain
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
from gateway.policy.render import nothing_helps, render_json, render_text, term_in_words
from gateway.policy.rules import Effect, Reason, Rule
from gateway.policy.text import Value, read
from gateway.policy.told import explain_to_recipient, tell
from gateway.policy.vocabulary import TODAY, Fact, Facts, Vocabulary, to_json
from gateway.policy.ways import Missing, what_is_missing
from gateway.policy.wording import in_words

__all__ = [
    "ENGINE",
    "TODAY",
    "Applied",
    "Attested",
    "Circumstances",
    "Clearance",
    "Decision",
    "Effect",
    "Explanation",
    "Fact",
    "Facts",
    "Fired",
    "Missing",
    "Outcome",
    "PolicySet",
    "Reason",
    "Register",
    "Result",
    "Rule",
    "Value",
    "Verdict",
    "Vocabulary",
    "apply",
    "as_recorded",
    "check_codes",
    "explain",
    "explain_to_recipient",
    "facts_digest",
    "facts_of",
    "in_words",
    "join",
    "load",
    "load_register",
    "missing",
    "nothing_helps",
    "read",
    "reasons_of",
    "recipient_facts",
    "register_json",
    "render_json",
    "render_text",
    "run",
    "tell",
    "term_in_words",
    "terms_json",
    "to_json",
    "unmet",
    "what_is_missing",
]
