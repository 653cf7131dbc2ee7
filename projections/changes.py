"""From rows of the log's state to rows of query tables: what a cell, or what delivery keeps of a command, shows.

Used alike behind commits (`feeder.py`) and for everything at once (`refill.py`), so both show the same. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from projections.order import code
from projections.table import QueryTable, RowChange
from streams.log import LogDamaged
from streams.state import CELL


class _Rows(msgspec.Struct, array_like=True, gc=False):
    """The front of `streams.state.Cell`: what follows, the state of nodes, need not be decoded."""

    clock: int
    due: int
    opened: int
    rows: dict[str, dict[str, Any]]


_rows = msgspec.msgpack.Decoder(_Rows).decode
_json = msgspec.json.Encoder().encode


def row_changes(tables: Sequence[QueryTable], cells: Iterable[tuple[str, bytes | None, int]]) -> list[RowChange]:
    """What each of these rows of state, (name, value, position of its commit), means for each table. A value None, and
    a cell without a row of a projection, delete what the table shows of the key. Raises LogDamaged."""
    changes = []
    for name, value, position in cells:
        if name[:1] != CELL:
            continue
        key = name[1:]
        rows = cell_rows(name, value) if value is not None else {}
        for table in tables:
            row = rows.get(table.id)
            if row is None:
                changes.append(RowChange(table, key, None, position))
            else:
                codes = tuple([code(row.get(field)) for field in table.index])
                changes.append(RowChange(table, key, _json(row).decode(), position, codes))
    return changes


def cell_rows(name: str, value: bytes) -> dict[str, dict[str, Any]]:
    """Projection id → row. Raises LogDamaged for bytes that are no cell."""
    try:
        return _rows(value).rows
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LogDamaged(
            f"the cell of key `{name[1:]}` cannot be read ({error}): run `orchestrator replay verify`"
        ) from error
