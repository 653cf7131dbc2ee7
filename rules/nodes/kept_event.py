"""Events with a name of their own: `start` of a deadline, the steps of a sequence. And what is kept of them in cells.

The kept form is a list `[data]`, or `[data, id, source, type, subject, time, extensions]` with null for what nobody
reads. Data are a map of the fields that are read; a list of one, where `rules.nodes.kept` had to write that map; or
bytes of JSON, where they are no map or too large for a value of CEL.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from rules.kept_fields import ATTRIBUTES, Fields, Kept
from rules.nodes.kept import give, keep
from streams.event import NULL, Event

UNDECODED: Final = object()

decode_data: Final = msgspec.json.Decoder().decode


class Keeper:
    """Of one step."""

    __slots__ = ("_fields", "_kept", "_plain")

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._fields = kept.data
        self._plain = not any(name.startswith("$") for name in kept.data or ())

    @property
    def fields(self) -> Iterable[str] | None:
        """Of the data: those that are looked at, or None for all."""
        return self._fields

    def keep(self, event: Event, data: Any) -> list[Any]:
        """`data` are the event's, decoded, or UNDECODED; of a map `fields` are enough."""
        fields = self._fields
        made: list[Any] = [None]
        if fields != {}:
            made[0] = self._cut(event, fields, decode_data(event.data) if data is UNDECODED else data)
        kept = self._kept
        if kept.attributes or kept.extensions:
            made += [getattr(event, name) if name in kept.attributes else None for name in ATTRIBUTES]
            made.append(event.extensions if kept.extensions else None)
        return made

    def _cut(self, event: Event, fields: Fields | None, data: Any) -> Any:
        if fields is None or data.__class__ is not dict:
            return bytes(event.data)
        made: dict[str, Any] = {}
        plain = self._plain
        for name in fields:
            if name in data:
                value = made[name] = data[name]
                if value.__class__ is not str:
                    plain = False
        if plain:
            return made
        written = keep(_only(data, fields))
        # what is too large for a value of CEL may be read in parts still
        return bytes(event.data) if "$error" in written else [written]


def _only(value: Any, fields: Fields | None) -> Any:
    if fields is None:
        return value
    if value.__class__ is dict:
        return {name: _only(value[name], inner) for name, inner in fields.items() if name in value}
    # a list has no fields, and that is all that can be found out
    return [] if value.__class__ is list else value


class Met:
    """An event under its name."""

    __slots__ = ("_data", "_event", "kept")

    def __init__(self, event: Event | None, kept: list[Any] | None = None) -> None:
        self._event = event
        self._data: Any = UNDECODED
        self.kept = kept
        """The form in which it lies in a cell; None for one that is there whole."""

    @property
    def event(self) -> Event:
        if self._event is None:
            assert self.kept is not None
            _, id, source, type, subject, time, extensions = self.kept if len(self.kept) > 1 else _NOTHING
            self._event = Event(
                type or "", time or 0, "", subject or "", source or "", id or "", 0, NULL, extensions=extensions
            )
        return self._event

    @property
    def data(self) -> Any:
        """Raises msgspec.DecodeError, or RecursionError for what is nested too deep."""
        if self._data is UNDECODED:
            data = self.event.data if self.kept is None else self.kept[0]
            if data.__class__ is list:
                self._data = give(data[0])
            else:
                self._data = data if data.__class__ is dict else decode_data(data)
        return self._data


_NOTHING: Final = (None,) * (len(ATTRIBUTES) + 2)
