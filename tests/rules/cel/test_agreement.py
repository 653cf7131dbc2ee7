"""Properties: fast code agrees with the exact evaluator, and 7 with 7.0, for all expressions and all JSON."""

from __future__ import annotations

import math
import operator
from datetime import UTC, datetime
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules import cel
from rules.cel import numbers
from tests.rules.cel.agreement import outcome, same
from tests.rules.cel.generate import Expressions, event_data, json_value

RANDOM = st.randoms(use_true_random=False)
NUMBER = st.integers(-(2**65), 2**65) | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-100, 100)


def program_of(random: Random) -> cel.Program | None:
    expressions = Expressions(random, random.choice((0.0, 0.05, 0.3)))
    text = random.choice((expressions.truth, expressions.any))(random.choice((1, 2, 3, 4)))
    try:
        return cel.compile(text)
    except cel.CelSyntaxError:
        return None


def variables_of(random: Random) -> dict[str, Any]:
    event = {"data": event_data(random, random.choice((0, 0.3))), "time": datetime(2024, 2, 3, tzinfo=UTC)}
    return {"event": event, "row": event_data(random) if random.random() < 0.7 else json_value(random)}


@given(RANDOM)
@settings(max_examples=400, deadline=None)
def test_fast_code_agrees_with_the_exact_evaluator(random: Random) -> None:
    program = program_of(random)
    if program is None:
        return
    for _ in range(3):
        variables = variables_of(random)
        explained = program.explain(variables)
        exactly = ("error", type(explained.error), explained.error.message) if explained.error else None
        assert same(outcome(lambda v=variables: program(v)), exactly or ("value", explained.value))  # type: ignore[misc]


def otherwise(value: Any) -> Any:
    """The same JSON, its whole numbers written the other way."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) <= 2**53:
        return float(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(value)
    if isinstance(value, list):
        return [otherwise(element) for element in value]
    return {key: otherwise(element) for key, element in value.items()} if isinstance(value, dict) else value


@given(RANDOM)
@settings(max_examples=300, deadline=None)
def test_no_result_depends_on_whether_json_wrote_7_or_7_0(random: Random) -> None:
    program = program_of(random)
    if program is None:
        return
    variables = variables_of(random)
    assert same(outcome(lambda: program(variables)), outcome(lambda: program(otherwise(variables))))


@given(NUMBER, NUMBER)
@settings(max_examples=500)
def test_arithmetic_is_exact_within_64_bits_and_ieee_beyond(a: float, b: float) -> None:
    for name, operate in (("add", operator.add), ("subtract", operator.sub), ("multiply", operator.mul)):
        x, y = numbers.normal(a), numbers.normal(b)
        try:
            expected = operate(x, y)
            expected = expected if numbers.LEAST <= expected <= numbers.MOST else float(expected)
        except OverflowError:
            expected = math.inf
        found = outcome(lambda name=name: getattr(numbers, name)(a, b))  # type: ignore[misc]
        assert found == ("value", expected) if math.isfinite(expected) else found[0] == "error"


@given(NUMBER, NUMBER.filter(bool))
@settings(max_examples=500)
def test_a_dividend_is_quotient_times_divisor_and_rest(a: float, b: float) -> None:
    x, y = numbers.normal(a), numbers.normal(b)
    rest = numbers.modulo(a, b)
    assert abs(rest) < abs(y)
    assert rest == 0 or (rest > 0) == (x > 0)
    if isinstance(x, int) and isinstance(y, int):
        assert (x - rest) % y == 0
        assert x % y or numbers.divide(a, b) in (x // y, float(x // y))
