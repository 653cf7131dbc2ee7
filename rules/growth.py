"""What a rule set keeps: of each stateful part, how much for one key, and for how long.

Figures are estimates in bytes of a cell as it is stored: exact for what has a fixed form, and for values guessed from
their declared types, so good for orders of magnitude.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from rules.aggregates import Aggregates
from rules.model.event_schema import EventSchema, FieldKind
from rules.model.projection import Projection
from rules.model.rule import NEVER, Rule
from rules.model.window import Last, Session, Sliding, Stepped, Tumbling, Window
from rules.ruleset import RuleSet
from streams import duration

_ID: Final = 13
"""A node id with its head."""
_TIME: Final = 9
THROTTLE: Final = _ID + _TIME
_ENVELOPE: Final = 180
"""An event as JSON, but for its data."""
_UNKNOWN: Final = 200
"""Data without a schema."""
_LET: Final = 20
_VALUE: Final = 12
"""Of a field of a row."""
_KINDS: Final[dict[FieldKind, int]] = {
    "number": 9,
    "integer": 5,
    "boolean": 5,
    "string": 20,
    "any": 40,
    "list": 100,
    "map": 100,
}


@dataclass(frozen=True, slots=True)
class Growth:
    owner: str
    """`rule NAME` or `projection NAME`."""
    bytes: int
    """About so many, of one element of one key."""
    per_key: str
    """How many elements a key can have."""
    until: str
    """When an element goes."""


def growth(ruleset: RuleSet) -> Iterator[Growth]:
    """In the order of the file, projections first."""
    for projection in ruleset.projections.values():
        ends = [" or ".join(projection.delete)] if projection.delete else []
        if projection.keep is not None:
            ends.append(f"{duration.format(projection.keep)} without an event")
        until = " or ".join(ends) or "for ever"
        yield Growth(_owner(projection), row_bytes(projection), "one row", until)
    for rule in ruleset.rules:
        if rule.enabled:
            yield from _of_rule(ruleset, rule)


def _of_rule(ruleset: RuleSet, rule: Rule) -> Iterator[Growth]:
    deadline = rule.deadline
    if deadline is not None:
        size = _ID + 2 * _TIME + event_bytes(ruleset, rule.on) + _LET * len(rule.let)
        number = "a deadline for each opening event" if deadline.pending == "each" else "one deadline"
        until = f"{duration.format(deadline.after)} later{', or cancelled' if deadline.unless else ''}"
        yield Growth(_owner(rule), size, number, until)
    if rule.window is not None:
        yield _of_window(rule, rule.window)
    if rule.once_within == NEVER:
        yield Growth(_owner(rule), THROTTLE, "the last firing", "for ever")
    elif rule.once_within is not None:
        yield Growth(_owner(rule), THROTTLE, "the last firing", "the next one")


def _of_window(rule: Rule, window: Window) -> Growth:
    aggregates = Aggregates(rule)
    values = _TIME * len(aggregates.columns)
    told = _ID + 2 * _TIME + _TIME * len(aggregates.found)
    apart = any(each.function == "distinct" for each in aggregates.found)
    per_key, until = "one", "its end"
    match window:
        case Sliding():
            until = f"{duration.format(window.span)} later"
            return Growth(_owner(rule), _TIME + values, f"up to {window.limit:,} events", until)
        case Last():
            number = f"the last {window.count:,} events" if values else "a number"
            return Growth(_owner(rule), values or _TIME, number, "for ever")
        case Stepped():
            buckets = window.span // window.step + 1
            per_key, until = f"{buckets:,} buckets", f"{duration.format(window.span)} later"
        case Tumbling():
            told, per_key = told + _ENVELOPE, "each open window"
        case Session():
            told, per_key = told + _ENVELOPE, "each open session"
    return Growth(_owner(rule), told, per_key + (f", {window.limit:,} values apart" if apart else ""), until)


def row_bytes(projection: Projection) -> int:
    names = {name for _, fields in projection.fold for name, _ in fields} | {name for name, _ in projection.initial}
    return _ID + sum(len(name) + 1 + _VALUE for name in names)


def event_bytes(ruleset: RuleSet, types: Iterable[str]) -> int:
    """Of the largest."""
    return _ENVELOPE + max((_data(ruleset.schemas.get(type)) for type in types), default=_UNKNOWN)


def _data(schema: EventSchema | None) -> int:
    if schema is None:
        return _UNKNOWN
    return 2 + sum(len(name) + 4 + _KINDS[field.kind] for name, field in schema.fields.items())


def _owner(part: Rule | Projection) -> str:
    return f"{'rule' if isinstance(part, Rule) else 'projection'} {part.name}"
