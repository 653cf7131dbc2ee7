"""Rows and due times by name, in steps that one command bears."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from streams.backends.redis_dues import due
from streams.backends.redis_keys import PartitionKeys
from streams.backends.redis_nodes import Call, Reply
from streams.backends.redis_partitions import Partitions

STEP: Final = 2_000
"""Names of one HMGET or ZMSCORE."""


def rows_of(partitions: Partitions, partition: int, processor: str, names: Iterable[str]) -> dict[str, bytes]:
    """Of those that there are."""
    calls = rows_calls(partitions[partition], processor, names)
    return rows_found(calls, partitions.ask_many(partition, calls)) if calls else {}


def rows_calls(keys: PartitionKeys, processor: str, names: Iterable[str]) -> list[Call]:
    """What to ask for them."""
    by_letter: dict[str, list[str]] = {}
    for name in names:
        by_letter.setdefault(name[:1], []).append(name)
    return [
        ("HMGET", keys.rows(processor, letter), *step) for letter, found in by_letter.items() for step in _steps(found)
    ]


def rows_found(calls: Sequence[Call], replies: Sequence[Reply]) -> dict[str, bytes]:
    """Of those that there are, from the replies to `rows_calls`."""
    return {
        str(name): value
        for call, values in zip(calls, replies, strict=True)
        for name, value in zip(call[2:], values, strict=True)
        if value is not None
    }


def dues_of(partitions: Partitions, partition: int, processor: str, names: Sequence[str]) -> dict[str, int]:
    """Of those that have one."""
    key, asked = partitions[partition].due(processor), list(_steps(names))
    if not asked:
        return {}
    replies = partitions.ask_many(partition, [("ZMSCORE", key, *step) for step in asked])
    return {
        name: due(text)
        for step, scores in zip(asked, replies, strict=True)
        for name, text in zip(step, scores, strict=True)
        if text is not None
    }


def _steps(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for begin in range(0, len(names), STEP):
        yield names[begin : begin + STEP]
