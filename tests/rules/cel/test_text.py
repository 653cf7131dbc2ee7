"""Values as text, in keys, in payloads and inside of templates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import cel

TEXTS: list[tuple[Any, str]] = [
    ("as it is", "as it is"),
    ("", ""),
    (35.0, "35"),
    (35, "35"),
    (-0.0, "0"),
    (0.5, "0.5"),
    (1e15, "1000000000000000"),
    (123456789012345678, "123456789012345678"),
    (1e16, "10000000000000000"),
    (2**64, "1.8446744073709552e+19"),
    (1e300, "1e+300"),
    (1e-7, "1e-07"),
    (True, "true"),
    (False, "false"),
    (datetime(2024, 1, 31, 12, 30, tzinfo=UTC), "2024-01-31T12:30:00Z"),
    (datetime(2024, 1, 31, 12, 30, 0, 500_000, UTC), "2024-01-31T12:30:00.5Z"),
    (datetime(2024, 1, 31, 12, 30, tzinfo=timezone(timedelta(hours=1))), "2024-01-31T11:30:00Z"),
    (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
    (timedelta(minutes=90), "5400s"),
    (timedelta(milliseconds=-1500), "-1.5s"),
    (timedelta(), "0s"),
    (timedelta(microseconds=1), "0.000001s"),
]


@pytest.mark.parametrize(("value", "expected"), TEXTS)
def test_scalars_have_one_text(value: Any, expected: str) -> None:
    assert cel.text(value) == cel.inline(value) == expected


NAIVE = datetime(2024, 1, 1)  # noqa: DTZ001


@pytest.mark.parametrize("value", [[1], {"a": 1}, float("nan"), float("inf"), 10**400, object(), b"x", NAIVE])
def test_what_is_no_key_has_no_text(value: Any) -> None:
    with pytest.raises(cel.CelEvaluationError):
        cel.text(value)


def test_a_null_key_is_not_evaluated() -> None:
    with pytest.raises(cel.NotEvaluated):
        cel.text(None)


@given(st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False))
def test_equal_numbers_have_equal_texts_that_read_back(number: float) -> None:
    assert float(cel.text(number)) == float(number)
    whole = int(number)
    if whole == number and float(whole) == whole and -(2**63) <= whole < 2**63:
        assert cel.text(whole) == cel.text(float(whole))


def test_a_payload_is_json() -> None:
    value = {
        "whole": 35.0,
        "half": 0.5,
        "at": datetime(2024, 1, 31, tzinfo=UTC),
        "after": timedelta(hours=1),
        "list": [1.0, {"deep": 2.0}, None, True],
    }
    expected = {"whole": 35, "half": 0.5, "at": "2024-01-31T00:00:00Z", "after": "3600s"}
    made = cel.payload(value)
    assert made == {**expected, "list": [1, {"deep": 2}, None, True]}
    assert isinstance(made["whole"], int)
    assert isinstance(made["list"][1]["deep"], int)
    assert made["list"] is not value["list"]
    assert cel.payload({7.0: "x"}) == {"7": "x"}


@pytest.mark.parametrize("value", [{1: "a", "1": "b"}, {None: 1}, [object()], float("nan"), [10**400]])
def test_what_is_no_json_is_no_payload(value: Any) -> None:
    with pytest.raises(cel.CelEvaluationError):
        cel.payload(value)


VARIABLES: dict[str, Any] = {
    "n": 35.0,
    "s": "EU",
    "at": datetime(2024, 1, 31, tzinfo=UTC),
    "nothing": None,
    "l": [1.0, "é", {"a": None}],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ("${n}", 35),
        ("${n * 2}", 70),
        ("${s}", "EU"),
        ("${'lit'}", "lit"),
        ("${at}", "2024-01-31T00:00:00Z"),
        ("${nothing}", None),
        ("${l}", [1, "é", {"a": None}]),
        (" ${n}", " 35"),
        ("${n}${n}", "3535"),
        ("a ${s} at ${at}!", "a EU at 2024-01-31T00:00:00Z!"),
        ("${nothing} ${l}", 'null [1,"é",{"a":null}]'),
        ("${true}.${5.0}", "true.5"),
        ("$${n}", "${n}"),
        ("$$${n}", "$${n}"),
        ("$5 and $", "$5 and $"),
        ("a $${b} ${s}", "a ${b} EU"),
        ("${ {'a': '}'}['a'] }", "}"),
        ("${ {'a': {'b': 1}}.a.b }", 1),
        ("${ n // a comment with }\n }", 35),
        ("${ '''}''' + r\"}\" } }", "}} }"),
        ("}} ${n} {{", "}} 35 {{"),
    ],
)
def test_templates_render(text: str, expected: Any) -> None:
    made = cel.template(text)(VARIABLES)
    assert made == expected
    assert type(made) is type(expected)


def test_a_template_knows_its_parts() -> None:
    template = cel.template("a ${x.y} b ${'lit'}")
    assert [part if isinstance(part, str) else "node" for part in template.parts] == ["a ", "node", " b ", "node"]
    assert not template.whole
    assert template.names == {"x"}
    assert cel.paths(template.node) == {("x", "y")}
    assert cel.template("${x}").whole
    assert cel.template("x").constant
    assert not cel.template("${'x'}").constant


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("a ${n", 2, "`${` is not closed"),
        ("a ${ {'a': 1 }", 2, "`${` is not closed"),
        ("a ${}", 4, "the expression is empty"),
        ("a ${n + }", 8, "the expression ends too early"),
        ("a ${n = 1}", 6, "unexpected `=`"),
        ("ok ${n} and ${foo(1)}", 14, "unknown function `foo`"),
        ("ok ${n} and ${'x}", 14, "the string is not closed"),
        ("ok ${n} ${s.matches('(')}", 20, "the pattern is not RE2: missing ): ("),
    ],
)
def test_errors_point_into_the_whole_payload_string(text: str, offset: int, message: str) -> None:
    with pytest.raises(cel.CelSyntaxError) as caught:
        cel.template(text)
    assert (caught.value.offset, caught.value.message) == (offset, message)


def test_an_absent_field_in_a_template_is_not_evaluated() -> None:
    with pytest.raises(cel.NotEvaluated):
        cel.template("a ${x.gone}")({"x": {}})


def test_templates_are_bounded() -> None:
    with pytest.raises(cel.CelSyntaxError, match="longer than 100000"):
        cel.template("a" * 100_001)
    with pytest.raises(cel.CelSyntaxError, match="more than 200 parts"):
        cel.template("${a}" * 300)
    with pytest.raises(cel.CelBudgetError):
        cel.template("${a}${a}${a}")({"a": "x" * 400_000})
