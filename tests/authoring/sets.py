"""Sets of rules made for these tests: a vocabulary of every type, and rules with every operator."""

from typing import Any

from hypothesis import strategies as st

from gateway.policy import Fact, PolicySet, Vocabulary, load, read
from gateway.policy.conditions import Condition, read_condition

VOCABULARY = """
attributes:
  item.colour: {type: enum, values: [red, green, blue], label: the colour}
  item.shade: {type: enum, values: [red, green, blue, black], label: the shade}
  item.tags: {type: set, values: [red, green, blue], label: the tags}
  item.more: {type: set, values: [red, green, blue, black], label: more tags}
  item.flag: {type: bool, label: the flag}
  item.mark: {type: bool, label: the mark}
  item.n: {type: int, min: -5, max: 9, label: the number}
  item.m: {type: int, min: -5, max: 20, optional: true, label: another number}
  item.day: {type: date, label: the day}
  item.name: {type: text, label: the name}
  recipient.name: {type: text, label: the recipient's name}
  context.today: {type: date, label: today}
"""
OBLIGATIONS = """
obligations:
  approval: {join: roles, phase: before, values: [a, b], label: approval}
  consultation: {join: union, phase: before, values: [source, other], label: consultation}
  handling: {join: order, phase: with, values: [low, mid, high], label: handling}
  purposes: {join: intersection, phase: after, values: [p, q], label: purposes}
  days: {join: min, phase: after, label: days}
"""
# Every operator with a literal and with another fact, on every type that it takes.
COMPARISONS: dict[str, list[list[Any]]] = {
    "eq": [
        ["item.colour", "red"],
        ["item.colour", "$item.shade"],
        ["item.tags", ["red", "blue"]],
        ["item.tags", []],
        ["item.tags", "$item.more"],
        ["item.flag", True],
        ["item.flag", "$item.mark"],
        ["item.n", 3],
        ["item.n", "$item.m"],
        ["item.day", "2026-05-01"],
        ["item.day", "$context.today"],
        ["item.name", "x"],
        ["item.name", "$recipient.name"],
    ],
    "ne": [["item.colour", "red"], ["item.tags", []], ["item.n", "$item.m"]],
    "in": [["item.colour", ["red", "green"]], ["item.colour", []], ["item.shade", "$item.tags"]],
    "contains": [["item.tags", "red"], ["item.tags", "$item.shade"]],
    "subset": [["item.tags", ["red", "blue"]], ["item.tags", []], ["item.more", "$item.tags"]],
    "intersects": [["item.tags", ["red", "blue"]], ["item.tags", []], ["item.tags", "$item.more"]],
    "before": [["item.day", "2026-05-01"], ["item.day", "$context.today"]],
    "after": [["item.day", "2026-05-01"], ["context.today", "$item.day"]],
    "lt": [["item.n", 3], ["item.n", "$item.m"]],
    "le": [["item.n", 3], ["item.n", "$item.m"]],
    "gt": [["item.n", 3], ["item.n", "$item.m"]],
    "ge": [["item.n", 3], ["item.n", "$item.m"]],
}
_TWO = [{"eq": ["item.flag", True]}, {"gt": ["item.n", 0]}]
JUNCTIONS: dict[str, list[Any]] = {
    "all": [{"all": _TWO}, {"not": {"all": _TWO}}],
    "any": [{"any": _TWO}, {"not": {"any": _TWO}}],
    "not": [
        {"not": {"eq": ["item.flag", True]}},
        {"not": {"not": {"contains": ["item.tags", "red"]}}},
    ],
    "exists": [{"exists": "item.name"}, {"not": {"exists": "item.m"}}],
}
EVERY: list[Any] = [
    True,
    *({op: sides} for op, all_sides in COMPARISONS.items() for sides in all_sides),
    *(condition for conditions in JUNCTIONS.values() for condition in conditions),
]


def rule(name: str, effect: str, when: Any, **more: Any) -> dict[str, Any]:
    """Return a rule as it is written."""
    if effect == "require":
        more.setdefault("obligations", {"handling": "mid"})
    return {"id": name, "effect": effect, "title": name, "basis": "b", "when": when, **more}


def make(
    rules: list[dict[str, Any]], vocabulary: str = VOCABULARY, obligations: str = OBLIGATIONS
) -> PolicySet:
    """Return a set with these rules."""
    files = {"vocabulary.yaml": vocabulary, "obligations.yaml": obligations}
    read_as = {name: text.encode() for name, text in files.items()}
    return load({**read_as, "rules/r.yaml": rules_file(rules)})


def rules_file(rules: list[dict[str, Any]]) -> bytes:
    """Return a file of rules, one a line."""
    lines = "".join(f"\n- {flow(one)}" for one in rules)
    return f"rules:{lines or ' []'}\n".encode()


def flow(value: Any) -> str:
    """Return YAML on one line, in which texts are quoted."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def every_operator(effect: str) -> PolicySet:
    """Return a set in which each operator, in each of its uses, decides a rule of this effect."""
    rules = [rule(f"r{n}", effect, when) for n, when in enumerate(EVERY) if when is not True]
    rules.append(rule("timed", effect, True, valid_from="2026-04-30", valid_to="2026-05-01"))
    if effect != "permit":
        rules.append(rule("always", "permit", True))
    return make(rules)


VOC: Vocabulary = make([]).vocabulary


def condition(spelt: Any) -> Condition:
    """Return a condition as it is read."""
    return read_condition(read("c.yaml", flow({"when": spelt}).encode()).members()["when"], VOC)


CONDITIONS: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(EVERY),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts})
        | st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts})
        | inner.map(lambda part: {"not": part})
    ),
    max_leaves=6,
)
_DAYS = st.sampled_from(["2026-04-30", "2026-05-01", "2026-05-02"])
_WORDS = ["red", "green", "blue"]
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "item.colour": st.sampled_from(_WORDS),
    "item.shade": st.sampled_from([*_WORDS, "black"]),
    "item.tags": st.frozensets(st.sampled_from(_WORDS)),
    "item.more": st.frozensets(st.sampled_from([*_WORDS, "black"])),
    "item.flag": st.booleans(),
    "item.mark": st.booleans(),
    "item.n": st.integers(1, 5),
    "item.m": st.integers(1, 5),
    "item.day": _DAYS,
    "item.name": st.sampled_from(["x", "other-1"]),
    "recipient.name": st.sampled_from(["x", "other-1"]),
}
FACTS: st.SearchStrategy[dict[str, Fact]] = st.fixed_dictionaries(
    {"context.today": _DAYS}, optional=_VALUES
)
WRONG: st.SearchStrategy[Any] = st.sampled_from(
    [True, 99, "nothing of this", "2026-02-30", frozenset({"pink"}), frozenset()]
)
