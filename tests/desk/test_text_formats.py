"""JSON, CSV and text: what is named is gone, under every spelling; all else is byte for byte as it was."""

import base64
import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.desk import json_file
from gateway.desk.checks import absent_from_bytes, absent_from_text
from gateway.desk.json_file import redacted
from gateway.desk.json_text import scan, spelt
from gateway.desk.redact import Settings, redact
from gateway.desk.removed import TOKEN, Removed, fold
from gateway.kernel.errors import GatewayError, MalformedError, TooLargeError, VerificationError
from tests.desk.documents import NAME, by_name, made, plan

STATEMENT = """{
  "witnesses": [
    {"name": "Anna Kovačević", "age": 41, "weight": 1.10},
    {"name": "Boris Petrović", "age": 39, "weight": 7e-3}
  ],
  "place": "Vi\\u0161egrad"
}
"""


def statement(tmp_path: Path, text: str = STATEMENT) -> Path:
    path = tmp_path / "statement.json"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_values_go_and_everything_else_keeps_its_spelling(tmp_path: Path) -> None:
    out, record = made(statement(tmp_path), ("json_path", "witnesses[*].name"))
    wanted = STATEMENT.replace("Anna Kovačević", TOKEN).replace("Boris Petrović", TOKEN)
    assert out.read_text(encoding="utf-8") == wanted
    assert record.removed == ("witness_identity",)
    assert all(check.passed for check in record.checks)


@pytest.mark.parametrize(
    ("path", "gone"),
    [
        ("/witnesses/0/name", 1),
        ("$.witnesses[1].name", 1),
        ("**.name", 2),
        ('["witnesses"].*.name', 2),
        ("witnesses[0]", 3),
        ("witnesses", 6),
    ],
)
def test_paths_are_spelt_in_several_ways(tmp_path: Path, path: str, gone: int) -> None:
    removed = Removed()
    text = redacted(STATEMENT, plan(("json_path", path)), removed)
    assert len(removed.values) + removed.too_short == gone
    assert json.loads(text)["place"] == "Višegrad"


OTHER_SPELLINGS = [
    "anna kovačević",
    "ANNA KOVAČEVIĆ",
    unicodedata.normalize("NFD", "Anna Kovačević"),
    "Anna Kovacevic",
    "Ａｎｎａ Kovačević",
    "Anna\u00a0\u200bKovače\u00advić",
    "Anna-Kovačević@example",
    json.dumps("Anna Kovačević")[1:-1].replace("\\", "\\\\"),
    base64.b64encode("x: Anna Kovačević".encode()).decode(),
    base64.urlsafe_b64encode("xy: Anna Kovačević".encode()).decode(),
    "Anna%20Kova%C4%8Devi%C4%87",
    "Anna Kova&#269;evi&#263;",
    "Anna Kova&#x10d;evi&#x107;",
    "Anna Kovačević".encode("utf-16-be").hex(),
]


@pytest.mark.parametrize("other", OTHER_SPELLINGS)
def test_a_value_left_under_another_spelling_is_found(tmp_path: Path, other: str) -> None:
    """The message says where, and never what."""
    text = f'{{"name": "{NAME}", "note": "she, {other}, saw it"}}'
    path = statement(tmp_path, text)
    with pytest.raises(VerificationError) as refused:
        made(path, ("json_path", "name"))
    assert "note" in str(refused.value) or "the file (block" in str(refused.value)
    assert "kova" not in fold(str(refused.value))
    assert [found.name for found in tmp_path.iterdir()] == ["statement.json"]


def test_bytes_in_a_legacy_or_wide_encoding_are_found() -> None:
    removed = Removed()
    removed.add(NAME, "name")
    for name in ("utf-16-le", "utf-16-be", "cp1250", "utf-8"):
        data = b"\x00\xff" + NAME.upper().encode(name) + b"\x00"
        assert not absent_from_bytes(removed, [("here", data)]).passed
    assert absent_from_bytes(removed, [("here", b"Anna K.")]).passed


def test_a_name_that_holds_the_value_is_not_told(tmp_path: Path) -> None:
    path = statement(tmp_path, f'{{"name": "{NAME}", "{NAME}": {{"x": "{NAME}"}}}}')
    with pytest.raises(VerificationError, match="whose own name must not be told") as refused:
        made(path, ("json_path", "name"))
    assert "Anna" not in str(refused.value)


def test_short_values_are_named_and_not_pretended_to_be_checked(tmp_path: Path) -> None:
    _, record = made(statement(tmp_path), ("json_path", "witnesses[*].age"))
    told = by_name(record)["searched-for"].detail
    assert "2 too short to be looked for: witnesses[0].age, witnesses[1].age" in told


def test_a_surname_that_stands_alone_is_pointed_at(tmp_path: Path) -> None:
    path = statement(tmp_path, '{"name": "Anna Kovačević", "note": "Mrs KOVACEVIC left"}')
    _, record = made(path, ("json_path", "name"))
    assert by_name(record)["single-words-elsewhere"].detail == "look at: note"


def test_texts_within_values_go_and_the_check_then_passes(tmp_path: Path) -> None:
    path = statement(tmp_path, f'{{"name": "{NAME}", "note": "so {NAME.upper()} said"}}')
    out, _ = made(path, ("json_path", "name"), ("text", NAME))
    assert json.loads(out.read_text(encoding="utf-8")) == {
        "name": TOKEN,
        "note": f"so {TOKEN} said",
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"name": "a", "name": "b"}', "a name stands twice"),
        ('{"name": "a", "n\\u0061me": "b"}', "a name stands twice"),
        ('{"name": NaN}', "not valid JSON"),
        ('{"name": "a",}', "a comma with nothing after it"),
        ('{"name": "a"} {}', "something stands after"),
        ('{"name": "a\nb"}', "a string that is not valid"),
        ("[" * 300, "nested deeper"),
        ('{"name" "a"}', "expected a colon"),
        ("{name: 1}", "expected a name"),
        ("[1 2]", "expected a comma"),
        ("", "not valid JSON"),
    ],
)
def test_json_that_is_read_differently_by_others_is_refused(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(MalformedError, match=says):
        made(statement(tmp_path, text), ("json_path", "name"))


def test_json_keeps_its_byte_order_mark_and_line_ends(tmp_path: Path) -> None:
    out, _ = made(
        statement(tmp_path, '\ufeff{\r\n"name": "Anna Kovač"\r\n}\r\n'), ("json_path", "name")
    )
    assert out.read_bytes() == b'\xef\xbb\xbf{\r\n"name": "[redacted]"\r\n}\r\n'


def test_half_a_surrogate_pair_is_no_crash(tmp_path: Path) -> None:
    path = statement(tmp_path, '{"name": "\\ud800 Anna Kovač", "note": "\\udfff Anna Kovač"}')
    out, _ = made(path, ("json_path", "name"), ("text", "Anna Kovač"))
    assert json.loads(out.read_text()) == {"name": TOKEN, "note": f"\udfff {TOKEN}"}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(document=_JSON, data=st.data(), indent=st.sampled_from([None, 1]), ascii_=st.booleans())
@settings(max_examples=60, deadline=None)
def test_chosen_values_are_gone_and_everything_else_is_equal(
    document: Any, data: st.DataObject, indent: int | None, ascii_: bool
) -> None:
    """Of any document and any of its places: a check that passes is right, and nothing else changed."""
    source = json.dumps(document, indent=indent, ensure_ascii=ascii_)
    root, _ = scan(source)
    nodes = [node for node in root.walk() if node.path]
    if not nodes:
        return
    chosen = data.draw(st.sets(st.sampled_from(range(len(nodes))), min_size=1, max_size=3))
    paths = {nodes[at].path for at in chosen}
    removed = Removed()
    after = redacted(source, plan(*(("json_path", _bracketed(path)) for path in paths)), removed)
    assert json.loads(after) == _without(document, (), paths)
    texts = [(spelt(node.path), node.text) for node in scan(after)[0].walk()]
    names = [("name", str(node.path[-1])) for node in scan(after)[0].walk() if node.path]
    passed = absent_from_text(removed, [*texts, *names]).passed
    left = [fold(text) for _, text in [*texts, *names]]
    really = not any(
        fold(value).strip() in text
        for value in removed.values
        for text in left
        if len(fold(value)) > 4
    )
    assert not passed or really


def _bracketed(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{json.dumps(step, ensure_ascii=False)}]" for step in path)


def _without(value: Any, path: tuple[str | int, ...], gone: set[tuple[str | int, ...]]) -> Any:
    if path in gone:
        return TOKEN
    if isinstance(value, list):
        return [_without(inner, (*path, n), gone) for n, inner in enumerate(value)]
    if isinstance(value, dict):
        return {name: _without(inner, (*path, name), gone) for name, inner in value.items()}
    return value


TABLE = 'id;name;note\r\n1;"Kovač; Anna";=1+2\r\n2;Boris Petrov;"on\r\ntwo lines"\r\n3;;-7\r\n'


def table(tmp_path: Path, text: str = TABLE, encoding: str = "utf-8-sig") -> Path:
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_column_becomes_tokens_and_the_rest_keeps_its_spelling(tmp_path: Path) -> None:
    """Also an empty cell: that there was nothing is not told either."""
    out, record = made(table(tmp_path), ("column", "name"))
    told = TABLE.replace('"Kovač; Anna"', TOKEN).replace("Boris Petrov", TOKEN)
    assert out.read_bytes() == told.replace("3;;", f"3;{TOKEN};").encode("utf-8-sig")
    assert by_name(record)["formula-cells"].detail.startswith("1 cells")


def test_rows_go_whole(tmp_path: Path) -> None:
    out, _ = made(table(tmp_path), ("rows", "id=2"))
    assert out.read_bytes() == (
        b'\xef\xbb\xbfid;name;note\r\n1;"Kova\xc4\x8d; Anna";=1+2\r\n3;;-7\r\n'
    )


def test_a_name_in_another_column_is_found_with_line_and_column(tmp_path: Path) -> None:
    path = table(tmp_path, "id,name,note\n1,Anna Kovač,\n2,Bo,told by anna KOVAC\n")
    with pytest.raises(VerificationError, match="line 3, column note"):
        made(path, ("column", "name"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2,3\n", "line 2 has 3 cells"),
        ("a,b\n1\n", "line 2 has 1 cells"),
        ('a,b\n"x"y,2\n', "text stands after"),
        ('a,b\n1,"x\n', "does not end"),
        ("x,y\n1,2\n", "names no such column"),
    ],
)
def test_csv_that_is_not_sure_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(MalformedError, match=says):
        made(table(tmp_path, text), ("column", "a"), ("column", "b"))


def test_text_in_cells_goes_and_the_cell_stays_one(tmp_path: Path) -> None:
    out, _ = made(table(tmp_path), ("text", "petrov"), ("regex", r"two\s+lines"))
    assert '2;"Boris [redacted]";"on\r\n[redacted]"' in out.read_bytes().decode("utf-8-sig")


def lines(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "transcript.txt"
    path.write_bytes(text.encode(encoding))
    return path


def test_texts_expressions_and_lines_go_from_a_text(tmp_path: Path) -> None:
    text = "Q: who?\r\nA: Anna  Kovač, +49 171 1234567\r\nthird line here\r\nfourth\r\nlast"
    out, _ = made(
        lines(tmp_path, text),
        ("text", "anna kovač"),
        ("regex", r"\+\d[\d ]{6,}"),
        ("lines", "3-4"),
    )
    assert out.read_bytes() == b"Q: who?\r\nA: [redacted], [redacted]\r\n[redacted]\r\nlast"


@pytest.mark.parametrize(
    "text", ["saw Anna\nKovač there", "saw Anna Ko-\nvač there", "A n n a Kovač"]
)
def test_a_value_across_lines_or_spaced_out_is_found(tmp_path: Path, text: str) -> None:
    path = lines(tmp_path, f"Anna Kovač\n{text}\n")
    with pytest.raises(VerificationError, match="a removed value is still at line"):
        made(path, ("regex", r"\AAnna Kovač$"))


def test_overlapping_matches_become_one_token(tmp_path: Path) -> None:
    out, record = made(
        lines(tmp_path, "so Anna Kovač said\n"), ("text", "Anna Kovač"), ("regex", "Kovač said")
    )
    assert out.read_text() == "so [redacted]\n"
    assert by_name(record)["something-removed"].detail == "2 places"


@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-8-sig", ""), ("utf-16", ""), ("cp1250", "cp1250")]
)
def test_text_keeps_its_encoding(tmp_path: Path, encoding: str, said: str) -> None:
    path = lines(tmp_path, "tu je Anna Kovač\r\nžena\r\n", encoding)
    out, _ = made(path, ("text", "Anna Kovač"), encoding=said)
    assert out.read_bytes() == "tu je [redacted]\r\nžena\r\n".encode(encoding)


def test_an_encoding_that_is_not_so_is_said(tmp_path: Path) -> None:
    path = lines(tmp_path, "Anna Kovač žena", "cp1250")
    with pytest.raises(MalformedError, match="it is not utf-8: say --encoding"):
        made(path, ("text", "Anna"))
    with pytest.raises(MalformedError, match="has a name such as"):
        made(path, ("text", "Anna"), encoding="klingon")


def test_an_instruction_that_meets_nothing_is_an_error_unless_allowed(tmp_path: Path) -> None:
    path, out = lines(tmp_path, "so Anna Kovač said\n"), tmp_path / "out.txt"
    wanted = plan(("text", "Anna Kovač"), ("text", "Boris"))
    with pytest.raises(VerificationError, match=r"instruction 2 \(text\) met nothing"):
        redact(path, out, wanted, Settings())
    assert redact(path, out, wanted, Settings(allow_unmatched=True)).record.checks
    with pytest.raises(VerificationError, match="met nothing"):  # nothing at all is no redaction
        redact(
            path,
            tmp_path / "o",
            plan(("text", "Boris"), format="text"),
            Settings(allow_unmatched=True),
        )


def test_a_slow_expression_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.desk.patterns.SECONDS", 0.2)
    path = lines(tmp_path, "a" * 40 + "b\n")
    with pytest.raises(TooLargeError, match="takes longer than"):
        made(path, ("regex", "(a+)+c"))


def test_many_values_are_looked_for_in_one_pass() -> None:
    removed = Removed()
    for number in range(500):
        removed.add(f"Name{number:04d} Surname", "here")
    parts: Iterator[tuple[str, str]] = ((f"line {n}", f"NAME{n:04d}-surname") for n in (7, 900))
    told = absent_from_text(removed, parts)
    assert told.detail == "a removed value is still at line 7"


def test_too_large_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_file, "MAX_FILE", 10)
    with pytest.raises(TooLargeError, match="worked on in memory, up to 10"):
        made(statement(tmp_path), ("json_path", "place"))
    monkeypatch.setattr("gateway.desk.files.MAX_LINE", 10)
    with pytest.raises(TooLargeError, match="line 1 has more than 10"):
        made(lines(tmp_path, "x" * 100), ("text", "x"))
    monkeypatch.setattr("gateway.desk.removed.MAX_VALUES", 1)
    removed = Removed()
    removed.add("Anna Kovač", "here")
    with pytest.raises(TooLargeError, match="split the file"):
        removed.add("Boris Petrov", "here")


def test_a_derivative_is_redacted_further_and_leads_back_to_the_original(tmp_path: Path) -> None:
    first, one = made(statement(tmp_path), ("json_path", "witnesses[*].name"), out="one.json")
    second = tmp_path / "two.json"
    two = redact(
        first,
        second,
        plan(("json_path", "**.name"), ("json_path", "place"), removes="location"),
        Settings(),
    ).record
    assert two.original_sha256 == one.original_sha256
    assert two.removed == ("location", "witness_identity")


def test_errors_speak_of_instructions_and_never_of_what_they_look_for(tmp_path: Path) -> None:
    path = statement(tmp_path)
    for said in (("field", NAME), ("region", NAME), ("regex", "("), ("json_path", f"{NAME}[")):
        with pytest.raises(GatewayError) as refused:
            made(path, said)
        assert "Anna" not in str(refused.value)
        assert "instruction 1" in str(refused.value)
