"""Lists of rows from Redis: of each partition the next ones (`rows.lua`), merged by the order of their entries.

One script is one moment of its partition. Where it has looked at enough and a page is not full, it is asked to go on;
if the partition was written meanwhile, it begins again and looks at more, so that what is answered of a partition is
always what one position shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from projections.spans import EVERYTHING
from projections.store import ListedRow, Listing, QueryStoreUnavailable, RowPlace, RowQuery
from projections.stores.redis.rows import bounds, number, prefix, read_row
from projections.table import QueryTable
from streams.backends.redis.nodes import Argument
from streams.backends.redis.scripts import script

LOOKS: Final = 5_000
"""Rows that one script looks at, at most, while nobody writes: a few milliseconds in which the server does nothing
else."""
FEW: Final = 1_000
"""Rows that one script sorts, at most."""
TRIES: Final = 4
"""How often a partition begins again because it was written; each time four times as much is looked at."""
_ROWS: Final = script("rows", Path(__file__).parent)


class _Part(NamedTuple):
    """Of a partition: its position, the rows found so far (entry, value), and the entry to go on after, b"" at the
    end."""

    position: int
    found: list[tuple[bytes, bytes]]
    place: bytes


class _Begin(NamedTuple):
    """What to ask of a partition: go on with a part, or begin it."""

    part: _Part | None
    tries: int


Ask = Callable[[Sequence[tuple[int, Any]]], list[Any]]
"""Calls of partitions → replies."""


def rows(
    ask: Ask,
    keys: Callable[[int], list[Argument]],
    position: str,
    table: QueryTable,
    query: RowQuery,
    partitions: int,
    limit: int,
    after: RowPlace | None,
) -> Listing:
    """`keys` of a partition as `rows.lua` names them, `position` the field of the unit's. Raises QueryStoreError."""
    sort = number(table, query.sort)
    begin = prefix(sort) + after.code + after.key.encode() if after is not None else b""
    arguments = _conditions(table, query)
    parts: dict[int, _Part] = {}
    merged: list[tuple[bytes, bytes]] = []
    going = dict.fromkeys(range(partitions), _Begin(None, 0))
    while going:
        calls = []
        for partition, (part, tries) in going.items():
            ranges = _ranges(query, sort, part.place if part is not None else begin)
            # Of a page each partition has a share: twice that is nearly always enough.
            most = limit if part is not None or tries else min(limit, 2 * limit // partitions + 8)
            head = [position, most, LOOKS * 4**tries, FEW, "-" if query.descending else "+", sort]
            calls.append((partition, _ROWS.call(keys(partition), [*head, len(ranges) // 2, *ranges, *arguments])))
        again: dict[int, _Begin] = {}
        for (partition, (part, tries)), (at, place, *flat) in zip(going.items(), ask(calls), strict=True):
            found = list(zip(flat[::2], flat[1::2], strict=True))
            if part is not None and part.position != int(at or 0):
                if tries == TRIES:
                    raise QueryStoreUnavailable(
                        "query tables: the list looks at more rows than can be read while they change: repeat, or ask "
                        "with a condition that fewer rows fulfil"
                    )
                again[partition] = _Begin(None, tries + 1)
                parts.pop(partition)
                continue
            parts[partition] = _Part(int(at or 0), (part.found if part is not None else []) + found, place)
            going[partition] = _Begin(parts[partition], tries)
        merged = sorted((row for part in parts.values() for row in part.found), reverse=query.descending)[:limit]
        last = merged[-1][0] if len(merged) == limit else None
        for partition, part in parts.items():
            beyond = last is not None and (part.place <= last if query.descending else part.place >= last)
            if part.place and not beyond:
                again[partition] = going[partition] if partition in going else _Begin(part, 0)
        going = again
    listed = []
    for entry, value in merged:
        codes, text = read_row(table, value)
        code = codes[sort - 1] if sort else b""
        listed.append(ListedRow(RowPlace(code, entry[len(prefix(sort)) + len(code) :].decode()), text))
    return Listing(listed, [parts[partition].position for partition in range(partitions)])


def _ranges(query: RowQuery, sort: int, place: bytes) -> list[bytes]:
    """Both ends of each range of entries that is walked, in the direction of the walk, from after the place on."""
    spans = next((each.spans for each in query.conditions if each.field == query.sort), EVERYTHING)
    found: list[bytes] = []
    for span in reversed(spans) if query.descending else spans:
        low, high = bounds(sort, span)
        if place and query.descending:
            high = min(high, b"(" + place)
        elif place and place >= low[1:]:
            low = b"(" + place
        if low[1:] < high[1:]:
            found += (high, low) if query.descending else (low, high)
    return found


def _conditions(table: QueryTable, query: RowQuery) -> list[Argument]:
    """Those that the walk does not fulfil by itself."""
    found: list[Argument] = []
    for field, spans in query.conditions:
        if field != query.sort:
            of = number(table, field)
            found += (of, len(spans))
            for span in spans:
                found += (span.low, span.high or "", *bounds(of, span))
    return found
