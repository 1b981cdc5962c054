"""A small set of its own: every operator's kind and every join, whatever the shipped set becomes."""

from gateway.policy import load

VOCABULARY = b"""# What rules may read.
attributes:
  item.secret: {type: bool, label: is secret}
  item.grade: {type: int, min: 1, max: 6, label: the grade}
  item.kind: {type: enum, values: [paper, film, sound], label: the kind}
  item.marks: {type: set, values: [a, b, c], label: the marks}
  item.until: {type: date, label: the embargo's end}
  item.shelter: {type: text, label: the shelter, protected: true}
  recipient.jurisdiction: {type: enum, values: [XA, XB, XC], label: the jurisdiction}
  recipient.promises: {type: set, values: [no_death_penalty, fair_trial], label: the promises}
  context.case: {type: text, label: the case}
  context.today: {type: date, label: today}
"""
OBLIGATIONS = b"""obligations:
  approval: {join: roles, phase: before, values: [lawyer, head], label: approval by persons}
  handling: {join: order, phase: with, values: [CLEAR, AMBER, RED], label: handling code}
  purposes: {join: intersection, phase: after, values: [criminal, civil], label: permitted use}
  redact: {join: union, phase: with, values: [names, faces], label: what is taken out}
  expiry_days: {join: min, phase: after, label: days until it ends}
"""
RULES = b"""# The small rules.
rules:
- id: release  # the one that opens
  effect: permit
  title: Paper and film may be shared
  basis: Statute, s. 1
  when: {in: [item.kind, [paper, film]]}
  obligations: {handling: AMBER, purposes: [criminal]}

# What closes.
- id: secret
  effect: deny
  reason: protection
  title: Secret items stay
  basis: Statute, s. 2
  when:
    all:
    - {eq: [item.secret, true]}
    - {not: {contains: [recipient.promises, fair_trial]}}
- id: embargo
  effect: deny
  reason: time
  title: Not before the embargo's end
  basis: Order 7
  valid_from: 2026-01-01
  valid_to: 2026-12-31
  when: {after: [item.until, $context.today]}
- id: low.grade
  effect: require
  title: Poor grades need a second look
  basis: Manual, p. 4
  when: {ge: [item.grade, 5]}
  obligations:
    approval: {lawyer: 2, head: 1}
    redact: [names, faces]
    expiry_days: 30
"""
CASES = b"""base:
  item.secret: false
  item.grade: 1
  item.kind: paper
  item.until: 2026-01-31
  recipient.jurisdiction: XA
  recipient.promises: []
  context.today: 2026-05-01
cases:
- {id: plain, expect: {outcome: permit, obligations: {handling: AMBER, purposes: [criminal]}}}
- {id: secret, set: {item.secret: true}, expect: {outcome: deny, rules: [secret], reasons: [protection]}}
- {id: embargo, set: {item.until: 2026-06-01}, expect: {outcome: deny, rules: [embargo]}}
- id: low
  set: {item.grade: 5}
  expect:
    outcome: hold
    obligations: {approval: {lawyer: 2, head: 1}, redact: [faces, names], expiry_days: 30, handling: AMBER, purposes: [criminal]}
"""
PLACE = b"""jurisdiction: XA
name: Arvenia
facts:
- {fact: recipient.promises, value: [fair_trial], evidence: note 1, valid_to: 2030-12-31, case: c}
"""
FILES = {
    "vocabulary.yaml": VOCABULARY,
    "obligations.yaml": OBLIGATIONS,
    "rules/all.yaml": RULES,
    "tests/all.yaml": CASES,
    "jurisdictions/xa.yaml": PLACE,
}
SMALL = load(FILES)


def changed(name: str, old: str, new: str) -> dict[str, bytes]:
    """Return the files with *old* replaced by *new* in one of them."""
    text = FILES[name].decode()
    assert old in text, old
    return {**FILES, name: text.replace(old, new).encode()}


def with_rule(text: str) -> dict[str, bytes]:
    """Return the files with one rule more, given as its YAML below `- `."""
    return {**FILES, "rules/more.yaml": f"rules:\n- {text}\n".encode()}
