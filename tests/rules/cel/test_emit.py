"""Fast code, as a rule compiler inlines it: scopes, types, further functions, and what generated code can reach."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import cel
from rules.cel import emit
from rules.cel.types import ANY, BOOL, NUMBER, STRING, TIMESTAMP, ListOf, MapOf, Record
from tests.rules.cel.agreement import outcome, same
from tests.rules.cel.generate import NUMBERS, STRINGS, Expressions, json_value


def compiled(node: cel.Node, scope: cel.Scope, *parameters: str, condition: bool = False) -> Callable[..., Any]:
    """A function of what `emit.statements` gives, as a rule compiler would write one."""
    body = [
        *emit.statements(node, scope, "result", condition=condition),
        ast.Return(ast.Name("result", ast.Load())),
    ]
    arguments = ast.arguments([], [ast.arg(name) for name in parameters], None, [], [], None, [])
    function = ast.FunctionDef("rule", arguments, body, [], **({"type_params": []} if hasattr(ast, "TypeVar") else {}))
    tree = ast.fix_missing_locations(ast.Module([function], []))
    namespace: dict[str, Any] = {**emit.HELPERS, **scope.namespace}
    exec(builtins.compile(tree, "<test>", "exec"), namespace)
    made: Callable[..., Any] = namespace["rule"]
    return made


def fast_text(text: str, scope: cel.Scope) -> str:
    return ast.unparse(emit.expression(cel.parse(text), scope))


SCHEMA = Record(
    {
        "a": (NUMBER, False),
        "n": (NUMBER, True),
        "s": (STRING, False),
        "t": (STRING, True),
        "flag": (BOOL, False),
        "l": (ListOf(NUMBER), False),
        "m": (Record({"a": (NUMBER, True), "b": (STRING, False)}, open=True), False),
    }
)


def data_scope(typed: bool) -> cel.Scope:
    scope = cel.Scope()
    scope.declare(("event", "data"), "data", SCHEMA if typed else ANY)
    return scope


@pytest.mark.parametrize(
    ("text", "untyped", "typed"),
    [
        ("event.data.s == 'EU'", "data['s'] == 'EU'", "data['s'] == 'EU'"),
        ("event.data.a == 7", "data['a'] == 7", "data['a'] == 7"),
        ("event.data.a == 1", "(_t1 := data['a']) == 1 and _t1.__class__ is not _cel_bool", "data['a'] == 1"),
        ("event.data.flag == true", "data['flag'] is True", "data['flag'] is True"),
        ("event.data.t == null", "data['t'] is None", "data['t'] is None"),
        (
            "event.data.a > 1000 && event.data.s == 'EU'",
            "(_t1 if (_t1 := data['a']).__class__ is not _cel_bool else _cel_refuse(_t1)) > 1000 and data['s'] == 'EU'",
            "data['a'] > 1000 and data['s'] == 'EU'",
        ),
        ("has(event.data.t)", "'t' in data if data.__class__ is _cel_dict else _cel_has(data, 't')", "'t' in data"),
        ("!event.data.flag", None, "not data['flag']"),
        ("event.data.a == event.data.n", "_cel_equal(data['a'], data['n'])", "data['a'] == data['n']"),
        ("event.data.s < event.data.t", "_cel_less(data['s'], data['t'])", "data['s'] < data['t']"),
        ("event.data.s.contains('x')", "_cel_method_contains(None, data['s'], 'x')", "'x' in data['s']"),
        ("event.data.a / 2", "_cel_divide(data['a'], 2)", "_cel_divide(data['a'], 2)"),
    ],
)
def test_a_guard_stands_only_where_python_would_answer_otherwise(text: str, untyped: str | None, typed: str) -> None:
    assert untyped is None or fast_text(text, data_scope(False)) == untyped
    assert fast_text(text, data_scope(True)) == typed


def test_the_longest_known_prefix_wins() -> None:
    scope = cel.Scope()
    scope.declare(("event", "data"), "data")
    scope.declare(("event", "data", "amount"), "h1", NUMBER)
    scope.declare(("event", "subject"), "subject", STRING)
    text = "event.data.amount > 1 && event.data.other == 'x' && event.subject == 'y'"
    assert fast_text(text, scope) == "h1 > 1 and data['other'] == 'x' and (subject == 'y')"
    rule = compiled(cel.parse(text), scope, "data", "h1", "subject")
    assert rule({"other": "x", "amount": 0}, 2, "y") is True
    with pytest.raises(cel.NotEvaluated, match=r"`event\.data\.other` is absent"):
        rule({}, 2, "y")


def test_a_name_without_a_variable_is_refused() -> None:
    with pytest.raises(cel.CelError, match="unknown name `row`"):
        emit.expression(cel.parse("row.x > 1"), data_scope(False))


def test_failed_lets_and_absent_rows_are_raised_when_they_are_read() -> None:
    scope = cel.Scope()
    scope.declare(("risk",), "let_1", fallible=True)
    scope.declare(("fines",), "row_1", MapOf(ANY), fallible=True)
    failed = cel.CelEvaluationError("division by zero")
    absent = cel.NotEvaluated("`fines` has no row for this key")
    rule = compiled(cel.parse("risk == 'high' || has(fines.amount) && fines.amount > 1"), scope, "let_1", "row_1")
    assert rule("high", {}) is True
    assert rule("low", {"amount": 2}) is True
    assert rule(failed, {"amount": 2}) is True
    with pytest.raises(cel.CelEvaluationError, match="division by zero"):
        rule(failed, absent)
    assert rule("low", absent) is False
    reads = compiled(cel.parse("fines.amount > 1"), scope, "row_1")
    with pytest.raises(cel.NotEvaluated, match="has no row"):
        reads(absent)
    assert failed.__traceback__ is None


def test_further_functions_are_values_that_the_caller_gives() -> None:
    node = cel.parse("count() >= 3 && sum(event.data.amount) > 1000 || gone.x", ["count", "sum"])
    scope = cel.Scope()
    scope.declare(("gone",), "gone")
    for call in cel.walk(node):
        if isinstance(call, cel.Call):
            scope.declare_call(call, ast.Name(f"{call.function}_1", ast.Load()))
    rule = compiled(node, scope, "count_1", "sum_1", "gone")
    assert rule(3, 2000, {}) is True
    assert rule(3, 1, {"x": True}) is True
    assert rule(3, cel.CelEvaluationError("no sum"), {"x": True}) is True
    with pytest.raises(cel.NotEvaluated):
        rule(1, 1, {})


def test_a_condition_is_a_boolean_or_an_error() -> None:
    scope = data_scope(False)
    rule = compiled(cel.parse("event.data.x"), scope, "data", condition=True)
    assert rule({"x": False}) is False
    for wrong in (1, "true", None, []):
        with pytest.raises(cel.CelEvaluationError, match="a condition must be a boolean"):
            rule({"x": wrong})


def test_templates_are_emitted_like_expressions() -> None:
    rule = compiled(cel.template("${event.data.a}").node, data_scope(True), "data")
    assert rule({"a": 35.0}) == 35
    rule = compiled(cel.template("a=${event.data.a}").node, data_scope(True), "data")
    assert rule({"a": 35.0}) == "a=35"
    with pytest.raises(cel.NotEvaluated):
        rule({})


def test_generated_code_reaches_nothing_but_its_helpers() -> None:
    assert emit.HELPERS["__builtins__"] == {}
    assert all(name == "__builtins__" or name.startswith("_cel_") for name in emit.HELPERS)
    for text in ("event.__class__", "event.data.__init__.__globals__", "event['__class__']", "x.__class__.__mro__"):
        with pytest.raises(cel.CelError):
            cel.compile(text)({"event": {"data": {}}, "x": "text"})
    for text in ("__import__('os')", "eval('1')", "''.format(1)", "x.__class__()"):
        with pytest.raises(cel.CelSyntaxError, match=r"unknown function|not in the profile"):
            cel.compile(text)


def fitting(random: Random) -> dict[str, Any]:
    data: dict[str, Any] = {
        "a": random.choice(NUMBERS),
        "n": random.choice(NUMBERS),
        "s": random.choice(STRINGS),
        "t": random.choice(STRINGS),
        "flag": random.choice((True, False)),
        "l": [random.choice(NUMBERS) for _ in range(random.randrange(4))],
        "m": {"a": random.choice(NUMBERS), "b": random.choice(STRINGS), "x": json_value(random)},
    }
    for optional in "nt":
        if random.random() < 0.3:
            del data[optional]
    return data


@given(st.randoms(use_true_random=False))
@settings(max_examples=400, deadline=None)
def test_code_that_trusts_a_schema_agrees_with_the_exact_evaluator(random: Random) -> None:
    expressions = Expressions(random, wild=0.1)
    text = random.choice((expressions.truth, expressions.any))(random.choice((1, 2, 3)))
    try:
        program = cel.compile(text)
    except cel.CelSyntaxError:
        return
    scope = data_scope(True)
    scope.declare(("event",), "event", Record({"data": (SCHEMA, False), "time": (TIMESTAMP, False)}))
    scope.declare(("row",), "row", fallible=True)
    rule = compiled(program.node, scope, "event", "data", "row")
    for _ in range(3):
        data = fitting(random)
        event = {"data": data, "time": cel.compile("timestamp('2024-01-31T12:30:00Z')")({})}
        row = cel.NotEvaluated("no row") if random.random() < 0.2 else json_value(random)
        explained = program.explain({"event": event, "row": row})
        exactly = ("error", type(explained.error), explained.error.message) if explained.error else None
        found = outcome(lambda event=event, data=data, row=row: rule(event, data, row))  # type: ignore[misc]
        assert same(found, exactly or ("value", explained.value))
