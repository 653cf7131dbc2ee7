"""What query tables hold, in the same words for every store."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from projections.store import QueryStore
from projections.stores.redis import store as redis
from projections.stores.redis.layout import COMMANDS, HEAD, unit
from projections.stores.redis.rows import read_row
from projections.stores.sqlite import store as sqlite
from projections.table import QueryTable

Shown = dict[str, Any]
"""Projection → (partition, key, JSON) by key; `commands` → (id, partition, state, JSON) by id; `positions` →
(partition, processor, position), those that are 0 left out."""


def file_shows(store: sqlite.QueryStore) -> Shown:
    with store.reading() as db:
        found: Shown = {
            table.name: db.execute(f"SELECT partition, key, row FROM rows_{table.id} ORDER BY key").fetchall()
            for table in store.tables
        }
        found["commands"] = db.execute("SELECT id, partition, state, summary FROM commands ORDER BY id").fetchall()
        open_ones = "FROM commands WHERE state NOT IN ('done', 'shadow') GROUP BY partition, target, state"
        counted = f"SELECT partition, target, state, count(*) {open_ones}"
        there = db.execute("SELECT partition, target, state, commands FROM counts WHERE commands <> 0").fetchall()
        assert sorted(there) == sorted(db.execute(counted).fetchall())
    found["positions"] = _positions(store)
    return found


def redis_shows(store: redis.QueryStore) -> Shown:
    """Checks that entries and counts are those of the rows and commands."""
    partitions = range(store.info.partitions)
    found: Shown = {}
    for table in store.tables:
        shown = []
        for partition in partitions:
            rows, entries, _ = _whole(store, partition, unit(table))
            assert sorted(entries) == sorted(each for key, row in rows.items() for each in row_entries(table, key, row))
            shown += [(partition, key, read_row(table, row)[1]) for key, row in rows.items()]
        found[table.name] = sorted(shown, key=lambda row: row[1])
    found["commands"] = []
    for partition in partitions:
        commands, entries, counts = _whole(store, partition, COMMANDS)
        assert sorted(entries) == sorted(entry for id, value in commands.items() for entry in entries_of(id, value))
        open_ones = Counter(value[9:41] for value in commands.values() if value[8:9] == b"+")
        assert counts == {what: str(count).encode() for what, count in open_ones.items()}
        for id, value in commands.items():
            text = value[HEAD:].decode()
            found["commands"].append((id, partition, msgspec.json.decode(text)["state"], text))
    found["commands"].sort()
    found["positions"] = _positions(store)
    return found


def _positions(store: QueryStore) -> list[tuple[int, str, int]]:
    partitions = range(store.info.partitions)
    ends = [(at, each, store.position(at, each)) for at in partitions for each in ("delivery", "rules")]
    return [end for end in ends if end[2]]


def redis_hash(store: redis.QueryStore, partition: int, unit: str) -> dict[str, bytes]:
    return {key.decode(): value for key, value in _hash(store, partition, unit).items()}


def _hash(store: redis.QueryStore, partition: int, name: str) -> dict[bytes, bytes]:
    flat = store._partitions.ask(partition, ("HGETALL", store._layout.rows(partition, name)))
    return dict(zip(flat[::2], flat[1::2], strict=True))


def entries_of(id: str, value: bytes) -> list[bytes]:
    at, state, to, rule, key = value[:8], value[9:25], value[25:41], value[41:57], value[57:73]
    digests = [(b"t", b""), (b"o", to), (b"r", rule), (b"k", key), *([(b"s", state)] if value[8:9] == b"+" else [])]
    return [letter + digest + at + id.encode() for letter, digest in digests]


def row_entries(table: QueryTable, key: str, value: bytes) -> list[bytes]:
    codes, _ = read_row(table, value)
    fields = [b"f" + number.to_bytes(2) + code + key.encode() for number, code in enumerate(codes)]
    return [b"k" + key.encode(), *fields]


def _whole(
    store: redis.QueryStore, partition: int, unit: str
) -> tuple[dict[str, bytes], list[bytes], dict[bytes, bytes]]:
    """With entries and counts, of one moment, also while somebody writes."""
    while True:
        there = redis_hash(store, partition, unit)
        key = store._layout.rows(partition, unit) + ":i"
        entries: list[bytes] = store._partitions.ask(partition, ("ZRANGE", key, 0, -1))
        counts = _hash(store, partition, f"{unit}:n")
        if redis_hash(store, partition, unit) == there:
            return there, entries, counts
