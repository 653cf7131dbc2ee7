"""Commands into the file's tables, and how many of each target are in each state that is not settled.

What is there is read first: an entry of an index costs more than that, and the counts follow from what changes.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from projections.table import SETTLED, CommandRow

_READ: Final = 500
"""Commands read at once."""
_INSERT: Final = """
INSERT INTO commands (id, state, target, rule, key, at, number, summary, partition) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_COUNT: Final = """
INSERT INTO counts (partition, target, state, commands) VALUES (?, ?, ?, ?)
ON CONFLICT (partition, target, state) DO UPDATE SET commands = commands + excluded.commands
"""
_Kind = tuple[str, str]
"""(target, state)."""


def write_commands(
    db: sqlite3.Connection, partition: int, commands: Iterable[CommandRow], gone: Iterable[str] = ()
) -> None:
    """In the transaction of the connection. Of one command the last row counts."""
    rows, left = {command.id: command for command in commands}, sorted(set(gone))
    there = _there(db, [*rows, *left])
    counts: Counter[_Kind] = Counter()
    inserted, updated = [], []
    for id in sorted(rows):
        row, before = rows[id], there.get(id)
        counts[row.to, row.state] += 1
        if before is None:
            inserted.append((*row, partition))
        else:
            counts[before] -= 1
            updated.append((row.state, row.summary, id))
    counts.subtract(there[id] for id in left if id in there)
    db.executemany(_INSERT, inserted)
    db.executemany("UPDATE commands SET state = ?, summary = ? WHERE id = ?", updated)
    db.executemany("DELETE FROM commands WHERE id = ?", [(id,) for id in left])
    changes = [(partition, *kind, count) for kind, count in counts.items() if count and kind[1] not in SETTLED]
    db.executemany(_COUNT, changes)


def forget_commands(db: sqlite3.Connection, partition: int) -> None:
    """All of the partition."""
    db.execute("DELETE FROM commands WHERE partition = ?", (partition,))
    db.execute("DELETE FROM counts WHERE partition = ?", (partition,))


def count_open(db: sqlite3.Connection, targets: Sequence[str], states: Sequence[str]) -> dict[str, dict[str, int]]:
    """Target → state → how many."""
    found = {target: dict.fromkeys(states, 0) for target in targets}
    for target, state, commands in db.execute("SELECT target, state, sum(commands) FROM counts GROUP BY target, state"):
        if state in found.get(target, ()):
            found[target][state] = commands
    return found


def _there(db: sqlite3.Connection, ids: Sequence[str]) -> dict[str, _Kind]:
    """Of those that are there."""
    found: dict[str, _Kind] = {}
    for first in range(0, len(ids), _READ):
        some = ids[first : first + _READ]
        select = f"SELECT id, target, state FROM commands WHERE id IN ({', '.join('?' * len(some))})"  # noqa: S608
        found.update((id, (target, state)) for id, target, state in db.execute(select, some))
    return found
