"""What a turn changes before it is committed: entries of the ledger, rows beside them, events, and what it tells.

An entry is one object as long as a turn lasts: whoever looks it up here gets the one that others changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from adapters.arming import Arming
from adapters.arming import stored as stored_arming
from adapters.breaker import Switch
from adapters.gates import Pause, stored_pause
from adapters.leases import Leases
from adapters.ledger import Entry
from adapters.turn import Turn
from streams.event import Event
from streams.outputs import Command
from streams.state import Change


class Draft:
    """`stored` reads entries as they are stored, by id. `switches`: changes of breakers that are not stored yet,
    each with the command whose attempt made it."""

    def __init__(
        self,
        stored: Callable[[Iterable[str]], dict[str, Entry]],
        leases: Leases,
        switches: dict[str, tuple[Switch, Command]],
    ) -> None:
        self._stored = stored
        self._leases = leases
        self._known: dict[str, Entry] = {}
        self._entries: dict[str, Entry] = {}
        self._rows: dict[str, bytes | None] = {}
        self.events: list[Event] = []
        self.switches = switches
        self.pauses: dict[str, Pause | None] = {}
        """By target, with this turn."""
        self.arming: Arming | None = None
        """With this turn."""
        self.turn = Turn()

    def __contains__(self, id: str) -> bool:
        return id in self._entries

    def find(self, ids: Iterable[str]) -> dict[str, Entry]:
        """Those that there are."""
        found: dict[str, Entry] = {}
        missing: list[str] = []
        for id in ids:
            entry = self._known.get(id) or self._leases.get(id)
            if entry is not None:
                found[id] = entry
            else:
                missing.append(id)
        if missing:
            read = self._stored(missing)
            self._known |= read
            found |= read
        return found

    def same(self, entry: Entry) -> Entry:
        """The entry that this turn works on, which is this one if it is new here."""
        return self._known.setdefault(entry.command.id, entry)

    def get(self, id: str) -> Entry | None:
        return self.find((id,)).get(id)

    def stage(self, entry: Entry) -> None:
        """It is written with this turn."""
        self._known[entry.command.id] = entry
        self._entries[entry.command.id] = entry

    def row(self, name: str, value: bytes | None) -> None:
        """A row that is no command; None deletes it."""
        self._rows[name] = value

    def arm(self, arming: Arming) -> None:
        """Or disarm."""
        self.arming = arming
        self.row(*stored_arming(arming))

    def pause(self, target: str, pause: Pause | None) -> None:
        """None resumes."""
        self.pauses[target] = pause
        self.row(*stored_pause(target, pause))

    def count(self, what: str, entry: Entry) -> None:
        name = f"{what}|{entry.command.to}"
        self.turn.counts[name] = self.turn.counts.get(name, 0) + 1

    def changes(self) -> list[Change]:
        rows = [Change(name, value) for name, value in self._rows.items()]
        return [entry.change() for entry in self._entries.values()] + rows
