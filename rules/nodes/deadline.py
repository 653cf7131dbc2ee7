"""`after`, `unless` and `pending`: what an opening event sets for later (RULES.md §4).

The state is a list of entries `[due, order, event, let]` (`rules.nodes.waiting`), ordered by due time, then by order
of opening: the opening event whole, as its JSON array, and the `let` values of the moment when it opened. Callers keep
`Cell.due`, the earliest due time of all that waits for the key, right.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Final, Literal

import msgspec

from rules.nodes.kept import give, keep
from rules.nodes.waiting import DUE, ORDER, Entry
from streams.event import Event
from streams.state import Cell

OPENING, LET = 2, 3

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Event).decode
_place: Final = itemgetter(DUE, ORDER)


class Deadline:
    __slots__ = ("after", "id", "pending")

    def __init__(self, id: str, after: int, pending: Literal["each", "first", "latest"]) -> None:
        self.id = id
        self.after = after
        """Microseconds."""
        self.pending = pending

    def open(self, cell: Cell, event: Event, let: dict[str, Any], order: Callable[[Cell], int]) -> Entry | None:
        """The new entry, or None where `pending` prefers the one that is there. `order` draws its place."""
        due = event.time + self.after
        entries: list[Entry] | None = cell.nodes.get(self.id)
        if entries and self.pending != "each":
            held = entries[0][DUE]
            if due >= held if self.pending == "first" else due < held:
                return None
            entries.clear()
        entry: Entry = [due, order(cell), _encode(event), {name: keep(value) for name, value in let.items()}]
        if entries is None:
            cell.nodes[self.id] = [entry]
        else:
            insort(entries, entry, key=_place)
        return entry

    def cancel(self, cell: Cell, event: Event, when: Callable[[Event], bool] | None) -> int:
        """Takes out what this event cancels; `when` is asked with the opening event. How many were cancelled."""
        entries: list[Entry] = cell.nodes[self.id]
        time, after = event.time, self.after
        kept = [
            entry
            for entry in entries
            if not (entry[DUE] - after <= time <= entry[DUE] and (when is None or when(_decode(entry[OPENING]))))
        ]
        cancelled = len(entries) - len(kept)
        if not kept:
            del cell.nodes[self.id]
        elif cancelled:
            cell.nodes[self.id] = kept
        return cancelled

    def take(self, cell: Cell) -> tuple[int, Event, dict[str, Any]]:
        """Removes the first entry: its due time, the opening event and the `let` values."""
        entries: list[Entry] = cell.nodes[self.id]
        due, _, event, let = entries.pop(0)
        if not entries:
            del cell.nodes[self.id]
        return due, _decode(event), {name: give(value) for name, value in let.items()}
