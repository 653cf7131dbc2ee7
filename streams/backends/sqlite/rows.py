"""Rows of a slot as of now: what layers hold in memory, over what the tables hold on disk.

Layers are given newest first, and taken before the tables are looked at: a flush that ends in between has then written
what the layer in hand holds too. Statements with lists come in few sizes, so that they stay prepared.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterator, Sequence
from heapq import merge
from typing import Final

from streams.backends.layer import Layer

Layers = tuple[Layer, ...]

SCAN: Final = "SELECT name, value FROM rows WHERE slot = ? AND name > ? AND name >= ? ORDER BY name"
DUE: Final = "SELECT due, name FROM dues WHERE slot = ? AND (due, name) > (?, ?) ORDER BY due, name"
_SIZES: Final = (1, 8, 64, 512)


@functools.cache
def look_up_statement(size: int) -> str:
    return f"SELECT name, value FROM rows WHERE slot = ? AND name IN ({','.join('?' * size)})"  # noqa: S608


def look_up(db: sqlite3.Connection, slot: int, layers: Layers, names: Sequence[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    missing: list[str] = []
    for name in names:
        for layer in layers:
            change = layer.rows.get(name)
            if change is not None:
                if change.value is not None:
                    found[name] = change.value
                break
        else:
            missing.append(name)
    for size, part in _pieces(missing):
        # The list's unused places repeat a name: a row is found once, however often it is asked for.
        part += [part[0]] * (size - len(part))
        found.update(db.execute(look_up_statement(size), (slot, *part)).fetchall())
    return found


def _pieces(names: list[str]) -> Iterator[tuple[int, list[str]]]:
    largest = _SIZES[-1]
    for start in range(0, len(names), largest):
        part = names[start : start + largest]
        yield next(size for size in _SIZES if size >= len(part)), part


def scan(
    db: sqlite3.Connection, slot: int, layers: Layers, prefix: str, after: str, limit: int
) -> list[tuple[str, bytes]]:
    def of_layer(age: int, layer: Layer) -> Iterator[tuple[str, int, bytes | None]]:
        for name in layer.names(prefix, after):
            yield name, age, layer.rows[name].value

    def of_table(age: int) -> Iterator[tuple[str, int, bytes | None]]:
        for name, value in cursor:
            if not name.startswith(prefix):
                return
            yield name, age, value

    cursor = db.execute(SCAN, (slot, after, prefix))
    sources = [of_layer(age, layer) for age, layer in enumerate(layers)]
    found: list[tuple[str, bytes]] = []
    newest = None
    try:
        for name, _, value in merge(*sources, of_table(len(layers))):
            if name == newest:
                continue
            newest = name
            if value is not None:
                if len(found) >= limit:
                    break
                found.append((name, value))
    finally:
        cursor.close()
    return found


def due(db: sqlite3.Connection, slot: int, layers: Layers, after: tuple[int, str], limit: int) -> list[tuple[int, str]]:
    def unshadowed(entries: Iterator[tuple[int, str]], newer: Layers) -> Iterator[tuple[int, str]]:
        for entry in entries:
            if not any(entry[1] in layer.rows for layer in newer):
                yield entry

    cursor = db.execute(DUE, (slot, *after))
    sources = [unshadowed(layer.due(after), layers[:age]) for age, layer in enumerate(layers)]
    found: list[tuple[int, str]] = []
    try:
        for entry in merge(*sources, unshadowed(cursor, layers)):
            if len(found) >= limit:
                break
            found.append(entry)
    finally:
        cursor.close()
    return found
