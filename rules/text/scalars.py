"""What a plain scalar means: YAML 1.2's core schema, with only `true` and `false` as booleans.

Quoted and block scalars are always text. So are times, `12:30`, `1_000`, `yes`, `on` and dates, which other readers of
YAML take for something else.
"""

from __future__ import annotations

import math
import re
from typing import Final

from rules.text.nodes import Scalar

_INTEGER: Final = re.compile(r"[-+]?[0-9]+", re.ASCII)
_BASED: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII)
_BEGINS_LIKE_A_NUMBER: Final = frozenset("-+.0123456789")
_LARGEST: Final = 40
"""Digits: far beyond 64 bits, and cheap to read."""


class NoValue(ValueError):
    """A scalar that means a number which cannot be kept. The message says why."""


def resolve(scalar: Scalar) -> str | int | float | bool | None:
    """Raises NoValue for numbers beyond 64 bits or a double, and for infinities."""
    text = scalar.value
    if scalar.style != "plain":
        return text
    if text == "true":
        return True
    if text == "false":
        return False
    if text in ("", "~", "null"):
        return None
    if text[0] not in _BEGINS_LIKE_A_NUMBER:
        return text
    if _INTEGER.fullmatch(text) or _BASED.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isinf(number):
            raise NoValue("the number is larger than any that can be kept")
        return number
    if _NOT_FINITE.fullmatch(text):
        raise NoValue("infinity and not-a-number are no values of JSON")
    return text


def has_leading_zero(scalar: Scalar) -> bool:
    """Whether a number such as `007` would lose its zeros."""
    return scalar.style == "plain" and re.fullmatch(r"[-+]?0[0-9]+", scalar.value, re.ASCII) is not None


def _integer(text: str) -> int:
    if len(text) > _LARGEST:
        raise NoValue("the number does not fit in 64 bits")
    number = int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if not -(2**63) <= number < 2**63:
        raise NoValue("the number does not fit in 64 bits")
    return number
