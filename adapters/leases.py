"""The leases that run in one partition: which commands are with somebody, and when the first of them runs out."""

from __future__ import annotations

from adapters.ledger import Entry
from adapters.times import Times


class Leases:
    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._deadlines = Times()

    def __contains__(self, id: str) -> bool:
        return id in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, id: str) -> Entry | None:
        return self._entries.get(id)

    def hold(self, entry: Entry) -> None:
        """Until its deadline."""
        self._entries[entry.command.id] = entry
        self._deadlines.set(entry.command.id, entry.deadline)

    def end(self, id: str) -> None:
        self._entries.pop(id, None)
        self._deadlines.remove(id)

    def run_out(self, now: int) -> list[Entry]:
        """Those whose time is over, the earliest first; each is told once."""
        return [self._entries.pop(id) for id in self._deadlines.passed(now)]

    @property
    def next(self) -> int:
        """When the next runs out; NEVER if none runs."""
        return self._deadlines.next
