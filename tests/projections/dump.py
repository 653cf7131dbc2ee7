"""What query tables hold, in the same words for every store."""

from __future__ import annotations

from typing import Any

import msgspec

from projections.stores.redis import store as redis
from projections.stores.redis.layout import COMMANDS, HEAD, unit
from projections.stores.sqlite import store as sqlite

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
        found["positions"] = sorted(row for row in db.execute("SELECT * FROM positions") if row[2])
    return found


def redis_shows(store: redis.QueryStore) -> Shown:
    """Checks that the entries of commands are those of the commands."""
    partitions = range(store.info.partitions)
    found: Shown = {
        table.name: sorted(
            ((at, key, row.decode()) for at in partitions for key, row in redis_hash(store, at, unit(table)).items()),
            key=lambda row: row[1],
        )
        for table in store.tables
    }
    found["commands"] = []
    for partition in partitions:
        commands, entries = redis_hash(store, partition, COMMANDS), _entries(store, partition)
        while (again := redis_hash(store, partition, COMMANDS)) != commands:  # somebody writes meanwhile
            commands, entries = again, _entries(store, partition)
        assert sorted(entries) == sorted(entry for id, value in commands.items() for entry in entries_of(id, value))
        for id, value in commands.items():
            text = value[HEAD:].decode()
            found["commands"].append((id, partition, msgspec.json.decode(text)["state"], text))
    found["commands"].sort()
    ends = [(at, each, store.position(at, each)) for at in partitions for each in ("delivery", "rules")]
    found["positions"] = [end for end in ends if end[2]]
    return found


def redis_hash(store: redis.QueryStore, partition: int, unit: str) -> dict[str, bytes]:
    flat = store._partitions.ask(partition, ("HGETALL", store._layout.rows(partition, unit)))
    return {key.decode(): value for key, value in zip(flat[::2], flat[1::2], strict=True)}


def entries_of(id: str, value: bytes) -> list[bytes]:
    at, state, to, rule, key = value[:8], value[9:25], value[25:41], value[41:57], value[57:73]
    digests = [(b"t", b""), (b"o", to), (b"r", rule), (b"k", key), *([(b"s", state)] if value[8:9] == b"+" else [])]
    return [letter + digest + at + id.encode() for letter, digest in digests]


def _entries(store: redis.QueryStore, partition: int) -> list[bytes]:
    found: list[bytes] = store._partitions.ask(
        partition, ("ZRANGE", store._layout.rows(partition, COMMANDS) + ":i", 0, -1)
    )
    return found
