"""Aggregates, by the book: all values are there, exact numbers are fractions, comparisons are CEL's."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from typing import Any

from rules import cel
from rules.cel.numbers import normal
from tests.oracle.values import evaluated


def number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def takes(function: str, value: Any) -> bool:
    """Whether a value can enter at all: what has no order has no minimum, what is no number has no sum."""
    if function in ("sum", "avg"):
        return number(value)
    if function in ("min", "max"):
        return value is not None and not isinstance(value, (list, dict))
    return True


def aggregated(function: str, values: list[Any]) -> Any:
    """Of values in their order (`first` and `last` mean that), at least one. Raises CelEvaluationError."""
    if function == "count":
        return len(values)
    if function in ("sum", "avg"):
        total = sum((Fraction(normal(value)) for value in values), Fraction(0))
        return rounded(total if function == "sum" else total / len(values))
    if function in ("min", "max"):
        text = "a < b ? a : b" if function == "min" else "a > b ? a : b"
        return reduce(lambda a, b: evaluated(text, {"a": a, "b": b}), values)
    if function == "distinct":
        return len(different(values))
    return values[0] if function == "first" else values[-1]


def different(values: list[Any]) -> list[Any]:
    """The first of each that are equal."""
    kept: list[Any] = []
    for value in values:
        if not any(evaluated("a == b", {"a": value, "b": other}) for other in kept):
            kept.append(value)
    return kept


def rounded(exact: Fraction) -> int | float:
    """The number of CEL nearest to an exact one: whole within 64 bits, else a double."""
    if exact.denominator == 1 and -(2**63) <= exact < 2**63:
        return int(exact)
    try:
        return normal(float(exact))
    except OverflowError:
        raise cel.CelEvaluationError("the result is too large for a number") from None
