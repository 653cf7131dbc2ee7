"""Random expressions and random JSON, for tests that compare two ways of evaluating the same thing."""

from __future__ import annotations

from random import Random
from typing import Any

NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    7.0,
    0.5,
    -2.5,
    1000,
    3,
    2**53,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    2**64,
    1e15,
    1e16,
    1e300,
    -0.0,
)
STRINGS = ("", "a", "EU", "abc", "7", "true", "é𝄞", "2024-01-01T00:00:00Z", "90s")
FIELDS = ("a", "b", "n", "s", "t", "l", "m", "flag", "nothing", "gone")
LITERALS = ("0", "1", "1.0", "2", "7", "7.0", "0.5", "-1", "1000", "9007199254740993", "9223372036854775807", "1e16")
MACROS = ("exists", "all", "exists_one", "filter", "map")


class Expressions:
    """Text in the grammar, sometimes well typed. `wild` is the share of choices made without regard to types."""

    def __init__(self, random: Random, wild: float = 0.2) -> None:
        self.random = random
        self.wild = wild
        self.variables: list[str] = []

    def any(self, depth: int) -> str:
        make = self.random.choice((self.number, self.string, self.truth, self.list, self.map, self.time, self.path))
        return make(depth)

    def _wild(self, depth: int) -> str | None:
        return self.any(depth) if self.random.random() < self.wild else None

    def path(self, depth: int) -> str:
        root = self.random.choice(["event.data", "event.data", "row", "event", *self.variables])
        steps = self.random.choice((0, 1, 1, 1, 2))
        return root + "".join("." + self.random.choice(FIELDS) for _ in range(steps))

    def number(self, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.2:
            return self.random.choice((self.random.choice(LITERALS), "event.data.n", "event.data.a", self.path(0)))
        if (wild := self._wild(depth - 1)) is not None:
            return wild
        match self.random.randrange(8):
            case 0:
                return f"size({self.any(depth - 1)})"
            case 1:
                return f"-({self.number(depth - 1)})"
            case 2:
                return f"{self.list(depth - 1)}[{self.number(depth - 1)}]"
            case 3:
                return f"int({self.any(depth - 1)})"
            case 4:
                return f"({self.truth(depth - 1)} ? {self.number(depth - 1)} : {self.any(depth - 1)})"
            case _:
                operator = self.random.choice("+-*/%")
                return f"({self.number(depth - 1)} {operator} {self.number(depth - 1)})"

    def string(self, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.3:
            return self.random.choice((repr(self.random.choice(STRINGS)), "event.data.s", self.path(0)))
        if (wild := self._wild(depth - 1)) is not None:
            return wild
        if self.random.random() < 0.5:
            return f"({self.string(depth - 1)} + {self.string(depth - 1)})"
        return f"string({self.any(depth - 1)})"

    def time(self, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.4:
            return self.random.choice(
                ("timestamp('2024-01-31T12:30:00.5Z')", "duration('90m')", "event.time", "duration('1d')")
            )
        return f"({self.time(depth - 1)} {self.random.choice('+-')} {self.time(depth - 1)})"

    def list(self, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.3:
            return self.random.choice(("event.data.l", "[1, 2.0, 'a', true, null]", "[]", "[7]", self.path(0)))
        if self.random.random() < 0.3 and len(self.variables) < 2:
            return self._macro(self.random.choice(("filter", "map")), depth)
        return f"[{', '.join(self.any(depth - 1) for _ in range(self.random.randrange(4)))}]"

    def map(self, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.5:
            return self.random.choice(("event.data.m", "event.data", "{'a': 1, 'b': [2]}", "{1: 'x', true: 'y'}", "{}"))
        entries = (f"{self.string(depth - 1)}: {self.any(depth - 1)}" for _ in range(self.random.randrange(3)))
        return "{" + ", ".join(entries) + "}"

    def _macro(self, macro: str, depth: int) -> str:
        over = self.random.choice((self.list, self.list, self.map, self.path))(depth - 1)
        name = self.random.choice("xyz")
        self.variables.append(name)
        body = self.any(depth - 1) if macro == "map" else self.truth(depth - 1)
        if macro == "map" and self.random.random() < 0.3:
            body = f"{self.truth(depth - 1)}, {body}"
        self.variables.pop()
        return f"{over}.{macro}({name}, {body})"

    def truth(self, depth: int) -> str:
        if depth <= 0:
            return self.random.choice(("true", "false", "event.data.flag", "event.data.n > 1", "event.data.s == 'EU'"))
        if (wild := self._wild(depth - 1)) is not None:
            return wild
        match self.random.randrange(13):
            case 0 | 1:
                return f"({self.truth(depth - 1)} && {self.truth(depth - 1)})"
            case 2 | 3:
                return f"({self.truth(depth - 1)} || {self.truth(depth - 1)})"
            case 4:
                return f"!({self.truth(depth - 1)})"
            case 5:
                return f"({self.any(depth - 1)} {self.random.choice(('==', '!='))} {self.any(depth - 1)})"
            case 6 | 7:
                make = self.random.choice((self.number, self.string, self.time))
                operator = self.random.choice(("<", "<=", ">", ">=", "==", "!="))
                return f"({make(depth - 1)} {operator} {make(depth - 1)})"
            case 8:
                return f"has({self.path(0)}.{self.random.choice(FIELDS)})"
            case 9 if len(self.variables) < 2:
                return self._macro(self.random.choice(MACROS[:3]), depth)
            case 10:
                constants = "[1, 'a']", "[0, 7.0]", "['EU', 'a']", "[true, 1]", "[2, null]"
                return f"({self.any(depth - 1)} in {self.random.choice((*constants, self.list(0), self.map(0)))})"
            case 11:
                method = self.random.choice(("contains", "startsWith", "endsWith", "matches"))
                return f"({self.string(depth - 1)}).{method}({self.string(0)})"
            case _:
                return f"({self.truth(depth - 1)} ? {self.truth(depth - 1)} : {self.truth(depth - 1)})"


def json_value(random: Random, depth: int = 2) -> Any:
    match random.randrange(8 if depth > 0 else 6):
        case 0:
            return None
        case 1:
            return random.choice((True, False))
        case 2 | 3:
            return random.choice(NUMBERS)
        case 4 | 5:
            return random.choice(STRINGS)
        case 6:
            return [json_value(random, depth - 1) for _ in range(random.randrange(4))]
        case _:
            return {random.choice(FIELDS): json_value(random, depth - 1) for _ in range(random.randrange(4))}


def event_data(random: Random, wild: float = 0.3) -> dict[str, Any]:
    """Data whose fields mostly have the types that `Expressions` hopes for."""
    likely: dict[str, Any] = {
        "a": random.choice(NUMBERS),
        "n": random.choice(NUMBERS),
        "s": random.choice(STRINGS),
        "l": [random.choice((*NUMBERS, *STRINGS)) for _ in range(random.randrange(4))],
        "m": {"a": random.choice(NUMBERS), "b": random.choice(STRINGS)},
        "flag": random.choice((True, False)),
        "nothing": None,
    }
    for field in list(likely):
        if random.random() < wild:
            likely[field] = json_value(random)
        elif random.random() < wild / 3:
            del likely[field]
    return likely
