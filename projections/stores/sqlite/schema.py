"""The file of query tables: what is in it, whose it is, and making it fit the log and the rules at hand.

meta        `layout`: format, log, generation and tables, as JSON. A file with another one is made anew, but where only
            the tables differ: then those that both have stay, and so do the commands.
positions   how far each unit of each partition is shown (`positions.py`)
rows_<id>   one table per projection: JSON text by (partition, key); the partition follows from the key. Of each field
            of `index` the code of its value (`order.py`): c0, c1, …, each with an index rows_<id>_<n> by (code, key)
commands    by id; listed newest first, by (at, id)
counts      of commands that are not settled, how many of each partition have a target and a state (`commands.py`)
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from projections.table import SETTLED, QueryTable
from streams.log import LogInfo

FORMAT: Final = 4
OPEN: Final = f"state NOT IN ({', '.join(repr(state) for state in SETTLED)})"
"""The condition of the index by state: nearly all commands are settled, and finding those is no work."""
_ID: Final = re.compile(r"[0-9a-z_]{1,64}", re.ASCII)

_SCHEMA: Final = (
    """
CREATE TABLE positions (
    partition INTEGER NOT NULL, unit TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (partition, unit)
) WITHOUT ROWID
""",
    """
CREATE TABLE commands (
    id TEXT PRIMARY KEY, partition INTEGER NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL, target TEXT NOT NULL,
    rule TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, summary TEXT NOT NULL
)
""",
    "CREATE INDEX commands_by_time ON commands (at, id)",
    f"CREATE INDEX commands_by_state ON commands (state, at, id) WHERE {OPEN}",
    "CREATE INDEX commands_by_target ON commands (target, at, id)",
    "CREATE INDEX commands_by_rule ON commands (rule, at, id)",
    "CREATE INDEX commands_by_key ON commands (key, at, id)",
    """
CREATE TABLE counts (
    partition INTEGER NOT NULL, target TEXT NOT NULL, state TEXT NOT NULL, commands INTEGER NOT NULL,
    PRIMARY KEY (partition, target, state)
) WITHOUT ROWID
""",
)


class Layout(msgspec.Struct, frozen=True):
    """What a file was made for."""

    format: int
    log: str
    generation: int
    partitions: int
    tables: tuple[tuple[str, str, tuple[str, ...]], ...]
    """(name, id, index) of each projection, by name."""

    @classmethod
    def of(cls, info: LogInfo, tables: Sequence[QueryTable]) -> Layout:
        named = sorted((table.name, table.id, table.index) for table in tables)
        return cls(FORMAT, info.id, info.generation, info.partitions, tuple(named))

    def continues(self, other: Layout) -> bool:
        """Whether a file with this layout is one with the other but for its tables."""
        return msgspec.structs.replace(self, tables=()) == msgspec.structs.replace(other, tables=())

    def differs(self, other: Layout) -> str:
        """Why a file with this layout cannot be continued with the other one."""
        if self.format != other.format:
            return f"it has format {self.format} and this version writes {other.format}"
        if self.log != other.log:
            return f"it belongs to another log ({self.log}, not {other.log})"
        if self.generation != other.generation or self.partitions != other.partitions:
            return f"it belongs to generation {self.generation} of the log, which is at {other.generation}"
        return "it has other tables"


def read_layout(db: sqlite3.Connection) -> Layout | None:
    """None for a new file, or one whose layout this version cannot read."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is None:
        return None
    row = db.execute("SELECT value FROM meta WHERE name = 'layout'").fetchone()
    if row is None:
        return None
    try:
        return msgspec.json.decode(row[0], type=Layout)
    except msgspec.MsgspecError:
        return None


def create(db: sqlite3.Connection, layout: Layout) -> None:
    """Drops what is there and makes empty tables, inside the caller's transaction."""
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        db.execute(f'DROP TABLE "{name.replace(chr(34), chr(34) * 2)}"')
    db.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID")
    db.execute("INSERT INTO meta VALUES ('layout', ?)", (msgspec.json.encode(layout).decode(),))
    for statement in _SCHEMA:
        db.execute(statement)
    for _, id, index in layout.tables:
        _create_table(db, id, index)


def adapt(db: sqlite3.Connection, stored: Layout, layout: Layout) -> list[str]:
    """Drops the tables that the layout does not have and makes its new ones, empty, inside the caller's transaction.
    The names of the new ones."""
    there, wanted = ({(id, index) for _, id, index in each.tables} for each in (stored, layout))
    for id, _ in there - wanted:
        db.execute(f"DROP TABLE {table_name(id)}")
        db.execute("DELETE FROM positions WHERE unit = ?", (id,))
    for id, index in wanted - there:
        _create_table(db, id, index)
    db.execute("UPDATE meta SET value = ? WHERE name = 'layout'", (msgspec.json.encode(layout).decode(),))
    return [name for name, id, index in layout.tables if (id, index) not in there]


def _create_table(db: sqlite3.Connection, id: str, index: Sequence[str]) -> None:
    codes = "".join(f"{column(number)} BLOB NOT NULL, " for number in range(len(index)))
    db.execute(
        f"CREATE TABLE {table_name(id)} (partition INTEGER NOT NULL, key TEXT NOT NULL, position INTEGER NOT NULL, "
        f"row TEXT NOT NULL, {codes}PRIMARY KEY (partition, key)) WITHOUT ROWID"
    )
    for number in range(len(index)):
        db.execute(f"CREATE INDEX {index_name(id, number)} ON {table_name(id)} ({column(number)}, key)")


def table_name(id: str) -> str:
    """The name goes into statements as it is. Raises ValueError for an id that could be anything but a name."""
    if not _ID.fullmatch(id):
        raise ValueError(f"`{id}` is not an id of a projection")
    return f"rows_{id}"


def index_name(id: str, number: int) -> str:
    """Of the index over a field, by its place in the table's `index`."""
    return f"{table_name(id)}_{number}"


def column(number: int) -> str:
    return f"c{number}"
