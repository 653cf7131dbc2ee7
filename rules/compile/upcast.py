"""Older versions of events, brought up to the newest before anything sees them (RULES.md §11).

An event says its version in `dataschema`; one that says none is of version 1. `from/N` of a later version takes the
data of version N and makes them those of its own, field by field, and so on to the newest. All fields of a step see
the data before it. The log keeps what came in: this happens in the evaluation, in replay as live.

What cannot be brought up, and what is newer than all that is declared, is evaluated as it came: `Plan.misfit` counts
it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from rules import cel
from rules.compile.framed import Compiler
from rules.compile.variables import Frame, decode_data
from rules.diagnostics import shown
from rules.model.event_schema import EventSchema, versioned
from streams.copies import NONE
from streams.event import Event
from streams.state import Cell

ATTRIBUTE: Final = "dataschema"
MOST_NAMES: Final = 1_000
"""Texts of `dataschema` that are remembered as those of the newest version: they come from outside."""

_SAID: Final = re.compile(r"(?:.*/|urn:.*:)?v?([1-9][0-9]{0,8})", re.ASCII | re.DOTALL)
_encode: Final = msgspec.json.Encoder().encode


def version_of(extensions: Mapping[str, Any] | None) -> int:
    """The number at the end of `dataschema`: of the last part of a path (`…/2`, `…/v2`) or of a URN (`…:2`), or alone.
    1 where there is none."""
    said = extensions.get(ATTRIBUTE) if extensions else None
    if said.__class__ is int:
        return max(1, said)
    if said.__class__ is str:
        found = _SAID.fullmatch(said)
        if found is not None:
            return int(found[1])
    return 1


@dataclass(frozen=True, slots=True)
class Step:
    version: int
    """That the data have after it."""
    values: Callable[[Frame], dict[str, Any]]


class Upcaster:
    """Of one event type."""

    def __init__(self, type: str, newest: int, steps: dict[int, Step]) -> None:
        self.type = type
        self.newest = newest
        self.name = versioned(type, newest)
        """What `dataschema` says of events that were brought up, and of those that rules emit."""
        self.names: set[Any] = {self.name, newest}
        """Values of `dataschema` that mean the newest version: whoever finds an event's there need ask no more."""
        if newest == 1:
            self.names.add(None)
        self._steps = steps

    def brought_up(self, event: Event) -> Event:
        """The event as the newest version has it; itself where it is that, or newer, or cannot be brought up. Raises
        DecodeError or RecursionError where its data are no JSON."""
        try:
            return self._current(event)
        except cel.CelEvaluationError:
            return event

    def fitting(self, event: Event) -> tuple[Event, str | None]:
        """The same, for fast code, with the event's subject; None in its place says that it is no event for it."""
        event = self.brought_up(event)
        return event, event.subject if version_of(event.extensions) == self.newest else None

    def misfit(self, event: Event) -> str | None:
        """Why an event that went through `brought_up` is not of the newest version, in words; None where it is."""
        version = version_of(event.extensions)
        if version == self.newest:
            return None
        if version > self.newest:
            return f"version {version} is newer than all that the rules know of, {shown(self.name)}"
        try:
            self._current(event)
        except cel.CelEvaluationError as error:
            return f"version {version} cannot be brought up: {error.message}"
        return f"version {version} was not brought up"

    def _current(self, event: Event) -> Event:
        """Raises CelEvaluationError where it cannot be brought up."""
        version = version_of(event.extensions)
        if version >= self.newest:
            if version == self.newest and event.extensions and len(self.names) < MOST_NAMES:
                self.names.add(event.extensions.get(ATTRIBUTE))
            return event
        data = decode_data(event.data)
        if data is None:
            data = {}
        while version < self.newest:
            step = self._steps.get(version)
            if step is None:
                raise cel.CelEvaluationError(f"nothing leads from version {version} to {self.newest}")
            if not isinstance(data, dict):
                raise cel.CelEvaluationError(f"its data are no map, so version {version} cannot be brought up")
            made = step.values(Frame(event, event.key, _NOBODY, event.time, NONE, data))
            data = {**data, **made}
            for name, value in made.items():
                if value is None:
                    del data[name]
            version = step.version
        extensions = {**(event.extensions or {}), ATTRIBUTE: self.name}
        return msgspec.structs.replace(event, data=msgspec.Raw(_encode(data)), extensions=extensions)


_NOBODY: Final = Cell()


def upcaster(versions: tuple[EventSchema, ...], compiler: Compiler) -> Upcaster:
    """`versions` are all that is declared of one type, the oldest first."""
    newest = versions[-1]
    steps: dict[int, Step] = {}
    for schema in versions:
        for upcast in schema.upcasts:
            title = f"{schema.name} from/{upcast.version}"
            steps.setdefault(upcast.version, Step(schema.version, compiler.values(title, upcast.fields)))
    return Upcaster(newest.type, newest.version, steps)
