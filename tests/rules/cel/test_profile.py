"""RULES.md §8, rule by rule: each sentence of the profile is a table of expressions and their values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rules import cel
from tests.rules.cel.conftest import Evaluate

EVENT = {
    "data": {
        "seven": 7,
        "also_seven": 7.0,
        "half": 0.5,
        "text": "EU",
        "yes": True,
        "nothing": None,
        "list": [1, 2.0, "a", True, None],
        "map": {"a": 1, "b": None},
    },
    "time": datetime(2024, 1, 31, 12, 30, 0, 500_000, UTC),
}


def table(*rows: tuple[str, Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("text", "expected"), rows, ids=[text for text, _ in rows])


def errors(*texts: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("text", texts)


@table(
    ("7 / 2", 3.5),
    ("8 / 2", 4),
    ("9223372036854775807 / 1", 2**63 - 1),
    ("-7 % 3", -1),
    ("7 % -3", 1),
    ("-7.5 % 2", -1.5),
    ("5.5 % 2.5", 0.5),
    ("9007199254740993 + 0", 2**53 + 1),
    ("9007199254740993 + 1.0", 2**53 + 2),
    ("9223372036854775807 + 1", 2.0**63),
    ("-9223372036854775808 - 1", -(2.0**63)),
    ("4294967296 * 4294967296", 2.0**64),
    ("0.1 + 0.2", 0.1 + 0.2),
    ("1 + 0.5", 1.5),
    ("-(-9223372036854775808)", 2.0**63),
    ("int(1.9)", 1),
    ("int(-1.9)", -1),
    ("event.data.seven == event.data.also_seven", True),
    ("event.data.seven + event.data.half", 7.5),
    ("[10, 20][1.0]", 20),
    ("{7: 'x'}[7.0]", "x"),
    ("7.0 in {7: 'x'}", True),
    ("string(35.0)", "35"),
    ("string(7.0) + string(7)", "77"),
    ("size('abc') == 3.0", True),
    ("0x1F", 31),
    ("1e3", 1000),
    (".5 + 1.5e0", 2),
)
def test_there_is_one_number(evaluate: Evaluate, text: str, expected: Any) -> None:
    found = evaluate(text, event=EVENT)
    assert found == expected
    assert not isinstance(found, bool) or isinstance(expected, bool)


@errors(
    "1 / 0", "1 % 0", "1.0 / 0.0", "0.0 / 0.0", "1.5 % 0.0", "1e308 * 10", "-1e308 - 1e308", "1 + true", "-true", "-'a'"
)
def test_arithmetic_without_a_finite_number_is_an_error(evaluate: Evaluate, text: str) -> None:
    with pytest.raises(cel.CelEvaluationError):
        evaluate(text)


@errors(
    "'a' + 1",
    "1 + 'a'",
    "'a' * 2",
    "[1] * 2",
    "[1] + 'a'",
    "null + 1",
    "{} + {}",
    "timestamp(0) + timestamp(0)",
    "1 - 'a'",
)
def test_operators_do_not_convert(evaluate: Evaluate, text: str) -> None:
    with pytest.raises(cel.CelEvaluationError, match=r"cannot (add|subtract|multiply)"):
        evaluate(text)


@table(
    ("1 == '1'", False),
    ("1 != '1'", True),
    ("true == 1", False),
    ("1 == true", False),
    ("false != 0", True),
    ("event.data.yes == 1", False),
    ("event.data.yes != 1", True),
    ("event.data.seven == 7.0", True),
    ("[1, [true]] == [1.0, [1]]", False),
    ("[1, [true]] == [1.0, [true]]", True),
    ("{'a': 1} == {'a': 1.0}", True),
    ("{'a': 1} == {'a': true}", False),
    ("{1: 'a'} == {true: 'a'}", False),
    ("null == false", False),
    ("null == null", True),
    ("event.data.nothing == null", True),
    ("[] == {}", False),
    ("timestamp(0) == 0", False),
    ("timestamp('2024-01-01T01:00:00+01:00') == timestamp('2024-01-01T00:00:00Z')", True),
    ("true in [1]", False),
    ("1 in [true, 1.0]", True),
    ("event.data.yes in [0, 1]", False),
    ("event.data.seven in [7.0, 8]", True),
    ("event.data.text in ['EU', 'US']", True),
    ("event.data.list in ['EU']", False),
    ("event.data.nothing in [null, 1]", True),
    ("1 in {true: 'x'}", False),
    ("null in {'a': 1}", False),
    ("[1] in [[1.0]]", True),
    ("'a' in event.data.map", True),
)
def test_equality_across_types_is_false_and_a_boolean_is_never_a_number(
    evaluate: Evaluate, text: str, expected: Any
) -> None:
    assert evaluate(text, event=EVENT) is expected


@table(
    ("1 < 2.5", True),
    ("'B' < 'a'", True),
    ("'é' < '𝄞'", True),
    ("false < true", True),
    ("event.data.yes > false", True),
    ("timestamp(0) < timestamp(1)", True),
    ("event.time >= timestamp('2024-01-31T12:30:00Z')", True),
    ("duration('1m') <= duration('60s')", True),
    ("9007199254740993 > 9007199254740992.0", True),
)
def test_numbers_strings_booleans_and_times_have_an_order(evaluate: Evaluate, text: str, expected: Any) -> None:
    assert evaluate(text, event=EVENT) is expected


@errors(
    "1 < 'a'",
    "event.data.text > 1",
    "event.data.yes > 0",
    "0 < event.data.yes",
    "event.data.seven > true",
    "event.data.nothing < 1",
    "[1] < [2]",
    "null < null",
    "{} < {}",
    "event.time > 0",
    "event.time > duration('1s')",
)
def test_nothing_else_can_be_ordered(evaluate: Evaluate, text: str) -> None:
    with pytest.raises(cel.CelEvaluationError, match="cannot compare"):
        evaluate(text, event=EVENT)


@table(
    ("has(event.data.text)", True),
    ("has(event.data.nothing)", True),
    ("has(event.data.gone)", False),
    ("has(event.data.gone.deeper.still)", False),
    ("has(event.data.nothing.deeper)", False),
    ("has(event.data.map.a)", True),
    ("has({'a': 1}.a)", True),
    ("has(event.data.list)", True),
    ("[{'a': 1}, {}].map(x, has(x.a))", [True, False]),
)
def test_has_is_false_when_any_parent_is_absent_or_null(evaluate: Evaluate, text: str, expected: Any) -> None:
    assert evaluate(text, event=EVENT) == expected


@errors("has(event.data.text.x)", "has(event.data.list.x)", "has(event.data.seven.x.y)", "has(gone.x)", "has([1][2].x)")
def test_has_is_an_error_where_another_parent_is_no_map(evaluate: Evaluate, text: str) -> None:
    with pytest.raises(cel.CelEvaluationError) as caught:
        evaluate(text, event=EVENT)
    assert not isinstance(caught.value, cel.NotEvaluated)


@errors(
    "event.data.gone",
    "event.data.gone == 1",
    "event.data.gone != 1",
    "!event.data.gone",
    "event.data.nothing.x",
    "size(event.data.gone)",
)
def test_an_absent_field_makes_the_rule_not_evaluated(evaluate: Evaluate, text: str) -> None:
    with pytest.raises(cel.NotEvaluated, match=r"`event\.data\.(gone|nothing\.x)` is absent"):
        evaluate(text, event=EVENT)


@errors(
    "event.data.list[9]",
    "event.data.list[-1]",
    "[1][0.5]",
    "[1][true]",
    "['a']['a']",
    "event.data.map['z']",
    "{1: 2}[true]",
    "unknown",
    "'abc'[0]",
)
def test_a_missing_index_key_or_variable_is_an_error(evaluate: Evaluate, text: str) -> None:
    with pytest.raises(cel.CelEvaluationError) as caught:
        evaluate(text, event=EVENT)
    assert not isinstance(caught.value, cel.NotEvaluated)


@table(
    ("event.data.gone == 1 || true", True),
    ("true || event.data.gone == 1", True),
    ("event.data.gone == 1 && false", False),
    ("1 / 0 == 1 || event.data.text == 'EU'", True),
    ("'no boolean' && false", False),
    ("false || !(event.data.text < 1 && false)", True),
    ("[0, 1].exists(x, 1 / x == 1)", True),
    ("[0, 1].all(x, 1 / x == 2)", False),
    ("[].all(x, x)", True),
    ("[].exists(x, x)", False),
    ("true ? 1 : 1 / 0", 1),
)
def test_logic_and_quantifiers_absorb_errors(evaluate: Evaluate, text: str, expected: Any) -> None:
    assert evaluate(text, event=EVENT) == expected


@errors(
    "event.data.gone == 1 || false",
    "true && 1 / 0 == 1",
    "1 && true",
    "(1 / 0 == 1) ? 1 : 2",
    "1 ? 1 : 2",
    "[0, 1].exists(x, 1 / x == 2)",
    "[0, 1].map(x, 1 / x)",
    "[0, 1].filter(x, 1 / x == 1)",
    "[0, 1].exists_one(x, 1 / x == 1)",
    "[1].exists(x, x)",
    "!1",
)
def test_all_else_lets_errors_through(evaluate: Evaluate, text: str) -> None:
    with pytest.raises(cel.CelEvaluationError):
        evaluate(text, event=EVENT)


@table(
    ("[1, 2, 3].filter(x, x > 1)", [2, 3]),
    ("[1, 2, 3].map(x, x * 2)", [2, 4, 6]),
    ("[1, 2, 3].map(x, x > 1, x * 2)", [4, 6]),
    ("[1, 2, 3].exists_one(x, x > 2)", True),
    ("[1, 2, 3].exists_one(x, x > 1)", False),
    ("{'a': 1, 'b': 2}.map(k, k)", ["a", "b"]),
    ("{'a': 1}.all(k, k == 'a')", True),
    ("[[1, 2], [3]].map(x, x.map(y, y + size(x)))", [[3, 4], [4]]),
    ("[1].map(x, [2].map(x, x))", [[2]]),
    ("[1, 2].map(x, [x].exists(x, x == 2) || x == 1)", [True, True]),
    ("[1, 2].map(event, event + 1)", [2, 3]),
    ("[1] + [2.5]", [1, 2.5]),
)
def test_macros_visit_lists_and_the_keys_of_maps(evaluate: Evaluate, text: str, expected: Any) -> None:
    assert evaluate(text, event=EVENT) == expected


@table(
    ("'abc'.matches('b')", True),
    ("matches('abc', '^b')", False),
    ("event.data.text.matches('^[A-Z]{2}$')", True),
    ("event.data.text.matches(event.data.text)", True),
    ("'é𝄞'.size()", 2),
    ("size([1, 2])", 2),
    ("size({'a': 1})", 1),
    ("'abc'.contains('bc')", True),
    ("'abc'.startsWith('ab') && 'abc'.endsWith('bc')", True),
    ("int('-12')", -12),
    ("int(timestamp('1970-01-02T00:00:00Z'))", 86400),
    ("double('1.5e2')", 150),
    ("bool('true') && !bool('f')", True),
    ("string(true) + string(1.50) + string('x')", "true1.5x"),
    ("dyn(1) == 1", True),
)
def test_functions_are_those_of_cel(evaluate: Evaluate, text: str, expected: Any) -> None:
    assert evaluate(text, event=EVENT) == expected


@errors(
    "int('1.5')",
    "int('')",
    "int('9223372036854775808')",
    "int(1e300)",
    "int(true)",
    "double('nan')",
    "double('1e999')",
    "double('')",
    "bool('yes')",
    "bool(1)",
    "string(null)",
    "string([1])",
    "timestamp('yesterday'+'')",
    "timestamp(1e18)",
    "duration(5)",
    "size(1)",
    "event.data.seven.startsWith('a')",
    "event.data.list.contains('a')",
    "'a'.contains(1)",
    "'a'.matches(event.data.text + '(')",
    "event.data.seven.matches('7')",
    "event.data.seven.getHours()",
)
def test_functions_refuse_what_cel_refuses(evaluate: Evaluate, text: str) -> None:
    with pytest.raises(cel.CelEvaluationError):
        evaluate(text, event=EVENT)


@table(
    ("event.time + duration('30m')", datetime(2024, 1, 31, 13, 0, 0, 500_000, UTC)),
    ("duration('30m') + event.time", datetime(2024, 1, 31, 13, 0, 0, 500_000, UTC)),
    ("event.time - duration('500ms')", datetime(2024, 1, 31, 12, 30, tzinfo=UTC)),
    ("timestamp('2024-02-01T00:00:00Z') - timestamp('2024-01-31T00:00:00Z')", timedelta(days=1)),
    ("duration('1h') - duration('90m')", timedelta(minutes=-30)),
    ("duration('2d') + duration('1w')", timedelta(days=9)),
    ("duration('1h30m') == duration('5400s')", True),
    ("duration('1.5us') == duration('1500ns')", True),
    ("timestamp('2024-01-31T12:30:00.1234567Z')", datetime(2024, 1, 31, 12, 30, 0, 123456, UTC)),
    ("timestamp(0)", datetime(1970, 1, 1, tzinfo=UTC)),
    ("event.time.getFullYear()", 2024),
    ("event.time.getMonth()", 0),
    ("event.time.getDate()", 31),
    ("event.time.getDayOfMonth()", 30),
    ("event.time.getDayOfYear()", 30),
    ("event.time.getDayOfWeek()", 3),
    ("timestamp('2024-02-04T00:00:00Z').getDayOfWeek()", 0),
    ("event.time.getHours()", 12),
    ("event.time.getHours('Europe/Berlin')", 13),
    ("timestamp('2024-07-01T12:00:00Z').getHours('Europe/Berlin')", 14),
    ("event.time.getHours('-08:30') * 60 + event.time.getMinutes('-08:30')", 240),
    ("event.time.getMilliseconds()", 500),
    ("duration('26h59m').getHours()", 26),
    ("duration('-90s').getMinutes()", -1),
    ("duration('90m').getSeconds()", 5400),
    ("duration('123.321s').getMilliseconds()", 321),
)
def test_times_follow_cel(evaluate: Evaluate, text: str, expected: Any) -> None:
    assert evaluate(text, event=EVENT) == expected


@errors(
    "timestamp('9999-12-31T23:59:59Z') + duration('1s')",
    "timestamp('0001-01-01T00:00:00Z') - duration('1s')",
    "timestamp('0001-01-01T00:00:00Z').getHours('-08:00')",
    "duration('87660000h') + duration('1h')",
    "event.time.getHours('Mars/Olympus' + '')",
    "event.time.getHours('../../etc/passwd' + '')",
    "event.time.getHours('/etc/localtime' + '')",
    "event.time.getHours('Europe' + '')",
    "event.time.getHours('Europe/Berlin\\x00' + '')",
    "event.time.getHours('' + '')",
    "event.time.getHours(1)",
    "event.time.getHours('+99:00' + '')",
    "duration('1h').getDayOfWeek()",
    "duration('1h').getHours('UTC')",
)
def test_times_out_of_range_and_unknown_zones_are_errors(evaluate: Evaluate, text: str) -> None:
    with pytest.raises(cel.CelEvaluationError):
        evaluate(text, event=EVENT)


@errors(
    "{'a': 1, 'b': 2}['a' + ''] + {'x' + '': 1, 'x': 2}.x",
    "{null: 1}",
    "{[1]: 1}",
    "{event.time: 1}",
    "{1 + 0: 'a', true: 'b'}",
)
def test_keys_are_strings_numbers_and_booleans_each_once(evaluate: Evaluate, text: str) -> None:
    with pytest.raises(cel.CelEvaluationError):
        evaluate(text, event=EVENT)


def test_explain_tells_each_comparison_with_the_values_read() -> None:
    program = cel.compile(
        "event.data.seven > 5 && has(event.data.gone) || event.data.text == 'US' || event.data.gone > 1"
    )
    explained = program.explain({"event": EVENT})
    assert [(step.operator, step.operands) for step in explained.steps] == [
        (">", (7, 5)),
        ("has", ()),
        ("==", ("EU", "US")),
        ("||", ()),
    ]
    assert [step.result for step in explained.steps[:3]] == [True, False, False]
    assert isinstance(explained.steps[3].result, cel.NotEvaluated)
    assert isinstance(explained.error, cel.NotEvaluated)
    assert explained.error.message == "`event.data.gone` is absent"
    text = program.text
    assert text[explained.error.offset : explained.error.end] == "event.data.gone"
