"""Codes sort as values do, and say where they end."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.order import ABSENT, CUT, LONGEST, code

numbers = st.one_of(st.integers(), st.integers(-(2**3000), 2**3000), st.floats(allow_nan=False, allow_infinity=False))
near = st.integers(2**53 - 3, 2**53 + 3) | st.integers(-4, 4).map(lambda each: each / 4)


@given(numbers | near, numbers | near)
def test_numbers_sort_exactly(one: float, other: float) -> None:
    a, b = Fraction(one), Fraction(other)
    assert (code(one) < code(other), code(one) == code(other)) == (a < b, a == b)


@given(st.text(), st.text() | st.text(alphabet="a\0\1\2", max_size=4))
def test_texts_sort_by_code_points(one: str, other: str) -> None:
    a, b = [ord(each) for each in one], [ord(each) for each in other]
    assert (code(one) < code(other), code(one) == code(other)) == (a < b, a == b)


def test_kinds_follow_each_other() -> None:
    ordered: list[Any] = [None, False, True, -(10**400), -1.5, 0, 5e-324, 1, 10**400, "", "\0", "a", "ä", [1], [], {}]
    codes = [code(value) for value in ordered]
    assert codes == sorted(set(codes))


def test_what_json_shows_as_null_or_as_text_is_that() -> None:
    assert code(float("nan")) == code(float("-inf")) == code(None) == ABSENT
    assert code(b"abc") == code("YWJj")


anything = st.recursive(st.none() | st.booleans() | numbers | st.text(), lambda inner: st.lists(inner, max_size=2))
endings = st.text(alphabet="a\0\1", min_size=240, max_size=270)


@given(anything | endings, anything | endings)
def test_no_code_is_the_beginning_of_another_and_none_is_long(one: Any, other: Any) -> None:
    a, b = code(one), code(other)
    assert max(len(a), len(b)) <= LONGEST
    assert a == b or not b.startswith(a)


@pytest.mark.parametrize("begin", ["a", "ä", "\0", "-"])
def test_long_values_stand_by_their_first_bytes_and_equal_only_themselves(begin: str) -> None:
    long = begin * 300
    assert code(long + "a") != code(long + "b")
    assert code(long)[:CUT] == code(long + "b")[:CUT]
    assert code("!" + long) < code("z" + long)
    assert code(10**3000 + 1) != code(10**3000)
