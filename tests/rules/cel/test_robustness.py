"""Nothing but a `CelError` for any text, and nothing but a `CelEvaluationError` for any values."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import cel

TOKENS = (
    "a b x event.data true false null 1 2.5 0x1F 1u 'a' \"b\" r'\\d' '\\x41' b'z' ''' ( ) [ ] { } . .. , : ? ?. ! - + *"
    " / % == != < <= > >= in && || & | = // \n has( size( .exists( .map(x, .matches( timestamp( duration( int( ${ }"
    " `a-b` for \\ \x00 \ud800 é 𝄞 … .getHours( 'Europe/Berlin' '1d' '2024-01-01T00:00:00Z' 9223372036854775808 1e999 #"
).split(" ")


def survives(text: str) -> None:
    with suppress(cel.CelError):
        program = cel.compile(text)
        program({"a": 1, "b": "x", "x": [1, {}], "event": {"data": {}}})
    with suppress(cel.CelError):
        cel.template(text)({"a": 1, "b": "x", "x": [1, {}], "event": {"data": {}}})


@given(st.lists(st.sampled_from(TOKENS), max_size=25), st.sampled_from(("", " ")))
@settings(max_examples=1500, deadline=None)
def test_random_tokens_are_read_or_refused(tokens: list[str], between: str) -> None:
    survives(between.join(tokens))


@given(st.text(st.characters(exclude_categories=()), max_size=40))
@settings(max_examples=500, deadline=None)
def test_random_unicode_is_read_or_refused(text: str) -> None:
    survives(text)
    survives("${" + text + "}")
    survives("'" + text + "'")


class Hostile:
    """Raises from whatever Python asks of it."""

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            return Hostile
        raise ZeroDivisionError

    def __eq__(self, other: object) -> bool:
        raise KeyError

    def __hash__(self) -> int:
        raise OSError

    def __getitem__(self, key: object) -> Any:
        raise StopIteration

    def __contains__(self, key: object) -> bool:
        raise AttributeError


class Nowhere(tzinfo):
    def utcoffset(self, moment: datetime | None) -> timedelta:
        raise RuntimeError


VALUES: list[Any] = [
    10**400,
    -(10**5000),
    float("nan"),
    float("inf"),
    b"bytes",
    bytearray(b"x"),
    (1, 2),
    {1, 2},
    frozenset(),
    Decimal(1),
    Fraction(1, 2),
    1j,
    date(2024, 1, 1),
    time(1),
    datetime(2024, 1, 1),  # noqa: DTZ001
    datetime(2024, 1, 1, tzinfo=Nowhere()),
    timedelta.max,
    timedelta.min,
    Hostile(),
    object,
    len,
    OrderedDict(a=1),
    {1: 2, None: 3, (1,): 4},
    "\ud800",
    "\x00",
    {"\ud800": "\ud800"},
    range(3),
    iter([]),
    ...,
    NotImplemented,
    KeyError("x"),
]
TEXTS = [
    "a == b", "a != 1", "a == 'x'", "a == null", "a < b", "a > 1", "1 > a", "a + b", "a - b", "a * 2", "a / b", "a % 7",
    "-a", "!a", "a && true", "a ? 1 : 2", "a.x", "a[0]", "a['x']", "a[b]", "{a: 1}", "{'x': a}.x", "[a, b]", "a in b",
    "a in [1, 'x']", "b in {'a': 1}", "has(a.x)", "has(a.x.y)", "size(a)", "a.size()", "a.map(x, x + 1)",
    "a.exists(x, x == b)", "a.matches('x')", "'x'.matches(a)", "a.contains('x')", "'x'.contains(a)", "a.startsWith(b)",
    "int(a)", "double(a)", "bool(a)", "string(a)", "timestamp(a)", "duration(a)", "a.getHours()", "a.getHours(b)",
    "timestamp(0).getHours(a)", "a == [b]", "[a] == [b]", "{'x': a} == {'x': b}", "timestamp(0) + a",
    "a + duration('1s')", "a - timestamp(0)", "a < timestamp(0)", "a + 'x'", "a + [1]", "dyn(a)",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_any_value_is_evaluated_or_an_evaluation_error(text: str) -> None:
    program, template = cel.compile(text), cel.template("${" + text + "} x")
    for a in VALUES:
        for b in (a, 1, "x", [a], {"x": a}):
            for variables in ({"a": a, "b": b}, {"a": b, "b": a}):
                for evaluate in (program, template):
                    with suppress(cel.CelEvaluationError):
                        evaluate(variables)
                program.explain(variables)


@pytest.mark.parametrize("variables", [None, 1, [], "event", object(), {"a": 1}, {}, OrderedDict(event=1)])
def test_variables_may_be_anything(variables: Any) -> None:
    with pytest.raises(cel.CelEvaluationError):
        cel.compile("event.data.x + 1")(variables)


def test_text_and_payload_take_anything() -> None:
    for value in VALUES:
        for function in (cel.text, cel.inline, cel.payload):
            with suppress(cel.CelEvaluationError):
                function(value)
            with suppress(cel.CelEvaluationError):
                function([{"x": value}])


def test_a_tuple_is_a_list_and_a_subclass_is_its_base() -> None:
    class Text(str):
        __slots__ = ()

    assert cel.compile("a == [1, 2] && 2 in a && a[1] == 2")({"a": (1, 2)}) is True
    assert cel.compile("a.x == 1 && has(a.x) && size(a) == 1")({"a": OrderedDict(x=1)}) is True
    assert cel.compile("a == 'x' && a.startsWith('x')")({"a": Text("x")}) is True


class Nothing:
    """Does not even say what it is."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError


class Lying(str):
    """Text that answers nothing itself."""

    __slots__ = ()

    def __len__(self) -> int:
        raise KeyError

    def __getitem__(self, key: object) -> str:
        raise KeyError

    def __str__(self) -> str:
        raise KeyError


@pytest.mark.parametrize("compiled", [cel.compile, cel.template, cel.parse])
def test_what_is_no_text_is_refused_and_a_subclass_of_text_is_read_as_text(compiled: Any) -> None:
    for text in (Nothing(), None, b"1", 1, ["1"]):
        with pytest.raises(cel.CelSyntaxError, match="is text, not"):
            compiled(text)
    compiled(Lying("1 + 1"))
    with pytest.raises(cel.CelSyntaxError, match="too early"):
        compiled(Lying("${1 +}" if compiled is cel.template else "1 +"))


def test_what_does_not_say_its_class_is_no_value_and_no_mapping() -> None:
    for variables in (Nothing(), {"a": Nothing()}, {"a": [Nothing()]}, {"a": Lying("x")}):
        with pytest.raises(cel.CelEvaluationError):
            cel.compile("a == 1 ? a : a < 'y' && a + 1 == [2]")(variables)  # type: ignore[arg-type]
        assert cel.compile("a + 1").explain(variables).error is not None  # type: ignore[arg-type]
