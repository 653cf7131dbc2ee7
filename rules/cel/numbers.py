"""The one number type: whole numbers exact within 64 bits, everything else an IEEE double.

All arithmetic of fast code and exact evaluator is here, so that no result can depend on whether JSON wrote `7` or
`7.0`: a whole double within 64 bits counts as the integer it is (`normal`). Each function first tries Python's own
arithmetic: while operands and result stay below 2**53, a whole result is exact and any other is rounded once, which is
the definition; only beyond does it convert. Operands are `int` or `float`, never `bool`: callers have looked. A result
that is not finite is an error: JSON cannot say it, and no author means it.
"""

from __future__ import annotations

import math
from typing import Any, SupportsFloat

from rules.cel.errors import CelEvaluationError

LEAST, MOST = -(2**63), 2**63 - 1
_EXACT = 2.0**53


def normal(value: Any) -> int | float:
    """The normal form of a number: `int` if whole and within 64 bits, else a finite `float`."""
    if isinstance(value, int):
        if LEAST <= value <= MOST:
            return int(value)
        try:
            return float(value)
        except OverflowError:
            raise CelEvaluationError("the number is too large") from None
    if value != value or value in (math.inf, -math.inf):
        raise CelEvaluationError("the number is not finite")
    if -9.3e18 < value < 9.3e18 and value.is_integer():
        whole = int(value)
        return whole if LEAST <= whole <= MOST else float(value)
    return float(value)


def _finite(value: SupportsFloat) -> int | float:
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if math.isinf(result) or result != result:
        raise CelEvaluationError("the result is too large for a number")
    return result


def _settled(value: int | float) -> int | float:
    """A result: exact if it fits in 64 bits, else a double."""
    if isinstance(value, int):
        return value if LEAST <= value <= MOST else _finite(value)
    return _finite(value)


def add(a: Any, b: Any) -> int | float:
    if -_EXACT < a < _EXACT and -_EXACT < b < _EXACT:
        result: int | float = a + b
        if -_EXACT < result < _EXACT:
            return result
    return _settled(normal(a) + normal(b))


def subtract(a: Any, b: Any) -> int | float:
    if -_EXACT < a < _EXACT and -_EXACT < b < _EXACT:
        result: int | float = a - b
        if -_EXACT < result < _EXACT:
            return result
    return _settled(normal(a) - normal(b))


def multiply(a: Any, b: Any) -> int | float:
    if -_EXACT < a < _EXACT and -_EXACT < b < _EXACT:
        result: int | float = a * b
        if -_EXACT < result < _EXACT:
            return result
    return _settled(normal(a) * normal(b))


def divide(a: Any, b: Any) -> int | float:
    """True division. A quotient of whole numbers that is whole is exact."""
    a, b = normal(a), normal(b)
    if b == 0:
        raise CelEvaluationError("division by zero")
    if isinstance(a, int) and isinstance(b, int):
        quotient, rest = divmod(a, b)
        if not rest:
            return _settled(quotient)
    try:
        return _finite(a / b)
    except OverflowError:
        raise CelEvaluationError("the result is too large for a number") from None


def modulo(a: Any, b: Any) -> int | float:
    """The rest of a division cut toward zero: it has the sign of the dividend."""
    a, b = normal(a), normal(b)
    if b == 0:
        raise CelEvaluationError("modulo by zero")
    if isinstance(a, int) and isinstance(b, int):
        rest = abs(a) % abs(b)
        return -rest if a < 0 else rest
    return _finite(math.fmod(a, b))


def negate(a: Any) -> int | float:
    return _settled(-normal(a))


def truncate(a: Any) -> int:
    """`int(x)`: cut toward zero."""
    whole = int(normal(a))
    if not LEAST <= whole <= MOST:
        raise CelEvaluationError("the number does not fit in 64 bits")
    return whole


def digits(value: Any) -> str:
    """Canonical text: digits for a whole number within 64 bits, else the shortest text of the double."""
    return repr(normal(value))
