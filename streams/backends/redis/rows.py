"""Rows and due times by name, in steps that one command bears."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from streams.backends.redis.dues import due
from streams.backends.redis.keys import PartitionKeys
from streams.backends.redis.nodes import Call, Reply
from streams.backends.redis.partitions import Partitions

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
    calls = _dues_calls(partitions[partition], processor, names)
    return _dues_found(calls, partitions.ask_many(partition, calls)) if calls else {}


def rows_and_dues_of(
    partitions: Partitions, partition: int, processor: str, names: Sequence[str]
) -> tuple[dict[str, bytes], dict[str, int]]:
    """Both, in one round trip; due times of rows only that there are."""
    keys = partitions[partition]
    rows, dues = rows_calls(keys, processor, names), _dues_calls(keys, processor, names)
    if not rows:
        return {}, {}
    replies = partitions.ask_many(partition, rows + dues)
    values = rows_found(rows, replies[: len(rows)])
    found = _dues_found(dues, replies[len(rows) :])
    return values, {name: at for name, at in found.items() if name in values}


def _dues_calls(keys: PartitionKeys, processor: str, names: Sequence[str]) -> list[Call]:
    return [("ZMSCORE", keys.due(processor), *step) for step in _steps(names)]


def _dues_found(calls: Sequence[Call], replies: Sequence[Reply]) -> dict[str, int]:
    return {
        str(name): due(text)
        for call, scores in zip(calls, replies, strict=True)
        for name, text in zip(call[2:], scores, strict=True)
        if text is not None
    }


def _steps(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for begin in range(0, len(names), STEP):
        yield names[begin : begin + STEP]
