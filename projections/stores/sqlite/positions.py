"""How far each unit of a partition is shown.

A unit is what has a position of its own: the commands, and each projection, by the id of its definition, so that a new
one is filled beside those that stay.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from projections.table import DELIVERY, RULES, QueryTable

_MOVE: Final = """
INSERT INTO positions (partition, unit, position) VALUES (?, ?, ?)
ON CONFLICT (partition, unit) DO UPDATE SET position = excluded.position
"""


def units(tables: Sequence[QueryTable], processor: str) -> list[str]:
    """What a processor moves. Rules without projections move a unit that has no rows, so that the log may forget."""
    return [DELIVERY] if processor == DELIVERY else [table.id for table in tables] or [RULES]


def position(db: sqlite3.Connection, partition: int, unit: str) -> int:
    row = db.execute("SELECT position FROM positions WHERE partition = ? AND unit = ?", (partition, unit)).fetchone()
    return row[0] if row else 0


def positions(db: sqlite3.Connection, partitions: int, unit: str) -> list[int]:
    """Of each partition."""
    shown = dict(db.execute("SELECT partition, position FROM positions WHERE unit = ?", (unit,)))
    return [shown.get(partition, 0) for partition in range(partitions)]


def move(db: sqlite3.Connection, partition: int, units: Sequence[str], position: int) -> None:
    db.executemany(_MOVE, [(partition, unit, position) for unit in units])
