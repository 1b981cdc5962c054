"""What is missing, in words for people."""

from collections.abc import Mapping, Sequence

from gateway.policy.clearances import APPROVAL
from gateway.policy.enforce import REDACT, SUPPORT, WATERMARK
from gateway.policy.vocabulary import Fact, Vocabulary
from gateway.policy.ways import Change, Way

_NAMED = 5  # items named in a line


def in_words(vocabulary: Vocabulary, way: Way, names: Sequence[str] = ()) -> list[str]:
    """Return what is to be done, a line each, for people; *names* are those of the items, if of several."""
    said = [_change_in_words(vocabulary, change, names) for change in way.changes]
    said += [_clearance_in_words(what, count) for what, count in way.clearances]
    return [*said, *(_measure_in_words(kind, word) for kind, word in way.measures)]


def _change_in_words(vocabulary: Vocabulary, change: Change, names: Sequence[str]) -> str:
    attribute = vocabulary.attributes[change.path]
    obtain = attribute.obtain or attribute.label
    value = _value_in_words(change.value)
    if "…" in obtain:
        said = obtain.replace("…", value)
    else:
        said = obtain if change.value is True else f"{obtain}: {value}"
    if change.items and len(names) > 1:
        said += f", for {which(change.items, names)}"
    return said


def which(items: Sequence[int], names: Sequence[str]) -> str:
    """Name items by their positions, the first few of many."""
    said = [names[i] for i in items]
    more = f" and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
    return f"{', '.join(said[:_NAMED])}{more}"


def _value_in_words(value: Fact) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(", ".join(sorted(value)) if isinstance(value, frozenset) else str(value))


def _clearance_in_words(what: str, count: int) -> str:
    kind, _, word = what.partition(":")
    if kind == APPROVAL:
        return f"{'an approval' if count == 1 else f'{count} approvals'} as {plain(word)}"
    return f"the agreement of the {plain(word)}, consulted"


def _measure_in_words(kind: str, word: str) -> str:
    said: Mapping[str, str] = {
        REDACT: "a derivative without",
        WATERMARK: "for the recipient alone, a copy with mark",
        SUPPORT: "the announcement of the recipient's system that it honours",
    }
    return f"{said[kind]} {plain(word)}"


def plain(word: str) -> str:
    """Return a word of the vocabulary as people write it."""
    return word.replace("_", " ")
