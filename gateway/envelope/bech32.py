"""Bech32 (BIP 173) without its length limit, as age spells keys."""

from collections.abc import Iterable

from gateway.kernel.errors import MalformedError

_CHARS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM = 6  # characters


def encode(hrp: str, data: bytes) -> str:
    """Spell *data* under the lower-case prefix *hrp*."""
    values = _regroup(data, 8, 5, pad=True)
    check = _polymod([*_expand(hrp), *values, *([0] * _CHECKSUM)]) ^ 1
    values += [check >> 5 * (_CHECKSUM - 1 - i) & 31 for i in range(_CHECKSUM)]
    return hrp + "1" + "".join(_CHARS[v] for v in values)


def decode(text: str) -> tuple[str, bytes]:
    """Return prefix (lower case) and data. Raises MalformedError; mixed case is malformed."""
    lower = text.lower()
    hrp, separator, rest = lower.rpartition("1")
    known = all(c in _CHARS for c in rest) and text.isascii()
    if text not in (lower, text.upper()) or not separator or not hrp or not known:
        raise MalformedError("not a bech32 key")
    values = [_CHARS.index(c) for c in rest]
    if len(values) < _CHECKSUM or _polymod([*_expand(hrp), *values]) != 1:
        raise MalformedError("bech32 checksum does not hold")
    return hrp, bytes(_regroup(values[:-_CHECKSUM], 5, 8, pad=False))


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(_GENERATOR):
            check ^= generator if top >> i & 1 else 0
    return check


def _expand(hrp: str) -> list[int]:
    return [*(ord(c) >> 5 for c in hrp), 0, *(ord(c) & 31 for c in hrp)]


def _regroup(data: Iterable[int], size: int, to: int, *, pad: bool) -> list[int]:
    held = bits = 0
    out: list[int] = []
    for value in data:
        held = (held << size | value) & 0xFFFFFF
        bits += size
        while bits >= to:
            bits -= to
            out.append(held >> bits & ((1 << to) - 1))
    if pad and bits:
        out.append(held << (to - bits) & ((1 << to) - 1))
    elif not pad and (bits >= size or held & ((1 << bits) - 1)):
        raise MalformedError("bech32 padding is not zero")
    return out
