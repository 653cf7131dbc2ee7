"""The static check: names and fields that do not exist, and operations that can never succeed."""

from __future__ import annotations

import pytest

from rules import cel
from rules.cel.types import (
    ANY,
    BOOL,
    DURATION,
    INTEGER,
    NULL,
    NUMBER,
    STRING,
    TIMESTAMP,
    Function,
    ListOf,
    MapOf,
    Record,
    Type,
)

DATA = Record(
    {
        "total": (NUMBER, False),
        "points": (INTEGER, False),
        "note": (STRING, True),
        "items": (ListOf(Record({"price": (NUMBER, False)})), False),
        "tags": (MapOf(STRING), False),
        "open": (Record({"known": (NUMBER, False)}, open=True), False),
    }
)
ENV: dict[str, Type] = {
    "event": Record({"data": (DATA, False), "time": (TIMESTAMP, False), "type": (STRING, False)}),
    "limit": NUMBER,
    "anything": ANY,
    "count": Function(INTEGER, ()),
    "sum": Function(NUMBER, (NUMBER,)),
    "first": Function(ANY),
}
FUNCTIONS = ("count", "sum", "first", "last")


def checked(text: str) -> Type:
    return cel.check(cel.parse(text, FUNCTIONS), ENV, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("event.data.total > 1", BOOL),
        ("event.data.total * 2", NUMBER),
        ("event.data.points + 1", INTEGER),
        ("event.data.points / 2", NUMBER),
        ("event.data.total + anything", NUMBER),
        ("anything + anything", ANY),
        ("event.data.note + 'x'", STRING),
        ("event.time + duration('1d')", TIMESTAMP),
        ("event.time - event.time", DURATION),
        ("event.time - anything", ANY),
        ("event.data.items[0].price", NUMBER),
        ("event.data.items.map(i, i.price)", ListOf(NUMBER)),
        ("event.data.items.filter(i, i.price > 1)[0].price", NUMBER),
        ("event.data.items.exists(i, i.price > limit)", BOOL),
        ("event.data.tags.x", STRING),
        ("event.data.tags['x']", STRING),
        ("event.data.open.unknown", ANY),
        ("has(event.data.note) ? event.data.note : 'none'", STRING),
        ("anything ? 1 : 2.5", NUMBER),
        ("anything ? 1 : 'a'", ANY),
        ("anything.x.y", ANY),
        ("count() >= 3 && sum(event.data.total) > 1000", BOOL),
        ("sum(event.data.total)", NUMBER),
        ("first(event.data.note)", ANY),
        ("event.data.total == 'a'", BOOL),
        ("event.data.total == null", BOOL),
        ("event.data.total in ['a']", BOOL),
        ("null", NULL),
        ("[1, 'a']", ListOf(ANY)),
        ("[1, 2.5]", ListOf(NUMBER)),
        ("{'a': 1}", MapOf(INTEGER)),
        ("event.time.getHours()", INTEGER),
        ("string(1) + dyn('a')", STRING),
    ],
)
def test_what_can_succeed_has_a_type(text: str, expected: Type) -> None:
    assert checked(text) == expected


@pytest.mark.parametrize(
    ("text", "message", "hint", "pointed"),
    [
        ("evnt.data.total", "unknown name `evnt`", "did you mean `event`?", "evnt"),
        ("event.data.totl > 1", "no field `totl`", "did you mean `total`?", "totl"),
        ("has(event.data.totl)", "no field `totl`", "did you mean `total`?", "totl"),
        ("event.data.items.exists(i, i.prize > 1)", "no field `prize`", "did you mean `price`?", "prize"),
        ("limit == None", "unknown name `None`", "did you mean `null`?", "None"),
        ("True", "unknown name `True`", "did you mean `true`?", "True"),
        ("event.data.total.cents", "`cents`: a number has no fields", None, "cents"),
        ("event.data.total > 'a'", "cannot compare a number `>` a string", None, ">"),
        ("event.data.items > 1", "cannot compare a list `>` a whole number", None, ">"),
        ("event.data.total + 'a'", "`+` cannot take a number and a string", None, "+"),
        ("event.data.note * 2", "`*` cannot take a string and a whole number", None, "*"),
        ("event.time - 1", "`-` cannot take a timestamp and a whole number", None, "-"),
        ("event.data.total && true", "`&&` needs a boolean, not a number", None, "event.data.total"),
        ("!limit", "`!` needs a boolean, not a number", None, "limit"),
        ("-event.type", "`-` needs a number, not a string", None, "event.type"),
        ("limit ? 1 : 2", "`? :` needs a boolean, not a number", None, "limit"),
        ("1 in limit", "`in` needs a list or a map, not a number", None, "limit"),
        ("limit.map(x, x)", "`map` needs a list or a map, not a number", None, "limit"),
        ("[1].filter(x, x)", "`filter` needs a boolean, not a whole number", None, "x"),
        ("size(limit)", "a number has no size", None, "limit"),
        ("limit.startsWith('a')", "`startsWith` needs a string, not a number", None, "limit"),
        ("event.type.getDate()", "`getDate` needs a timestamp, not a string", None, "event.type"),
        ("event.data.items['a']", "the index of a list needs a number, not a string", None, "'a'"),
        ("limit[0]", "a number has no elements", None, "limit"),
        ("{null: 1}", "null cannot be a key", None, "null"),
        ("sum('a')", "`sum` needs a number, not a string", None, "'a'"),
        ("sum()", "`sum` takes 1 argument, not 0", None, "sum"),
        ("last(1)", "unknown function `last`", None, "last"),
        ("count > 3", "`count` is a function", "write `count(…)`", "count"),
        ("event.type.matches('(')", "the pattern is not RE2: missing ): (", None, "'('"),
    ],
)
def test_what_can_never_succeed_is_refused(text: str, message: str, hint: str | None, pointed: str) -> None:
    with pytest.raises(cel.CelCheckError) as caught:
        checked(text)
    error = caught.value
    assert (error.message, error.hint, text[error.offset : error.end]) == (message, hint, pointed)


def test_further_functions_are_refused_unless_declared() -> None:
    with pytest.raises(cel.CelSyntaxError, match="unknown function `count`"):
        cel.parse("count() > 3")
    with pytest.raises(cel.CelCheckError, match="unknown function `count`"):
        cel.check(cel.parse("count() > 3", ["count"]), {})


def test_the_check_of_a_template_is_that_of_its_expressions() -> None:
    text = "total: ${event.data.totl}"
    with pytest.raises(cel.CelCheckError) as caught:
        cel.check(cel.template(text).node, ENV, text)
    assert text[caught.value.offset :] == "totl}"
    assert cel.check(cel.template("${limit}").node, ENV) == NUMBER
    assert cel.check(cel.template("is ${limit}").node, ENV) == STRING
