"""The equality index of rules that hear one type: which rules can fit, by the value of one field.

Where at least `WORTH` rules pin the same path to constants (`event.data.card == 'x'`, `in [...]`) each of them lies in
the buckets of its constants, and one look-up finds those that may fit. A rule goes by its most selective path. Fewer
rules are faster tested one after the other, inlined (measured from 8 on; docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from rules import cel
from rules.cel.nodes import Constant, Logic
from rules.compile.bound import Bound, Number, bound
from rules.compile.code import Deferred
from rules.compile.rule import CompiledRule

WORTH: Final = 8

_ATTRIBUTES: Final = ("id", "source", "type", "subject")


@dataclass(frozen=True, slots=True)
class Residue:
    """A rule in a bucket: what is left of its condition once the pinned part is known to hold."""

    place: int
    """Among the rules that hear the type."""
    rule: CompiledRule
    when: cel.Node | None


@dataclass(frozen=True, slots=True)
class Table:
    node: cel.Node
    """Reads the path."""
    places: tuple[int, ...]
    buckets: dict[tuple[type, Constant], list[Residue]]
    bound: Bound | None
    """Beyond it no rule of a bucket fits."""


@dataclass(frozen=True, slots=True)
class Pin:
    path: cel.Path
    node: cel.Node
    constants: tuple[Constant, ...]
    rest: cel.Node | None


def tables(rules: Sequence[CompiledRule]) -> list[Table]:
    """The tables worth having; rules in none of them are tested one by one."""
    pins = [_pins(rule) for rule in rules]
    counts: dict[cel.Path, int] = {}
    distinct: dict[cel.Path, set[Any]] = {}
    for each in pins:
        for path in {pin.path for pin in each}:
            counts[path] = counts.get(path, 0) + 1
        for pin in each:
            distinct.setdefault(pin.path, set()).update(map(_key, pin.constants))
    made: dict[cel.Path, tuple[cel.Node, list[int], dict[Any, list[Residue]]]] = {}
    for place, (rule, each) in enumerate(zip(rules, pins, strict=True)):
        worthy = [pin for pin in each if counts[pin.path] >= WORTH]
        if not worthy:
            continue
        best = max(worthy, key=lambda pin: len(distinct[pin.path]) / len(pin.constants))
        _, places, buckets = made.setdefault(best.path, (best.node, [], {}))
        places.append(place)
        for key in dict.fromkeys(map(_key, best.constants)):
            buckets.setdefault(key, []).append(Residue(place, rule, best.rest))
    return [
        Table(node, tuple(places), buckets, bound({key: [each.when for each in left] for key, left in buckets.items()}))
        for node, places, buckets in made.values()
    ]


Found = tuple[Callable[..., None], Number | None]
"""A bucket and its limit."""


def finder(buckets: Mapping[tuple[type, Constant], Deferred], bound: Bound | None) -> Callable[[Any], Found | None]:
    """From a value to its bucket. Equality across types is false, so each type has a map of its own. Raises TypeError
    for a list or a map where there are only texts."""
    maps: dict[type, dict[Any, Found]] = {str: {}, int: {}, bool: {}}
    for key, bucket in buckets.items():
        put = partial(_put, maps[key[0]], key[1], None if bound is None else bound.limits[key])
        put(bucket)
        bucket.tell(put)
    if not maps[int] and not maps[bool]:
        # no text is equal to anything but a text
        return maps[str].get
    strings, numbers, booleans = maps[str].get, maps[int].get, maps[bool].get

    def find(value: Any) -> Found | None:
        kind = value.__class__
        if kind is str:
            return strings(value)
        if kind is int or kind is float:
            return numbers(value)
        return booleans(value) if kind is bool else None

    return find


def _put(buckets: dict[Any, Found], constant: Constant, limit: Number | None, bucket: Callable[..., None]) -> None:
    buckets[constant] = bucket, limit


def _key(constant: Constant) -> tuple[type, Constant]:
    kind = constant.__class__
    return (int if kind is float else kind), constant


def _pins(rule: CompiledRule) -> list[Pin]:
    if rule.when is None:
        return []
    conditions = cel.conjuncts(rule.when)
    made: list[Pin] = []
    for place, condition in enumerate(conditions):
        found = cel.equality(condition)
        if found is None or not _indexable(found[0]):
            continue
        path, constants = found
        rest = conditions[:place] + conditions[place + 1 :]
        node = next(part for part in cel.walk(condition) if cel.path(part) == path)
        made.append(Pin(path, node, constants, _all(rest)))
    return made


def _indexable(path: cel.Path) -> bool:
    """Only what the event itself says: a row may be absent, and `let` is evaluated later."""
    return path[0] == "event" and (
        (path[1:2] == ("data",) and len(path) > 2) or (len(path) == 2 and path[1] in _ATTRIBUTES)
    )


def _all(conditions: list[cel.Node]) -> cel.Node | None:
    if len(conditions) < 2:
        return conditions[0] if conditions else None
    return Logic(conditions[0].start, conditions[-1].end, "&&", tuple(conditions))
