"""Google's own CEL, where it is installed, says the same about well-typed expressions.

The profile's deviations are left out: division, mixed arithmetic, `has` with absent parents. The oracle runs without
its type checker, because it tells whole numbers from doubles where we have one number.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from rules import cel
from tests.rules.cel.agreement import outcome, same

oracle = pytest.importorskip("cel_expr_python.cel")


class WellTyped:
    """Random expressions that mean the same in the profile and in CEL."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.variables: list[str] = []

    def number(self, depth: int) -> str:
        if depth <= 0:
            local = self.variables
            return self.random.choice(["0", "1", "7", "-3", "12", "e.n", "e.k", "e.gone", *local])
        match self.random.randrange(6):
            case 0:
                return f"size({self.random.choice((self.string, self.list))(depth - 1)})"
            case 1:
                return f"({self.truth(depth - 1)} ? {self.number(depth - 1)} : {self.number(depth - 1)})"
            case 2:
                return f"{self.list(depth - 1)}[{self.number(0)}]"
            case _:
                operator = self.random.choice(("+", "-", "*", "%"))
                return f"({self.number(depth - 1)} {operator} {self.number(depth - 1)})"

    def string(self, depth: int) -> str:
        if depth <= 0:
            return self.random.choice(("''", "'a'", "'EU'", "'é𝄞'", "e.s", "e.r"))
        if self.random.random() < 0.5:
            return f"({self.string(depth - 1)} + {self.string(depth - 1)})"
        return f"string({self.number(depth - 1)})"

    def list(self, depth: int) -> str:
        if depth <= 0:
            return self.random.choice(("e.l", "[]", "[1, 2, 3]", "[7]"))
        match self.random.randrange(4):
            case 0 if not self.variables:
                return self.macro(self.random.choice(("map", "filter")), depth)
            case 1:
                return f"({self.list(depth - 1)} + {self.list(depth - 1)})"
            case _:
                return f"[{self.number(depth - 1)}, {self.number(depth - 1)}]"

    def macro(self, macro: str, depth: int) -> str:
        over = self.list(depth - 1)
        self.variables.append("x")
        body = self.number(depth - 1) if macro == "map" else self.truth(depth - 1)
        self.variables.pop()
        return f"{over}.{macro}(x, {body})"

    def truth(self, depth: int) -> str:
        if depth <= 0:
            return self.random.choice(("true", "false", "e.yes", "e.n > 3", "e.s == 'EU'", "has(e.gone)", "has(e.n)"))
        match self.random.randrange(9):
            case 0 | 1:
                return f"({self.truth(depth - 1)} {self.random.choice(('&&', '||'))} {self.truth(depth - 1)})"
            case 2:
                return f"!({self.truth(depth - 1)})"
            case 3 if not self.variables:
                return self.macro(self.random.choice(("exists", "all", "exists_one")), depth)
            case 4:
                method = self.random.choice(("contains", "startsWith", "endsWith"))
                return f"{self.string(depth - 1)}.{method}({self.string(depth - 1)})"
            case 5:
                make = self.random.choice((self.number, self.string, self.list, self.truth))
                return f"({make(depth - 1)} {self.random.choice(('==', '!='))} {make(depth - 1)})"
            case 6:
                return f"({self.number(depth - 1)} in {self.list(depth - 1)})"
            case _:
                make = self.random.choice((self.number, self.string))
                return f"({make(depth - 1)} {self.random.choice(('<', '<=', '>', '>='))} {make(depth - 1)})"


def event(random: Random) -> dict[str, Any]:
    return {
        "n": random.choice((0, 1, 3, 7, -3)),
        "k": random.choice((2, 12, -1)),
        "s": random.choice(("EU", "US", "")),
        "r": random.choice(("a", "é𝄞")),
        "yes": random.choice((True, False)),
        "l": [random.choice((0, 1, 7)) for _ in range(random.randrange(4))],
    }


def test_well_typed_expressions_mean_what_they_mean_in_cel() -> None:
    environment = oracle.NewEnv(variables={"e": oracle.Type.DYN})
    random = Random(20240131)
    compared = 0
    for _ in range(1_500):
        expressions = WellTyped(random)
        text = random.choice((expressions.truth, expressions.truth, expressions.number, expressions.list))(3)
        if len(text) > 2_000:
            continue
        program, theirs = cel.compile(text), environment.compile(text, disable_check=True)
        for _ in range(2):
            data = event(random)
            value = theirs.eval(data={"e": data})
            theirs_failed = value.type().name() == "ERROR"
            ours = outcome(lambda data=data, program=program: program({"e": data}))
            told = f"{text} with {data}: {ours} and {value.plain_value()}"
            assert (ours[0] == "error") == theirs_failed, told
            assert theirs_failed or same(ours[1], value.plain_value()), told
            compared += 1
    assert compared > 2_000


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
