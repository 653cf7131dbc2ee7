"""Expected commands against those that happened: the whole multiset, compared on the fields that are named.

An expectation that names few fields fits many commands, so they are paired as well as can be (augmenting paths): a test
fails only if no pairing at all fits. What is left over on both sides is the report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import orjson

from streams.outputs import Command

Shown = dict[str, Any]
FIELDS: Final = ("command", "to", "at", "args", "rule", "key", "cause", "id", "shadow")
_MOST_SHOWN: Final = 10


def document(command: Command) -> Shown:
    """`Command.document`, with `at` null where no text can say it: a deadline may lie beyond the year 9999."""
    try:
        return command.document()
    except OverflowError:
        return msgspec.structs.replace(command, at=0).document() | {"at": None}


def compare(expected: Sequence[Mapping[str, Any]], happened: Sequence[Shown]) -> str | None:
    """None if they are the same, else a report in lines of two blanks and more."""
    pairs = _paired(expected, happened)
    missing = [each for place, each in enumerate(expected) if place not in pairs]
    taken = set(pairs.values())
    surplus = [each for place, each in enumerate(happened) if place not in taken]
    if not missing and not surplus:
        return None
    lines: list[str] = []
    if missing:
        lines.append("  expected, and did not happen:")
        for each in missing[:_MOST_SHOWN]:
            lines.append(f"    {_line(each)}")
            lines += _nearest(each, surplus)
        lines += _more(missing)
    if surplus:
        named = {field for each in expected for field in each} | {"command", "to", "at", "args", "shadow"}
        lines.append("  happened, and was not expected:")
        lines += [f"    {_line({k: v for k, v in each.items() if k in named})}" for each in surplus[:_MOST_SHOWN]]
        lines += _more(surplus)
    return "\n".join(lines)


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


def _nearest(expected: Mapping[str, Any], surplus: Sequence[Shown]) -> list[str]:
    """What differs from the most similar of the commands that nobody expected."""

    def alike(command: Shown) -> int:
        return sum(same(value, command.get(field, False)) for field, value in expected.items())

    nearest = max(surplus, key=alike, default=None)
    if nearest is None or not alike(nearest):
        return []
    return [f"      nearest: {said}" for said in _differing(expected, nearest, ("args",))]


def _differing(expected: Mapping[str, Any], found: Mapping[str, Any], within: Sequence[str] = ()) -> list[str]:
    """What differs, field by field; of the maps in `within` only what they hold differently."""
    said: list[str] = []
    for field, value in expected.items():
        other = found.get(field, False)
        if field in within and isinstance(value, dict) and isinstance(other, dict):
            said += [f"{field}.{each}" for each in _differing(value, other)]
            said += [
                f"{field}.{name} is {_json(other[name])}, and was not expected"
                for name in sorted(other.keys() - value.keys())
            ]
        elif field not in found and field != "shadow":
            said.append(f"{field} is missing, expected is {_json(value)}")
        elif not same(value, other):
            said.append(f"{field} is {_json(other)}, not {_json(value)}")
    return said


def _more(left: Sequence[Any]) -> list[str]:
    return [f"    … and {len(left) - _MOST_SHOWN} more"] if len(left) > _MOST_SHOWN else []


def _line(fields: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{name}: {_json(fields[name])}" for name in FIELDS if name in fields) + "}"


def _json(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 300 else text[:299] + "…"
