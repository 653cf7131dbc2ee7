"""Rows into the file's tables: sorted, so that neighbours are written together, and of the indexes only what changed.

An entry of an index lies anywhere in it and costs more than its row. Most changes of a row leave most of its indexed
fields as they were, so their codes are read first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, Final

from projections.stores.sqlite.schema import column, table_name
from projections.table import QueryTable, RowChange

_READ: Final = 500
"""Rows read at once."""
_key: Final = attrgetter("key")


def write_rows(db: sqlite3.Connection, table: QueryTable, partition: int, rows: Iterable[RowChange]) -> None:
    """In the transaction of the connection."""
    ordered = sorted(rows, key=_key)
    name = table_name(table.id)
    put = [row for row in ordered if row.text is not None]
    there = _codes(db, table, partition, put) if table.index else {}
    inserted: list[tuple[Any, ...]] = []
    updated: dict[tuple[int, ...], list[tuple[Any, ...]]] = {}
    for row in put:
        before = there.get(row.key)
        if before is None:
            inserted.append((partition, row.key, row.position, row.text, *row.codes))
        else:
            changed = tuple([number for number, code in enumerate(row.codes) if code != before[number]])
            values = (row.position, row.text, *(row.codes[number] for number in changed), partition, row.key)
            updated.setdefault(changed, []).append(values)
    db.executemany(
        f"INSERT OR REPLACE INTO {name} VALUES (?, ?, ?, ?{', ?' * len(table.index)})",  # noqa: S608
        inserted,
    )
    for changed, rewritten in updated.items():
        codes = "".join(f", {column(number)} = ?" for number in changed)
        db.executemany(f"UPDATE {name} SET position = ?, row = ?{codes} WHERE partition = ? AND key = ?", rewritten)  # noqa: S608
    db.executemany(
        f"DELETE FROM {name} WHERE partition = ? AND key = ?",  # noqa: S608
        [(partition, row.key) for row in ordered if row.text is None],
    )


def _codes(
    db: sqlite3.Connection, table: QueryTable, partition: int, rows: Sequence[RowChange]
) -> dict[str, list[bytes]]:
    """Key → codes, of those that are there."""
    columns = ", ".join(column(number) for number in range(len(table.index)))
    found: dict[str, list[bytes]] = {}
    for first in range(0, len(rows), _READ):
        keys = [row.key for row in rows[first : first + _READ]]
        select = (
            f"SELECT key, {columns} FROM {table_name(table.id)} "  # noqa: S608
            f"WHERE partition = ? AND key IN ({', '.join('?' * len(keys))})"
        )
        found.update((key, codes) for key, *codes in db.execute(select, (partition, *keys)))
    return found
