"""The form: comments kept, the same again, and never another set."""

import random
from collections import Counter

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.authoring import fmt
from gateway.authoring.comments import comments, plain_lines
from gateway.authoring.fmt import canonical, formatted
from gateway.authoring.tree import document
from gateway.kernel.encoding import Json, canonical_json
from gateway.kernel.errors import ConflictError, MalformedError
from gateway.policy import load, read
from tests.authoring.small import FILES, OBLIGATIONS, SMALL, VOCABULARY
from tests.policy.test_policy import FILES as SHIPPED

ODD = """\
# top

---
rules:   # the rules
# before one

- title: 'a: b'    # the title
  # the id
  id: one
  effect: deny


  basis: >-
    long
    text   # part of the text
  when: {all: [ # first
    {eq: [item.a, true]}, # second

    # third
    {not: {eq: [item.b, "true"]}} ]} # fourth
-
  {id: two, effect: permit, when: true, title: many
     lines , basis: "x # y"}
- id: three
  title: |
    one: "line"

    # no comment
  obligations: {approval: {lawyer: 1}}   # a
    # b
- - nested
  - "1"
- ~
-
# end
"""
FORM = """\
# top

rules:  # the rules
# before one

# the id
- id: one
  effect: deny
  title: "a: b"  # the title

  basis: "long text   # part of the text"
  when:
    all:  # first
    - {eq: [item.a, true]}  # second

    # third
    - {not: {eq: [item.b, "true"]}}  # fourth
- id: two
  effect: permit
  title: many lines
  basis: "x # y"
  when: true
- id: three
  title: |
    one: "line"

    # no comment
  obligations: {approval: {lawyer: 1}}  # a
# b
- [nested, "1"]
- null
- null
# end
"""


def test_a_file_of_many_styles_comes_into_one_form_with_its_comments() -> None:
    assert canonical("rules/odd.yaml", ODD.encode()).decode() == FORM
    assert canonical("rules/odd.yaml", FORM.encode()).decode() == FORM


def test_windows_line_ends_and_a_byte_order_mark_go() -> None:
    text = "\ufeffa: 1\r\n# c\r\nb: 2"
    assert canonical("x.yaml", text.encode()) == b"a: 1\n# c\nb: 2\n"
    with pytest.raises(MalformedError, match="line break"):
        canonical("x.yaml", "a: 'x\u2028y'".encode())


def test_lists_of_words_fill_lines_and_long_mappings_stand_below() -> None:
    words = [f"{a}{b}" for a in "ABCDEFGH" for b in "ABCDEFGH"]
    text = f"attributes:\n  item.a: {{type: enum, values: [{', '.join(words)}], label: l}}  # c\n"
    lines = canonical("vocabulary.yaml", text.encode()).decode().splitlines()
    assert lines[1] == "  item.a:  # c"
    assert lines[3].startswith("    values: [AA, AB")
    assert lines[5].startswith("      ")
    assert all(len(line) <= fmt.WIDTH for line in lines)
    moved = canonical("x.yaml", f"a:\n  b: [{', '.join(words)}]  # c\n".encode()).decode()
    assert moved.splitlines()[1] == "  # c"


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("a: ''", 'a: ""'),
        ("a: 'yes'", "a: yes"),
        ("a: 'true'", 'a: "true"'),
        ("a: '5'", 'a: "5"'),
        ('a: "tab\\tand \\u263a"', 'a: "tab\\U00000009and ☺"'),
        ("a: 'it''s'", "a: it's"),
        ("a: [x, 'a, b']", 'a: [x, "a, b"]'),
        ("a: a, b", "a: a, b"),
        ("a: '*x'", 'a: "*x"'),
        ("'a b': 1", "a b: 1"),
        ("'a: b': 1", '"a: b": 1'),
        ("a: [5, true, null, ~, NO]", "a: [5, true, null, null, NO]"),
        ('a: "x\\ny\\n\\n"', 'a: "x\\ny\\n\\n"'),
        ('a: "x\\ny"', "a: |-\n  x\n  y"),
        ("a: {}", "a: {}"),
        ("a: ['x?y', 'x:y']", 'a: ["x?y", x:y]'),
        ("[a, b]", "- a\n- b"),
        ("a: # c\n  5", "a: 5  # c"),
        ("a: | # c\n  x\n  y\n", "# c\na: |\n  x\n  y"),
        ("{ # c\n a: 1}", "# c\na: 1"),
        ("a: [1, # c\n 2] # d\n", "a:\n- 1  # c\n- 2  # d"),
        ("a: [[1,\n 2] # c\n ] # d", "a:  # d\n- - 1\n  - 2  # c"),
    ],
)  # fmt: skip
def test_scalars_and_comments_have_one_way_to_be_written(written: str, form: str) -> None:
    assert canonical("x.yaml", written.encode()).decode() == form + "\n"


def test_the_shipped_files_keep_their_digest_and_comments() -> None:
    changed = {**SHIPPED, **formatted(SHIPPED)}
    assert load(changed).digest == load(SHIPPED).digest
    assert formatted(changed) == {}
    for name, data in SHIPPED.items():
        assert said(data) == said(changed[name])


def said(data: bytes) -> Counter[str]:
    return Counter(c.text for c in comments(plain_lines("x", data)) if c.text)


def test_what_only_one_reader_of_yaml_takes_is_refused_with_its_line() -> None:
    with pytest.raises(MalformedError, match=r"x\.yaml:2: .*quotes"):
        canonical("x.yaml", b"a: 1\nb: [x?y]\n")


def test_what_would_come_out_as_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in (b"a: 6\n", b"a: [", b"a: 5\n# more\n"):
        monkeypatch.setattr(fmt, "_write", lambda name, data, wrong=wrong: wrong)
        with pytest.raises(ConflictError, match="leave it as it is"):
            canonical("x.yaml", b"a: 5\n")


# Any set, written in any way

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\x85\u2028\u2029"), max_size=12)
LEAVES: list[Json] = [
    {"eq": ["item.secret", True]},
    {"ge": ["item.grade", 3]},
    {"in": ["item.kind", ["film", "paper"]]},
    {"subset": ["item.marks", []]},
    {"after": ["item.until", "$context.today"]},
    {"exists": "item.shelter"},
    True,
]


def joined(word: str, parts: list[Json]) -> Json:
    return {word: parts}


CONDITIONS: st.SearchStrategy[Json] = st.recursive(
    st.sampled_from(LEAVES) | TEXT.map(lambda t: {"eq": ["context.case", "c" + t]}),
    lambda inner: (
        st.builds(joined, st.sampled_from(["all", "any"]), st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda part: {"not": part}, inner)
    ),
    max_leaves=6,
)
TERMS: st.SearchStrategy[Json] = st.sampled_from(
    [
        {"approval": {"lawyer": 2, "head": 1}, "redact": ["names"]},
        {"handling": "RED", "expiry_days": 0},
        {"purposes": ["civil", "criminal"]},
    ]
)


@st.composite
def rules(draw: st.DrawFn) -> list[Json]:
    found: list[Json] = []
    for number in range(draw(st.integers(1, 4))):
        effect = draw(st.sampled_from(["permit", "deny", "require"]))
        rule: dict[str, Json] = {"when": draw(CONDITIONS), "title": draw(TEXT), "basis": draw(TEXT)}
        rule |= {"id": f"r{number}", "effect": effect}
        if effect == "require" or (effect == "permit" and draw(st.booleans())):
            rule["obligations"] = draw(TERMS)
        found.append(rule)
    return found


class Dumper(yaml.SafeDumper):
    """Writes everything in full, as the gateway wants it."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def written(some: list[Json], flow: bool | None, width: int) -> str:
    return str(
        yaml.dump(
            {"rules": some},
            Dumper=Dumper,
            default_flow_style=flow,
            width=width,
            allow_unicode=True,
        )
    )


def scattered(text: str, chance: random.Random) -> str:
    """Return the text with comments and blank lines in places; some may not be allowed there."""
    lines = []
    for number, line in enumerate(text.split("\n")):
        if chance.random() < 0.2:
            lines.append(" " * chance.randrange(6) + f"# alone {number}")
        if chance.random() < 0.1:
            lines.append("")
        lines.append(f"{line}  # behind {number}" if chance.random() < 0.2 else line)
    return "\n".join(lines)


def means(source: str, some: list[Json]) -> bool:
    """Tell whether every reader of YAML finds just these rules in a text."""
    try:
        found = read("r", source.encode()).json()
        document(source)
    except (MalformedError, yaml.YAMLError):
        return False
    return canonical_json(found) == canonical_json({"rules": some})


@settings(max_examples=20, deadline=None)
@given(rules(), st.sampled_from([True, False, None]), st.integers(20, 200), st.integers())
def test_no_digest_and_no_comment_is_lost_and_the_form_is_its_own_form(
    some: list[Json], flow: bool | None, width: int, seed: int
) -> None:
    text = written(some, flow, width)
    wanted = load(_files(written(some, None, 80).encode())).digest
    for source in (text, scattered(text, random.Random(seed))):
        assume(means(source, some))  # a comment may have fallen into a text
        files = _files(source.encode())
        changed = {**files, **formatted(files)}
        assert load(changed).digest == wanted
        assert formatted(changed) == {}
        assert said(changed["rules/r.yaml"]) == said(source.encode())


def _files(data: bytes) -> dict[str, bytes]:
    return {"vocabulary.yaml": VOCABULARY, "obligations.yaml": OBLIGATIONS, "rules/r.yaml": data}


def test_the_small_set_is_the_same_set_in_its_form() -> None:
    changed = {**FILES, **formatted(FILES)}
    assert load(changed).digest == SMALL.digest
