"""What is known of a projection's rows before there are any: which fields always hold numbers, text or booleans.

A field's type is an invariant of the folds: what `initial` and every fold assign to it has the type, given that the
rows read have theirs. Nothing is taken from schemas, which events may not fit. Fast code needs no guards for such
fields, so that `row.count + 1` is one addition.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from rules import cel
from rules.cel import Node, types
from rules.cel.emitter import Emitter
from rules.cel.numbers import normal
from rules.cel.paths import paths
from rules.cel.scope import Scope
from rules.model.projection import Projection

FAR: Final = 1e300
"""What is beyond it is looked at twice."""


class Rows(NamedTuple):
    """Of one projection: under which id they lie in cells, and what their fields hold if they are there."""

    id: str
    record: types.Record
    everywhere: bool
    """They are copied to all partitions, and read by key."""


def record(projection: Projection) -> types.Record:
    assigned: dict[str, list[Node]] = {}
    for fields in (projection.initial, *(fields for _, fields in projection.fold)):
        for name, expression in fields:
            assigned.setdefault(name, []).append(expression.node)
    guess: dict[str, types.Type] = {}
    for name, values in assigned.items():
        # what a field is made of itself says nothing of how it begins
        first = [value for value in values if ("row", name) not in paths(value)]
        guess[name] = _common(first, types.Record({}, open=True))
    while True:
        known = _record(guess)
        held = {name: kind for name, kind in guess.items() if kind == _common(assigned[name], known)}
        if held == guess:
            return known
        guess = held


def stored(value: Any) -> Any:
    """A value as rows and payloads hold it: what `cel.payload` makes of it, quickly for scalars."""
    kind = value.__class__
    if kind is str or kind is bool or value is None:
        return value
    if kind is float:
        return value if -FAR < value < FAR and not value.is_integer() else normal(value)
    return normal(value) if kind is int else cel.payload(value)


def _record(fields: dict[str, types.Type]) -> types.Record:
    return types.Record({name: (kind, True) for name, kind in fields.items() if kind is not types.ANY}, open=True)


def _common(values: list[Node], row: types.Record) -> types.Type:
    scope = Scope()
    scope.declare(("row",), "row", row)
    for name in ("id", "source", "type", "subject"):
        scope.declare(("event", name), "event", types.STRING)
    scope.declare(("key",), "key", types.STRING)
    kinds = {_stored(Emitter(scope, None).type_of(value)) for value in values}
    return kinds.pop() if len(kinds) == 1 else types.ANY


def _stored(kind: types.Type) -> types.Type:
    """Of a value after it went through a row: times are text there."""
    if types.family(kind) == types.NUMBER.name:
        return types.NUMBER
    if kind in (types.TIMESTAMP, types.DURATION):
        return types.STRING
    return kind if kind in (types.STRING, types.BOOL) else types.ANY
