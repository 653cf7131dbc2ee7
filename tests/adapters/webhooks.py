"""A webhook as a targets file declares it, to be called on loopback."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapters.adapter import BatchAdapter
from adapters.errors import TargetError
from adapters.kind import Surroundings
from adapters.registry import load_targets
from adapters.work import Outcome, Work

LOOPBACK = ["127.0.0.1/32", "::1/128"]


def clock() -> int:
    return time.time_ns() // 1_000


def work(id: str = "c1", attempt: int = 1, at: str = "2025-05-01T12:00:00Z", key: str = "GX-700", **args: Any) -> Work:
    command = {"id": id, "command": "fine", "to": "police", "rule": "speeding", "key": key, "at": at, "cause": "e1"}
    return Work(id, attempt, "police", json.dumps({**command, "args": args}, ensure_ascii=False).encode(), 0, 0)


@asynccontextmanager
async def opened(
    url: str, secrets: Mapping[str, str] | None = None, now: Callable[[], int] = clock, **keys: Any
) -> AsyncIterator[BatchAdapter]:
    keys = {"kind": "webhook", "url": url, "allow": LOOPBACK, "timeout": "5s"} | keys
    around = Surroundings(now, (secrets or {}).get)
    target = load_targets(json.dumps({"targets": {"police": keys}}), "targets.yaml", around)["police"]
    assert target.open is not None
    adapter = target.open()
    assert isinstance(adapter, BatchAdapter)
    try:
        yield adapter
    finally:
        await adapter.close()


async def delivered(url: str, sent: Work | None = None, **keys: Any) -> Outcome:
    async with opened(url, **keys) as adapter:
        return await adapter.deliver(sent or work(plate="GX-700", speed=171))


def refused(secrets: Mapping[str, str] | None = None, now: Callable[[], int] = clock, **keys: Any) -> str:
    """Why such a target is, without the place."""
    lines = ["targets:", "  police:", "    kind: webhook"]
    lines += [f"    {key}: {json.dumps(value)}" for key, value in ({"url": "https://a.example/"} | keys).items()]
    with pytest.raises(TargetError) as caught:
        load_targets("\n".join(lines), "targets.yaml", Surroundings(now, (secrets or {}).get))
    where, _, why = str(caught.value).partition(": target `police`")
    assert where.startswith("targets.yaml:")
    return why.removeprefix(", ")
