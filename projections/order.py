"""The one order of the values of rows, as bytes that sort as the values do, in every store.

    absent, null, no finite number   <   false   <   true   <   numbers   <   texts   <   lists   <   maps

Numbers compare exactly, whole or not and of any size: 1 and 1.0 are one value, 2⁵³ and 2⁵³ + 1 are two. Texts compare
by code points. Bytes and what else JSON shows as text are that text; lists and maps compare by their JSON text with
sorted keys.

A **code** ends where it says, none is the beginning of another, and it has at most LONGEST bytes: of a value whose code
would have CUT or more, the first ones and a digest, so such values stand in the order of their first 256 bytes, and
only equal ones are equal. Stores and cursors hold codes: another order is another `FORMAT` of the stores.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from math import frexp, isfinite
from typing import Any, Final

import msgspec

ABSENT: Final = b"\x10"
FALSE: Final = b"\x20"
TRUE: Final = b"\x21"
_NEGATIVE: Final = b"\x30"
_ZERO: Final = b"\x31"
_POSITIVE: Final = b"\x32"
_TEXT: Final = b"\x40"
_LIST: Final = b"\x50"
_MAP: Final = b"\x60"

KINDS: Final[dict[int, tuple[bytes, bytes]]] = {
    0x10: (b"\x10", b"\x11"),
    0x20: (b"\x20", b"\x22"),
    0x21: (b"\x20", b"\x22"),
    0x30: (b"\x30", b"\x33"),
    0x31: (b"\x30", b"\x33"),
    0x32: (b"\x30", b"\x33"),
    0x40: (b"\x40", b"\x41"),
    0x50: (b"\x50", b"\x51"),
    0x60: (b"\x60", b"\x61"),
}
"""First byte of a code → where the codes of values of its kind begin, and where they end."""

CUT: Final = 257
"""Bytes of a code that is not shorter that are kept, the first says the kind."""
LONGEST: Final = CUT + 16
_BIAS: Final = 1 << 31
_PAIRS: Final = [bytes((pair >> 7 << 1 | 1, (pair & 127) << 1 | 1)) for pair in range(1 << 14)]
"""14 bits → two groups of a number that goes on."""
_LAST: Final = [bytes((each & 254,)) for each in range(256)]
_FLIP: Final = bytes(255 - each for each in range(256))
_json: Final = msgspec.json.Encoder(order="sorted").encode


def code(value: Any) -> bytes:
    """Of a JSON-like value."""
    try:
        return _CODES[type(value)](value)
    except KeyError:
        return code(msgspec.json.decode(_json(value)))  # what JSON has no word for is as it is shown


def _bool(value: bool) -> bytes:
    return TRUE if value else FALSE


def _float(value: float) -> bytes:
    if not isfinite(value):
        return ABSENT  # shown as null
    if value == 0:
        return _ZERO
    fraction, exponent = frexp(abs(value))
    # As `_number` does it, two groups at a time: most numbers of rows are these.
    rest = int(fraction * 2**53) - 2**52 << 4
    groups = (
        _PAIRS[rest >> 42] + _PAIRS[rest >> 28 & 16383] + _PAIRS[rest >> 14 & 16383] + _PAIRS[rest & 16383]
    ).rstrip(b"\1")
    body = (exponent - 1 + _BIAS).to_bytes(4) + (groups[:-1] + _LAST[groups[-1]] if groups else b"\0")
    return _NEGATIVE + body.translate(_FLIP) if value < 0 else _POSITIVE + body


@lru_cache(4096)
def _int(value: int) -> bytes:
    if value == 0:
        return _ZERO
    size = abs(value)
    bits = size.bit_length() - 1
    return _number(value < 0, bits, size - (1 << bits), bits)


def _number(negative: bool, exponent: int, rest: int, bits: int) -> bytes:
    """± (1 + rest / 2^bits) · 2^exponent. The rest goes in groups of seven bits, the highest first; the lowest bit of
    each byte says whether another one follows."""
    whole = rest
    if rest:
        zeros = (rest & -rest).bit_length() - 1
        bits -= zeros
        rest >>= zeros
    count = max(1, -(-bits // 7)) if rest else 1
    cut = count >= CUT - 5
    if cut:
        rest >>= bits - 7 * (CUT - 5)
        count = CUT - 5
    else:
        rest <<= count * 7 - bits if rest else 0
    last = (rest & 127) << 1 | cut
    rest >>= 7
    groups = [last]
    for _ in range(count - 1):
        groups.append((rest & 127) << 1 | 1)
        rest >>= 7
    groups.reverse()
    body = (exponent + _BIAS).to_bytes(4) + bytes(groups)
    begin = _NEGATIVE + body.translate(_FLIP) if negative else _POSITIVE + body
    return begin + _digest(whole.to_bytes(-(-whole.bit_length() // 8))) if cut else begin


@lru_cache(4096)
def _str(value: str) -> bytes:
    return _text(_TEXT, value.encode())


def _text(kind: bytes, text: bytes) -> bytes:
    """A zero byte ends it, and is nowhere else."""
    found = kind + text.replace(b"\1", b"\1\2").replace(b"\0", b"\1\1") + b"\0"
    return found if len(found) < CUT else found[:CUT] + _digest(text)


def _digest(whole: bytes) -> bytes:
    return hashlib.blake2b(whole, digest_size=16).digest()


_CODES: Final[dict[type, Callable[[Any], bytes]]] = {
    type(None): lambda value: ABSENT,
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    list: lambda value: _text(_LIST, _json(value)),
    dict: lambda value: _text(_MAP, _json(value)),
}
