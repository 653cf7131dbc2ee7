"""Order: the commands of one key for one target that ask for it are delivered one after the other.

They form a *lane*: a list linked through the entries of the ledger (`before`, `after`), in the order of decision, whose
head may be sent. A command leaves when it has ended, whatever its end, and the next becomes the head; one that is
redriven joins at the end. A row beside the entries names the last of each lane, so that nothing needs to be in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Final

from adapters.draft import Draft
from adapters.ledger import Entry
from streams.outputs import Command

PREFIX: Final = "#lane|"

Rows = Callable[[list[str]], dict[str, bytes]]


class Lanes:
    """Of one turn. `rows` reads rows of delivery's state by name."""

    def __init__(self, draft: Draft, rows: Rows) -> None:
        self._draft = draft
        self._rows = rows
        self._last: dict[str, str] = {}
        """Row → the id of the last command, "" for an empty lane; of those that were looked up."""

    def expect(self, commands: Iterable[Command]) -> None:
        """Looks up the lanes of these in one read."""
        names = sorted({_name(command) for command in commands} - self._last.keys())
        if names:
            found = self._rows(names)
            self._last |= {name: found[name].decode() if name in found else "" for name in names}

    def join(self, entry: Entry) -> bool:
        """Puts it at the end. Whether it is the head."""
        self.expect((entry.command,))
        name = _name(entry.command)
        entry.lane, entry.before, entry.after = True, self._last[name], ""
        if entry.before:
            last = self._draft.get(entry.before)
            assert last is not None, f"the last command of {name} is not in the ledger"
            last.after = entry.command.id
            self._draft.stage(last)
        self._set_last(name, entry.command.id)
        return not entry.before

    def leave(self, entry: Entry) -> Entry | None:
        """Takes it out. The command that became the head by it, if any."""
        if not entry.lane:
            return None
        before, after = entry.before, entry.after
        entry.lane, entry.before, entry.after = False, "", ""
        beside = self._draft.find(id for id in (before, after) if id)
        if before:
            beside[before].after = after
        if after:
            beside[after].before = before
        else:
            self._set_last(_name(entry.command), before)
        for other in beside.values():
            self._draft.stage(other)
        return beside[after] if after and not before else None

    def _set_last(self, name: str, id: str) -> None:
        self._last[name] = id
        self._draft.row(name, id.encode() or None)


def ordered(command: Command) -> bool:
    return command.terms is not None and command.terms.order


def _name(command: Command) -> str:
    return PREFIX + blake2b(f"{len(command.to)}:{command.to}{command.key}".encode(), digest_size=16).hexdigest()
