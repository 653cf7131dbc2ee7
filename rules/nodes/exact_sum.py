"""Exact sums that elements can leave again: two places of a list, so that they lie in a cell as they are.

A sum is `numerator / 2**scale`: every finite double is such a fraction, so nothing is rounded before the end, and the
order of elements does not matter. The scale grows to what the finest element needs (1,074 at most). A numerator
beyond 64 bits stands as bytes, because msgpack knows no longer numbers.
"""

from __future__ import annotations

from typing import Any

from rules.cel.errors import CelEvaluationError
from rules.cel.numbers import LEAST, MOST, normal


def put(sums: list[Any], at: int, value: int | float, sign: int = 1) -> None:
    """Adds a value to the sum at that place, or with sign -1 takes it out."""
    numerator, scale = sums[at], sums[at + 1]
    if numerator.__class__ is bytes:
        numerator = int.from_bytes(numerator, "big", signed=True)
    if value.__class__ is float:
        more, denominator = value.as_integer_ratio()
        finer = denominator.bit_length() - 1
        if finer > scale:
            numerator <<= finer - scale
            sums[at + 1] = finer
        elif finer < scale:
            more <<= scale - finer
    else:
        more = int(value) << scale
    numerator = numerator + more if sign > 0 else numerator - more
    if not numerator:
        sums[at + 1] = 0
    sums[at] = numerator if LEAST <= numerator <= MOST else _long(numerator)


def merge(sums: list[Any], at: int, other: list[Any], sign: int = 1) -> None:
    """Adds the sum that another list has at the same place, or with sign -1 takes it out."""
    numerator, scale = _read(sums, at)
    more, finer = _read(other, at)
    if finer > scale:
        numerator, scale = numerator << (finer - scale), finer
    more <<= scale - finer
    numerator = numerator + more if sign > 0 else numerator - more
    sums[at] = numerator if LEAST <= numerator <= MOST else _long(numerator)
    sums[at + 1] = scale if numerator else 0


def total(sums: list[Any], at: int, count: int = 1) -> int | float:
    """The sum divided by a count, rounded once: whole within 64 bits, else the nearest double. Raises
    CelEvaluationError where that is too large."""
    numerator, scale = _read(sums, at)
    if not scale and count == 1 and LEAST <= numerator <= MOST:
        return numerator
    whole, rest = divmod(numerator, count << scale)
    if not rest and LEAST <= whole <= MOST:
        return whole
    try:
        # division of integers is rounded correctly, however long they are
        return normal(numerator / (count << scale))
    except OverflowError:
        raise CelEvaluationError("the result is too large for a number") from None


def _read(sums: list[Any], at: int) -> tuple[int, int]:
    numerator = sums[at]
    if numerator.__class__ is bytes:
        numerator = int.from_bytes(numerator, "big", signed=True)
    return numerator, sums[at + 1]


def _long(numerator: int) -> bytes:
    return numerator.to_bytes((numerator.bit_length() >> 3) + 1, "big", signed=True)
