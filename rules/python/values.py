"""Plain values: what may go from a Python rule into a payload or into state."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rules.cel import CelEvaluationError, limits
from rules.cel.numbers import LEAST, MOST, normal
from rules.cel.text import Room
from rules.cel.times import timestamp_text
from rules.python.errors import BadValue


def payload(value: Any, what: str) -> Any:
    """The JSON value, with numbers and times written as YAML rules write them. Raises BadValue."""
    try:
        return _plain(value, what, Room(), limits.MAX_VALUE_DEPTH, False)
    except CelEvaluationError as error:
        raise BadValue(f"{what}: {error.message}") from None


def kept(value: Any, what: str) -> Any:
    """A copy for state: numbers stay what they are, and times are refused, as they would come back as text. Raises
    BadValue."""
    try:
        return _plain(value, what, Room(), limits.MAX_VALUE_DEPTH, True)
    except CelEvaluationError as error:
        raise BadValue(f"{what}: {error.message}") from None


def text(value: Any, what: str) -> str:
    """Raises BadValue."""
    if not isinstance(value, str):
        raise BadValue(f"{what} needs a text, not {_kind(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadValue(f"{what} holds half a character (a surrogate)") from None
    return str(value)


def _plain(value: Any, what: str, room: Room, depth: int, state: bool) -> Any:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        room.write(len(value))
        return text(value, what)
    if isinstance(value, (int, float)):
        return _number(value, what) if state else normal(value)
    if isinstance(value, datetime) and not state:
        if value.tzinfo is None:
            raise BadValue(f"{what}: {value!r} has no time zone")
        return timestamp_text(value)
    if isinstance(value, (list, tuple)):
        _enter(value, what, room, depth)
        return [_plain(each, f"{what}[{place}]", room, depth - 1, state) for place, each in enumerate(value)]
    if isinstance(value, dict):
        _enter(value, what, room, depth)
        made: dict[str, Any] = {}
        for key, each in value.items():
            name = text(key, f"a key of {what}")
            room.write(len(name))
            made[name] = _plain(each, f"{what}[{name!r}]"[:200], room, depth - 1, state)
        return made
    raise BadValue(f"{what} is {_kind(value)}, which JSON does not know")


def _enter(value: Any, what: str, room: Room, depth: int) -> None:
    room.collect(len(value))
    if depth == 0:
        raise BadValue(f"{what[:100]} is nested deeper than {limits.MAX_VALUE_DEPTH}")


def _number(value: int | float, what: str) -> int | float:
    if isinstance(value, int):
        if not LEAST <= value <= MOST:
            raise BadValue(f"{what} does not fit in 64 bits")
        return int(value)
    normal(value)  # refuses what is not finite
    return float(value)


def _kind(value: Any) -> str:
    return f"of type {type(value).__name__}"
