"""A sum is exact and rounded once, whether it is a running one or adds up what is there."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rules.cel import CelEvaluationError
from rules.cel.numbers import LEAST, MOST, normal
from rules.nodes import exact_sum
from streams.state import Cell, decode_cell, encode_cell

NUMBERS = st.one_of(
    st.integers(LEAST, MOST),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.1, 0.2, 0.3, 1e308, -1e308, 5e-324, 2**53, 0.5]),
).map(normal)

PLAIN = st.one_of(
    st.integers(-(2**53), 2**53),
    st.integers(-(2**60), 2**60).map(lambda number: number / 2**10),
    st.floats(-(2.0**53), 2.0**53),
    st.sampled_from([0.1, 0.2, 0.3, 5e-324, 0.5, 2**53, 2**53 - 1, 2.0**-1022]),
).map(normal)


def rounded(exact: Fraction) -> int | float | None:
    """None beyond the doubles."""
    if exact.denominator == 1 and LEAST <= exact <= MOST:
        return int(exact)
    try:
        return normal(float(exact))
    except OverflowError:
        return None


def said(sums: list[object], count: int = 1) -> int | float | None:
    try:
        return exact_sum.total(sums, 0, count)
    except CelEvaluationError:
        return None


def same(found: int | float | None, wanted: int | float | None) -> bool:
    return repr(found) == repr(wanted)


@given(st.lists(NUMBERS), st.randoms(use_true_random=False))
def test_the_sum_is_exact_whatever_the_order(values: list[int | float], chance: object) -> None:
    wanted = rounded(sum((Fraction(value) for value in values), Fraction(0)))
    for _ in range(2):
        sums: list[object] = [0, 0]
        for value in values:
            exact_sum.put(sums, 0, value)
        assert same(said(sums), wanted)
        chance.shuffle(values)  # type: ignore[attr-defined]


@given(st.lists(NUMBERS), st.data())
def test_what_leaves_was_never_there(values: list[int | float], data: st.DataObject) -> None:
    staying = [data.draw(st.booleans()) for _ in values]
    sums: list[object] = [0, 0]
    for value in values:
        exact_sum.put(sums, 0, value)
    for value, stays in zip(values, staying, strict=True):
        if not stays:
            exact_sum.put(sums, 0, value, -1)
    kept = [value for value, stays in zip(values, staying, strict=True) if stays]
    assert same(said(sums), rounded(sum(map(Fraction, kept), Fraction(0))))
    if not kept:
        assert sums == [0, 0]


@given(st.lists(NUMBERS, min_size=1))
def test_the_mean_is_rounded_once(values: list[int | float]) -> None:
    sums: list[object] = [0, 0]
    for value in values:
        exact_sum.put(sums, 0, value)
    assert same(said(sums, len(values)), rounded(sum(map(Fraction, values), Fraction(0)) / len(values)))


@given(st.lists(PLAIN, min_size=1))
@example([2**53, 1])
@example([2**53, 2**53, 1, 1])
@example([1, 1 + 2**-52, 1 - 2**-53])
@example([0.1] * 3)
@example([5e-324, 0, 0])
def test_what_is_added_up_at_once_is_rounded_once_too(values: list[int | float]) -> None:
    assert all(map(exact_sum.plain, values))
    exact = sum(map(Fraction, values), Fraction(0))
    assert same(exact_sum.plain_total(values), rounded(exact))
    assert same(exact_sum.plain_mean(values), rounded(exact / len(values)))


@given(st.lists(NUMBERS), st.lists(NUMBERS))
def test_sums_of_parts_make_the_sum_of_the_whole(some: list[int | float], others: list[int | float]) -> None:
    parts: list[list[object]] = [[0, 0], [0, 0]]
    for part, values in zip(parts, (some, others), strict=True):
        for value in values:
            exact_sum.put(part, 0, value)
    exact_sum.merge(parts[0], 0, parts[1])
    assert same(said(parts[0]), rounded(sum(map(Fraction, some + others), Fraction(0))))


@given(st.lists(NUMBERS))
def test_a_sum_goes_through_a_cell_as_it_is(values: list[int | float]) -> None:
    sums: list[object] = [0, 0]
    for value in values:
        exact_sum.put(sums, 0, value)
        sums = decode_cell(encode_cell(Cell(nodes={"n": sums}))).nodes["n"]
    assert same(said(sums), rounded(sum(map(Fraction, values), Fraction(0))))


def test_what_rounding_at_every_step_would_lose_is_there() -> None:
    sums: list[object] = [0, 0]
    for value in (1e308, 1, -1e308, 2**62, 0.25, 0.75):
        exact_sum.put(sums, 0, value)
    assert exact_sum.total(sums, 0) == 2**62 + 2


def test_a_sum_beyond_the_doubles_is_an_error() -> None:
    sums: list[object] = [0, 0]
    exact_sum.put(sums, 0, 1.7e308)
    exact_sum.put(sums, 0, 1.7e308)
    with pytest.raises(CelEvaluationError, match="too large"):
        exact_sum.total(sums, 0)
    exact_sum.put(sums, 0, 1.7e308, -1)
    assert exact_sum.total(sums, 0) == 1.7e308
