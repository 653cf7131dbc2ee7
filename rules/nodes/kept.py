"""`let` values on their way into a cell and back, with their types: a time stays a time, an error stays an error.

Cells hold plain values, and most `let` values are plain. What is not stands as a map with one key that begins with `$`;
a map that looks like that, or has keys that are no text, is written as a list of pairs.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rules import cel
from rules.cel import limits
from rules.cel.numbers import normal
from rules.cel.text import Room

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def moment(micros: int) -> datetime:
    """The timestamp of microseconds since 1970. CelEvaluationError beyond the year 9999."""
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        raise cel.CelEvaluationError("the timestamp is out of range") from None


def keep(value: Any) -> Any:
    """A plain copy of a value of CEL, or of the error that stands in its place. One that is too large is an error."""
    try:
        return _keep(value, Room(), limits.MAX_VALUE_DEPTH)
    except cel.CelEvaluationError as error:
        return _error(error)


def _error(error: cel.CelEvaluationError) -> dict[str, Any]:
    return {"$error": error.message, "$absent": isinstance(error, cel.NotEvaluated)}


def _keep(value: Any, room: Room, depth: int) -> Any:
    kind = value.__class__
    if kind is str:
        room.write(len(value))
        return value
    if value is None or kind is bool:
        return value
    if kind is int or kind is float:
        return normal(value)
    if isinstance(value, datetime):
        return {"$time": (value - _EPOCH) // _MICROSECOND}
    if isinstance(value, timedelta):
        return {"$span": value // _MICROSECOND}
    if isinstance(value, cel.CelEvaluationError):
        return _error(value)
    room.collect(len(value))
    if depth == 0:
        raise cel.CelEvaluationError(f"the value is nested deeper than {limits.MAX_VALUE_DEPTH}")
    if isinstance(value, list):
        return [_keep(element, room, depth - 1) for element in value]
    if all(key.__class__ is str and not key.startswith("$") for key in value):
        room.write(sum(map(len, value)))
        return {key: _keep(element, room, depth - 1) for key, element in value.items()}
    return {"$map": [[_keep(key, room, depth), _keep(element, room, depth - 1)] for key, element in value.items()]}


def give(kept: Any) -> Any:
    """The value that `keep` was given."""
    if isinstance(kept, list):
        return [give(element) for element in kept]
    if not isinstance(kept, dict):
        return kept
    if "$time" in kept:
        return moment(kept["$time"])
    if "$span" in kept:
        return timedelta(microseconds=kept["$span"])
    if "$error" in kept:
        kind = cel.NotEvaluated if kept["$absent"] else cel.CelEvaluationError
        return kind(kept["$error"])
    if "$map" in kept:
        return {give(key): give(element) for key, element in kept["$map"]}
    return {key: give(element) for key, element in kept.items()}
