"""Disclosure policy as data: YAML rules over a closed vocabulary, three-valued, default deny."""

from gateway.policy.alone import Denial, denied_alone, denied_together
from gateway.policy.applied import Applied, apply, as_recorded, facts_of
from gateway.policy.cases import Case, Expectation, Result, differences, read_cases, run
from gateway.policy.clearances import Clearance, missing
from gateway.policy.decide import (
    ENGINE,
    Decision,
    Fired,
    PolicySet,
    facts_digest,
    join,
)
from gateway.policy.enforce import (
    REDACT,
    WATERMARK,
    Circumstances,
    explain_unmet,
    reasons_of,
    stricter,
    unmet,
)
from gateway.policy.explain import Explanation, explain
from gateway.policy.folder import (
    Loaded,
    check_cases,
    check_invariants,
    load_files,
)
from gateway.policy.invariants import Invariant, load_invariants, violated
from gateway.policy.judge import Outcome, Verdict
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
from gateway.policy.replay import (
    Flip,
    decide_all,
    flip,
    known_to,
    moved,
    revive,
)
from gateway.policy.rules import Effect, Reason, Rule
from gateway.policy.sources import Sources, source_facts
from gateway.policy.text import Value, read
from gateway.policy.told import explain_to_recipient, tell
from gateway.policy.vocabulary import TODAY, Fact, Facts, Vocabulary, to_json
from gateway.policy.ways import Missing, what_is_missing
from gateway.policy.wording import in_words

__all__ = [
    "ENGINE",
    "REDACT",
    "TODAY",
    "WATERMARK",
    "Applied",
    "Attested",
    "Case",
    "Circumstances",
    "Clearance",
    "Decision",
    "Denial",
    "Effect",
    "Expectation",
    "Explanation",
    "Fact",
    "Facts",
    "Fired",
    "Flip",
    "Invariant",
    "Loaded",
    "Missing",
    "Outcome",
    "PolicySet",
    "Reason",
    "Register",
    "Result",
    "Rule",
    "Sources",
    "Value",
    "Verdict",
    "Vocabulary",
    "apply",
    "as_recorded",
    "check_cases",
    "check_codes",
    "check_invariants",
    "decide_all",
    "denied_alone",
    "denied_together",
    "differences",
    "explain",
    "explain_to_recipient",
    "explain_unmet",
    "facts_digest",
    "facts_of",
    "flip",
    "in_words",
    "join",
    "known_to",
    "load",
    "load_files",
    "load_invariants",
    "load_register",
    "missing",
    "moved",
    "nothing_helps",
    "read",
    "read_cases",
    "reasons_of",
    "recipient_facts",
    "register_json",
    "render_json",
    "render_text",
    "revive",
    "run",
    "source_facts",
    "stricter",
    "tell",
    "term_in_words",
    "terms_json",
    "to_json",
    "unmet",
    "violated",
    "what_is_missing",
]
