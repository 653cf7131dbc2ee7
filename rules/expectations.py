"""Expected commands against those that happened: the whole multiset, compared on the fields that are named.

An expectation that names few fields fits many commands, so they are paired as well as can be (augmenting paths): a test
fails only if no pairing at all fits. What is left over on both sides is the report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import orjson

from streams.outputs import Command

Shown = dict[str, Any]
FIELDS: Final = ("command", "to", "at", "args", "rule", "key", "cause", "id", "shadow")
_MOST_SHOWN: Final = 10
_MOST_LINES: Final = 100
_MOST_PAIRED: Final = 100
_NONE: Final = object()


def document(command: Command) -> Shown:
    """`Command.document`, with `at` null where no text can say it: a deadline may lie beyond the year 9999."""
    try:
        return command.document()
    except OverflowError:
        return msgspec.structs.replace(command, at=0).document() | {"at": None}


class Difference(NamedTuple):
    report: str
    """Each expectation that nothing fits beside the most similar of the commands that nobody expected, field by field;
    then what has no counterpart on the other side."""
    alone: list[Mapping[str, Any]]
    """Expectations without a counterpart."""


def compare(expected: Sequence[Mapping[str, Any]], happened: Sequence[Shown]) -> Difference | None:
    """None if they are the same."""
    missing, surplus = _unmatched(expected, happened)
    if not missing and not surplus:
        return None
    named = {field for each in expected for field in each} | {"command", "to", "at", "args", "shadow"}
    lines: list[str] = []
    beside = _beside(missing, surplus)
    for place, other in sorted(beside.items()):
        if len(lines) < _MOST_LINES:
            lines += _side_by_side(missing[place], surplus[other])
    alone = [each for place, each in enumerate(missing) if place not in beside]
    surplus = [each for place, each in enumerate(surplus) if place not in beside.values()]
    lines += [f"  expected {_line(each)}, got nothing" for each in alone[:_MOST_SHOWN]]
    lines += _more(alone)
    only_named = ({field: value for field, value in each.items() if field in named} for each in surplus[:_MOST_SHOWN])
    lines += [f"  got {_line(each)}, expected nothing" for each in only_named]
    lines += _more(surplus)
    return Difference("\n".join(lines), alone)


def _unmatched(
    expected: Sequence[Mapping[str, Any]], happened: Sequence[Shown]
) -> tuple[list[Mapping[str, Any]], list[Shown]]:
    """Expectations that no command is left for, and commands that no expectation is left for."""
    pairs = _paired(expected, happened)
    taken = set(pairs.values())
    missing = [each for place, each in enumerate(expected) if place not in pairs]
    return missing, [each for place, each in enumerate(happened) if place not in taken]


def same(a: Any, b: Any) -> bool:
    """Equality of JSON values: 35 is 35.0, and a boolean is no number."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(value, b[key]) for key, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return bool(a == b)


def _fits(expected: Mapping[str, Any], command: Shown) -> bool:
    return all(same(value, command.get(field, False)) for field, value in expected.items())


def _paired(expected: Sequence[Mapping[str, Any]], happened: Sequence[Shown]) -> dict[int, int]:
    """Place of an expectation → place of its command. The largest pairing there is."""
    pairs: dict[int, int] = {}
    owner: dict[int, int] = {}
    fitting = [[place for place, command in enumerate(happened) if _fits(each, command)] for each in expected]
    for start in range(len(expected)):
        came: dict[int, int] = {}
        stack = [start]
        while stack:
            at = stack.pop()
            free = next((place for place in fitting[at] if place not in owner), None)
            if free is not None:
                _shift(at, free, start, came, pairs, owner)
                break
            for place in fitting[at]:
                held = owner[place]
                if held not in came and held != start:
                    came[held] = at
                    stack.append(held)
    return pairs


def _shift(
    at: int, free: int, start: int, came: Mapping[int, int], pairs: dict[int, int], owner: dict[int, int]
) -> None:
    """Hands each expectation on the way the command of the one before it, and the free one to the last."""
    while True:
        before = pairs.get(at)
        pairs[at] = free
        owner[free] = at
        if at == start:
            return
        assert before is not None
        free, at = before, came[at]


def _beside(missing: Sequence[Mapping[str, Any]], surplus: Sequence[Shown]) -> dict[int, int]:
    """Place of an expectation → place of the command that it is shown beside: the most similar pairs first."""
    alike = [
        ((same(expected.get("command"), command["command"]), score), place, other)
        for place, expected in enumerate(missing[:_MOST_PAIRED])
        for other, command in enumerate(surplus[:_MOST_PAIRED])
        if (score := sum(same(value, command.get(field, False)) for field, value in expected.items()))
    ]
    beside: dict[int, int] = {}
    for _, place, other in sorted(alike, key=lambda pair: pair[0], reverse=True):
        if place not in beside and other not in beside.values():
            beside[place] = other
    return beside


def _side_by_side(expected: Mapping[str, Any], got: Shown) -> list[str]:
    """A table of the fields that are expected; args are compared whole, so all of both sides are shown."""
    rows = [("", "expected", "got")]
    for field in FIELDS:
        if field not in expected:
            continue
        wanted, found = expected[field], got.get(field, False if field == "shadow" else _NONE)
        if isinstance(wanted, dict) and isinstance(found, dict):
            names = [*wanted, *(name for name in found if name not in wanted)]
            rows += [_row(f"{field}.{name}", wanted.get(name, _NONE), found.get(name, _NONE)) for name in names]
        else:
            rows.append(_row(field, wanted, found))
    width = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return [f"{field:<{width[0]}}  {wanted:<{width[1]}}  {found}".rstrip() for field, wanted, found in rows]


def _row(field: str, wanted: Any, found: Any) -> tuple[str, str, str]:
    agree = wanted is not _NONE and found is not _NONE and same(wanted, found)
    return f"  {' ' if agree else '≠'} {field}", _said(wanted), _said(found)


def _said(value: Any) -> str:
    return "-" if value is _NONE else _json(value)


def _more(left: Sequence[Any]) -> list[str]:
    return [f"    … and {len(left) - _MOST_SHOWN} more"] if len(left) > _MOST_SHOWN else []


def _line(fields: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{name}: {_json(fields[name])}" for name in FIELDS if name in fields) + "}"


def _json(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 300 else text[:299] + "…"
