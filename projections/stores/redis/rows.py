"""Rows and their entries in Redis (`layout.py`), as bytes.

    row     of each field of the table's `index` the length of its code (2 bytes) and the code (`order.py`); the JSON
    entry   `k` key, for the order of keys · `f` number of the field in `index` (2 bytes) code key, for that of values

Codes end where they say, so such entries sort by code and then by key, and what lies between two codes is one range.
"""

from __future__ import annotations

from typing import Final

from projections.spans import Span
from projections.table import KEY, QueryTable, RowChange

NO_KEY: Final = b"\xff"
"""No key begins so: behind all entries of a code."""


def row_value(row: RowChange) -> bytes:
    text = (row.text or "").encode()
    return b"".join([part for code in row.codes for part in (len(code).to_bytes(2), code)] + [text])


def read_row(table: QueryTable, value: bytes) -> tuple[list[bytes], str]:
    """Its codes and its JSON."""
    codes: list[bytes] = []
    at = 0
    for _ in table.index:
        end = at + 2 + int.from_bytes(value[at : at + 2])
        codes.append(value[at + 2 : end])
        at = end
    return codes, value[at:].decode()


def number(table: QueryTable, field: str) -> int:
    """Of a field, as scripts count them: from 1, 0 for the key."""
    return 0 if field == KEY else table.index.index(field) + 1


def prefix(number: int) -> bytes:
    return b"f" + (number - 1).to_bytes(2) if number else b"k"


def bounds(number: int, span: Span) -> tuple[bytes, bytes]:
    """The entries of a span, as ranges of sorted sets say them."""
    begin = prefix(number)
    if span.high is not None:
        return b"[" + begin + span.low, b"(" + begin + span.high
    return b"[" + begin + span.low, b"(" + begin + NO_KEY
