"""Google's own CEL as oracle on generated expressions; and by name, where the profile means something else.

The oracle runs without its type checker, because it tells whole numbers from doubles where we have one number.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings

from rules import cel
from tests.rules.cel.agreement import outcome, same
from tests.rules.cel.common import EVENTS, expressions

oracle = pytest.importorskip("cel_expr_python.cel")
ENVIRONMENT = oracle.NewEnv(variables={"e": oracle.Type.DYN, "x": oracle.Type.DYN, "t": oracle.Type.TIMESTAMP})
TIME = datetime(2024, 3, 31, 1, 59, 59, tzinfo=UTC)
LONGER = "2024-01-01T00:00:00.500Z"
REFUSED = ("refused",)
ERROR = ("error",)


def ours(text: str, event: dict[str, Any]) -> tuple[Any, ...]:
    try:
        program = cel.compile(text)
    except cel.CelSyntaxError:
        return REFUSED
    found = outcome(lambda: program({"e": event, "x": 3, "t": TIME}))
    return ERROR if found[0] == "error" else found


def theirs(text: str, event: dict[str, Any]) -> tuple[Any, ...]:
    try:
        program = ENVIRONMENT.compile(text, disable_check=True)
    except Exception:  # whatever it raises, it is a refusal
        return REFUSED
    value = program.eval(data={"e": event, "x": 3, "t": TIME})
    if value.type().name() == "ERROR":
        return ERROR
    return "value", value.plain_value()


@given(expressions(), EVENTS)
@settings(max_examples=1_000, deadline=None)
def test_generated_expressions_have_the_same_value_or_are_both_an_error(text: str, event: dict[str, Any]) -> None:
    found, expected = ours(text, event), theirs(text, event)
    if found in (REFUSED, ERROR) or expected in (REFUSED, ERROR):
        assert (found[0] == "value") == (expected[0] == "value"), (found, expected)
    else:
        assert same(found[1], expected[1]), (found, expected)


@pytest.mark.parametrize(
    "text",
    [
        "timestamp('2024-02-29T12:30:15.5Z').getDayOfYear()",
        "timestamp('2024-02-29T12:30:15.5Z').getMonth()",
        "timestamp('2024-02-29T12:30:15.5Z').getDate()",
        "timestamp('2024-02-29T12:30:15.5Z').getDayOfMonth()",
        "timestamp('2024-02-29T12:30:15.5Z').getDayOfWeek()",
        "timestamp('2024-02-29T12:30:15.5Z').getHours('Asia/Kolkata')",
        "timestamp('2024-02-29T12:30:15.5Z').getMinutes('-02:30')",
        "timestamp('2024-02-29T12:30:15.5Z').getMilliseconds()",
        "timestamp('2024-02-29T12:30:15.5+05:30') - timestamp('2024-01-01T00:00:00Z')",
        "duration('-123.321s').getMilliseconds()",
        "duration('-123.321s').getSeconds()",
        "duration('-90m').getHours()",
        "string(duration('90m'))",
        "int(timestamp('1969-12-31T23:59:58.5Z'))",
        "int(-1.7) + int('12') + int('-3')",
        "string(1.5) + string(true) + string(7.0)",
        "bool('t') && !bool('FALSE')",
        "'abc'.matches('a.c') && !'abc'.matches('^b')",
        "{'a': 1, 'b': [1, {'c': null}]} == {'b': [1, {'c': null}], 'a': 1}",
        "1 == 1.0 && 1 in [1.0] && 2 > 1.5",
        "1 == '1' || null == false || true == 1",
        "-7 % 3 == -1 && 7 % -3 == 1",
        "{1: 2}[1.0]",
        "r'\\d' + '\\x41\\101\\u00e9' + '''a'b'''",
        "[3, 2, 1].map(x, x > 1, x * 2)",
        "true ? (false ? 1 : 2) : 3",
    ],
)
def test_the_rest_of_the_standard_means_the_same(text: str) -> None:
    value = oracle.NewEnv().compile(text, disable_check=True).eval(data={})
    assert same(cel.compile(text)({}), value.plain_value())


def value(of: Any) -> tuple[str, Any]:
    return "value", of


DEVIATIONS: dict[str, list[tuple[str, tuple[Any, ...], tuple[Any, ...]]]] = {
    "division is true division": [
        ("7 / 2", value(3.5), value(3)),
        ("e.seven / 2", value(3.5), value(3)),
    ],
    "whole numbers and fractions are one type": [
        ("1 + 1.5", value(2.5), ERROR),
        ("e.seven * 0.5", value(3.5), ERROR),
        ("{1.0: 2}[1]", value(2), ERROR),
    ],
    "`%` takes all numbers and the sign of the dividend": [
        ("-7.5 % 2.0", value(-1.5), ERROR),
        ("e.seven % 2.0", value(1), ERROR),
    ],
    "division by zero is an error for fractions, too": [
        ("1.0 / 0.0", ERROR, value(float("inf"))),
        ("-1.0 / 0.0", ERROR, value(float("-inf"))),
    ],
    "there is no infinity and no not-a-number": [
        ("1e400", REFUSED, value(float("inf"))),
        ("double('inf')", ERROR, value(float("inf"))),
        ("double('nan') == 1.0", ERROR, value(False)),
        ("1e308 * 10.0", ERROR, value(float("inf"))),
    ],
    "a whole number beyond 64 bits is a double": [
        ("9223372036854775807 + 1", value(2.0**63), ERROR),
        ("2147483648 * 4294967296", value(2.0**63), ERROR),
    ],
    "a whole number below 1e16 is written without a point or an exponent": [
        ("string(1e15)", value("1000000000000000"), value("1e+15")),
    ],
    "`has` is false when any parent is absent or null": [
        ("has(e.gone.b.c)", value(False), ERROR),
        ("has(e.nothing.b)", value(False), ERROR),
    ],
    "a duration takes days and weeks": [
        ("string(duration('1d'))", value("86400s"), ERROR),
        ("string(duration('1w'))", value("604800s"), ERROR),
    ],
    "a time as text has a fraction only where there is one": [
        ("string(timestamp('2024-01-01T00:00:00.500Z'))", value("2024-01-01T00:00:00.5Z"), value(LONGER)),
    ],
    "there are no bytes, no unsigned numbers and no types as values": [
        ("size(b'x')", REFUSED, value(1)),
        ("size(bytes('a'))", REFUSED, value(1)),
        ("1u == 1u", REFUSED, value(True)),
        ("uint(1) == 1u", REFUSED, value(True)),
        ("type(1) == type(2)", REFUSED, value(True)),
    ],
    "conversions do not guess": [
        ("int(' 1')", ERROR, value(1)),
        ("int(true)", ERROR, value(1)),
    ],
    "reserved words may be fields": [
        ("e.in", value(1), REFUSED),
        ("e.for", value(2), value(2)),
    ],
    "a map holds not both 1 and true": [
        ("size({1: 'a', true: 'b'})", REFUSED, value(2)),
    ],
}  # fmt: skip
EVENT = {"seven": 7, "nothing": None, "in": 1, "for": 2}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_the_profile_means_something_else_on_purpose(name: str) -> None:
    for text, expected, of_cel in DEVIATIONS[name]:
        assert ours(text, EVENT) == expected, text
        assert theirs(text, EVENT) == of_cel, text
    assert any(expected != of_cel for _, expected, of_cel in DEVIATIONS[name])
