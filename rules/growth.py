"""What a rule set keeps: of each stateful part, how much for one key, and for how long.

Figures are estimates in bytes of a cell as it is stored: exact for what has a fixed form, and for values guessed from
their declared types, so good for orders of magnitude.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from rules.aggregates import Aggregates
from rules.compile.limits import LIMITS
from rules.kept_fields import Kept, kept_fields
from rules.model.event_schema import EventSchema, FieldKind
from rules.model.projection import Projection
from rules.model.rule import NEVER, Rule
from rules.model.sequence import Step
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
_TEXT: Final = 20
_NAMED: Final = 50
"""Source and id of an event."""
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
    if rule.function is not None and rule.function.state:
        yield Growth(_owner(rule), rule.function.max_state, "one state, at most", "for ever")
    if rule.window is not None:
        yield _of_window(rule, rule.window)
    if rule.sequence is not None:
        until = f"{duration.format(rule.sequence.within)} after the first event, or when it ends"
        number = f"up to {LIMITS.matches:,} open matches"
        yield Growth(_owner(rule), _match_bytes(ruleset, rule), number, until)
    if rule.settle is not None:
        size = _ID + 3 * _TIME + 2 * _NAMED + event_bytes(ruleset, rule.seen) + _LET * len(rule.let)
        size += sum(_kept_bytes(ruleset, *each) for each in zip(*_steps(rule), strict=True))
        if rule.window is not None:
            size += _TIME * len(Aggregates(rule).found)
        yield Growth(_owner(rule), size, "the last firing", f"{duration.format(rule.settle)} of quiet")
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


def _match_bytes(ruleset: RuleSet, rule: Rule) -> int:
    """Of one that waits for its last step."""
    return _ID + 4 * _TIME + _NAMED + sum(_kept_bytes(ruleset, *each) for each in zip(*_steps(rule), strict=True))


def _steps(rule: Rule) -> tuple[tuple[Step, ...], list[Kept | None]]:
    return () if rule.sequence is None else rule.sequence.steps, kept_fields(rule)


def _kept_bytes(ruleset: RuleSet, step: Step, kept: Kept | None) -> int:
    """What a match holds of the event of a step."""
    if kept is None:
        return 0
    size = _TEXT * len(kept.attributes) + _UNKNOWN * kept.extensions
    if kept.data is None:
        return size + event_bytes(ruleset, step.on) - _ENVELOPE
    return size + sum(len(name) + 4 + _kind_bytes(ruleset, step.on, name) for name in kept.data)


def _kind_bytes(ruleset: RuleSet, types: Iterable[str], name: str) -> int:
    declared = [ruleset.schemas[type].fields.get(name) for type in types if type in ruleset.schemas]
    return max((_KINDS[field.kind] for field in declared if field is not None), default=_KINDS["any"])


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
