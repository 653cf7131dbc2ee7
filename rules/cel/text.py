"""Values as text: keys, the text around `${…}`, and the JSON of a payload.

Keys go into digests and partition maps, so equal values must have equal texts: a number is written as `numbers.digits`
says, a time as RFC 3339 UTC, a duration in seconds. `text` is for keys and refuses what is no key; `inline` is for text
in payloads and takes everything; `payload` is for a whole `${…}`. All raise `CelEvaluationError` alone.
"""

from __future__ import annotations

import json
from typing import Any

from rules.cel import limits
from rules.cel.errors import CelBudgetError, CelEvaluationError, NotEvaluated
from rules.cel.numbers import digits, normal
from rules.cel.times import duration_text, timestamp_text
from rules.cel.values import BOOL, DURATION, LIST, MAP, NULL, NUMBER, STRING, TIMESTAMP, kind


def text(value: Any) -> str:
    """The canonical text of a scalar, as keys use it.

    Null is `NotEvaluated` (a null key is no key); lists and maps are `CelEvaluationError`.
    """
    if value.__class__ is str:
        return value
    what = kind(value)
    if what is NULL:
        raise NotEvaluated("null has no text")
    if what is LIST or what is MAP:
        raise CelEvaluationError(f"{what} has no text")
    return _scalar(value, what)


def _scalar(value: Any, what: str) -> str:
    if what is STRING:
        return str(value)
    if what is NUMBER:
        return digits(value)
    if what is BOOL:
        return "true" if value else "false"
    return timestamp_text(value) if what is TIMESTAMP else duration_text(value)


def inline(value: Any) -> str:
    """The text of any value inside other text: null is `null`, lists and maps are compact JSON."""
    if kind(value) in (LIST, MAP):
        return json.dumps(payload(value), ensure_ascii=False, separators=(",", ":"))
    return "null" if value is None else text(value)


def payload(value: Any) -> Any:
    """The JSON value of a result: times and durations become text, whole numbers `int`, keys of maps text.

    Always a copy, so that a payload never shares a list with an event. Bounded by `MAX_ELEMENTS` and `MAX_CHARACTERS`,
    however often the value holds the same list or text.
    """
    return _payload(value, Room(), limits.MAX_VALUE_DEPTH)


class Room:
    """How much of a result may still be written."""

    __slots__ = ("characters", "elements")

    def __init__(self) -> None:
        self.characters = limits.MAX_CHARACTERS
        self.elements = limits.MAX_ELEMENTS

    def write(self, characters: int) -> None:
        self.characters -= characters
        if self.characters < 0:
            raise CelBudgetError(f"the result has more than {limits.MAX_CHARACTERS} characters")

    def collect(self, elements: int) -> None:
        self.elements -= elements
        if self.elements < 0:
            raise CelBudgetError(f"the result has more than {limits.MAX_ELEMENTS} elements")


def _payload(value: Any, room: Room, depth: int) -> Any:
    what = kind(value)
    if what is NUMBER:
        return normal(value)
    if what is TIMESTAMP or what is DURATION:
        return _scalar(value, what)
    if what is STRING:
        room.write(len(value))
        return str(value)
    if what is not LIST and what is not MAP:
        return value
    room.collect(len(value))
    if depth == 0:
        raise CelEvaluationError(f"the value is nested deeper than {limits.MAX_VALUE_DEPTH}")
    if what is LIST:
        return [_payload(element, room, depth - 1) for element in value]
    made: dict[str, Any] = {}
    for key, element in value.items():
        name = text(key)
        if name in made:
            raise CelEvaluationError(f"two keys of a map are both written `{name[:40]}`")
        room.write(len(name))
        made[name] = _payload(element, room, depth - 1)
    return made


def render(whole: bool, *parts: Any) -> Any:
    """A payload string: the JSON value of its one part, or the text of all parts."""
    if whole:
        return payload(parts[0])
    made: list[str] = []
    length = 0
    for part in parts:
        made.append(part if part.__class__ is str else inline(part))
        length += len(made[-1])
        if length > limits.MAX_CHARACTERS:
            raise CelBudgetError(f"the text has more than {limits.MAX_CHARACTERS} characters")
    return "".join(made)
