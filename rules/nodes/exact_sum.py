"""Exact sums: running ones that elements can leave again, and those of a few numbers that are all there.

A running sum is two places of a list, so that it lies in a cell as it is: `numerator / 2**scale`. Every finite double
is such a fraction, so nothing is rounded before the end, and the order of elements does not matter. The scale grows to
what the finest element needs (1,074 at most). A numerator beyond 64 bits stands as bytes, because msgpack knows no
longer numbers.

A few numbers are added up anew each time, without such a sum, if doubles hold all of them (`plain`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from math import frexp, fsum, ulp
from typing import Any, Final

from rules.cel.errors import CelEvaluationError
from rules.cel.numbers import LEAST, MOST, normal

EXACT: Final = 2**53
"""Up to here a double holds every whole number."""


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


def plain(value: int | float) -> bool:
    """Whether `plain_total` and `plain_mean` take it."""
    return -EXACT <= value <= EXACT


def plain_total(values: Sequence[int | float]) -> int | float:
    """As `total`, of plain values in their normal form."""
    found = fsum(values)
    if -EXACT < found < EXACT:
        return int(found) if found.is_integer() else found
    # there are whole numbers that no double holds
    return total(_running(values), 0)


def plain_mean(values: Sequence[int | float]) -> int | float:
    """As `total` divided by their number, of one plain value at least."""
    count = len(values)
    found = fsum(values) / count
    rest = fsum([*values, *repeat(-found, count)])
    # The sum was rounded and then the quotient. That is the nearest double all the same if what is missing is less
    # than half of its last place (which is not as large on both sides of a power of two).
    if not rest or (2 * abs(rest) < count * ulp(found) and frexp(abs(found))[0] != 0.5):
        return int(found) if found.is_integer() else found
    return total(_running(values), 0, count)


def _running(values: Iterable[int | float]) -> list[Any]:
    sums = [0, 0]
    for value in values:
        put(sums, 0, value)
    return sums


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
