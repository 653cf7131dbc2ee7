"""Rows and due times by name, in steps that one command bears."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from streams.backends.redis_dues import due
from streams.backends.redis_partitions import Partitions

STEP: Final = 2_000
"""Names of one HMGET or ZMSCORE."""


def rows_of(partitions: Partitions, partition: int, processor: str, names: Iterable[str]) -> dict[str, bytes]:
    """Of those that there are."""
    by_letter: dict[str, list[str]] = {}
    for name in names:
        by_letter.setdefault(name[:1], []).append(name)
    keys = partitions[partition]
    asked = [(keys.rows(processor, letter), step) for letter, found in by_letter.items() for step in _steps(found)]
    if not asked:
        return {}
    replies = partitions.ask_many(partition, [("HMGET", key, *step) for key, step in asked])
    return {
        name: value
        for (_, step), values in zip(asked, replies, strict=True)
        for name, value in zip(step, values, strict=True)
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
