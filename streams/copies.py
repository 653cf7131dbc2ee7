"""Reference rows that lie in every partition (RULES.md §2, `scope: everywhere`), as one partition has them.

The partition that owns a key copies each change of its row into its own copies at once, and to the other partitions
through their logs (`COPIED`), so what an evaluation reads follows from the log of its partition alone. All of them are
in memory: they are small by contract, and bounded. Stored as rows `e<projection id>/<key>` of the partition's state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from streams.state import COPY, Change

MOST: Final = 100_000
"""Copies of all projections together. A further one is not taken."""
Row = dict[str, Any]
NONE: Final[Mapping[str, Mapping[str, Row]]] = {}
"""For expressions that may not read copies."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Row).decode


class Copies:
    def __init__(self, stored: Iterable[tuple[str, bytes]] = ()) -> None:
        """`stored` are rows of the state whose names begin with `COPY`."""
        self.rows: dict[str, dict[str, Row]] = {}
        """Projection id → key → row."""
        self._count = 0
        self._changed: dict[tuple[str, str], None] = {}
        for name, value in stored:
            id, _, key = name.removeprefix(COPY).partition("/")
            self.rows.setdefault(id, {})[key] = _decode(value)
            self._count += 1

    def set(self, id: str, key: str, row: Row | None) -> bool:
        """None takes it out. False: there are too many, and this one is not taken."""
        rows = self.rows.setdefault(id, {})
        there = key in rows
        if row is None:
            if there:
                del rows[key]
                self._count -= 1
        elif not there and self._count >= MOST:
            return False
        else:
            rows[key] = row
            self._count += not there
        self._changed[id, key] = None
        return True

    def apart(self) -> Copies:
        """The same rows, to be changed without these."""
        made = Copies()
        made.rows = {id: dict(rows) for id, rows in self.rows.items()}
        made._count = self._count
        return made

    def changes(self) -> list[Change]:
        """What to commit; call `committed` after it."""
        changes: list[Change] = []
        for id, key in self._changed:
            row = self.rows[id].get(key)
            changes.append(Change(f"{COPY}{id}/{key}", None if row is None else _encode(row)))
        return changes

    @property
    def changed(self) -> bool:
        """Whether they differ from what is stored."""
        return bool(self._changed)

    def committed(self) -> None:
        self._changed.clear()
