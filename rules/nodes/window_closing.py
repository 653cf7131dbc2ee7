"""Windows that close: tumbling ones and sessions. What they keep of a key, and which one an event enters (RULES.md §3,
§9).

The state is a list of open windows, each an entry `[due, order, start, last, cause, event, let, summary]` in the
order of their ends: `due` is the end, at which it fires; `last` is the time of the last event, `event` that event as
its JSON array, and `let` its `let` values; `cause` is the id of the event that arrived first.
"""

from __future__ import annotations

from bisect import insort
from operator import itemgetter
from typing import Any, Final, NamedTuple

import msgspec

from rules.nodes.evaluating import Evaluating
from rules.nodes.kept import give, keep
from rules.nodes.summary import Summaries, SummariesView
from rules.nodes.waiting import DUE, ORDER, Entry
from streams.event import NULL, Event
from streams.state import Cell

START, LAST, CAUSE, EVENT, LET, SUMMARY = range(2, 8)

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Event).decode
_place: Final = itemgetter(DUE, ORDER)


class Closed(NamedTuple):
    """A window whose end has come."""

    start: int
    end: int
    cause: str
    event: Event
    """The last one."""
    let: dict[str, Any]
    view: SummariesView
    whole: bool
    """Whether all of the event is there."""


class Met(NamedTuple):
    """What an event brings to a window."""

    event: Event
    let: dict[str, Any]
    values: list[Any]


class ClosingWindow:
    """What tumbling windows and sessions share. With `whole` all of the last event is kept, else all but its data and
    extensions."""

    def __init__(self, id: str, rule: str, summaries: Summaries, whole: bool) -> None:
        self.id = id
        self._summaries = summaries
        self._whole = whole
        self._capped = f"window_capped|{rule}"

    def take(self, cell: Cell) -> Closed:
        """Removes the window that closes first."""
        entries: list[Entry] = cell.nodes[self.id]
        entry = entries.pop(0)
        if not entries:
            del cell.nodes[self.id]
        let = {name: give(value) for name, value in entry[LET].items()}
        event = _decode(entry[EVENT])
        return Closed(entry[START], entry[DUE], entry[CAUSE], event, let, self.so_far(entry), self._whole)

    def so_far(self, entry: Entry) -> SummariesView:
        """What aggregates say of an open window."""
        return SummariesView(self._summaries, [entry[SUMMARY]])

    def _new(self, start: int, end: int, order: int, met: Met) -> Entry:
        event = met.event
        summary = self._summaries.of(event.time, met.values)
        return [end, order, start, event.time, event.id, self._kept(event), _let(met), summary]

    def _grow(self, evaluation: Evaluating, entry: Entry, met: Met) -> None:
        """One more event."""
        event = met.event
        if event.time >= entry[LAST]:
            entry[LAST] = event.time
            entry[EVENT] = self._kept(event)
            entry[LET] = _let(met)
        self._merge(evaluation, entry, self._summaries.of(event.time, met.values))

    def _merge(self, evaluation: Evaluating, entry: Entry, summary: list[Any]) -> None:
        beyond = self._summaries.merge(entry[SUMMARY], summary)
        if beyond:
            evaluation.count(self._capped, beyond)

    def _put(self, evaluation: Evaluating, waiter: Any, key: str, cell: Cell, entry: Entry) -> None:
        """A window that opens, or closes at another time than before."""
        entries = cell.nodes.get(self.id)
        if entries is None:
            cell.nodes[self.id] = [entry]
        else:
            insort(entries, entry, key=_place)
        evaluation.rearm(cell)
        evaluation.opened(waiter, key, entry)

    def _kept(self, event: Event) -> bytes:
        if not self._whole:
            event = msgspec.structs.replace(event, data=NULL, extensions=None)
        return _encode(event)


def _let(met: Met) -> dict[str, Any]:
    return {name: keep(value) for name, value in met.let.items()}
