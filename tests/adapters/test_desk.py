"""How what is asked for is divided among partitions."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from adapters.desk import Desk
from adapters.partition_loop import PartitionLoop


class Loop:
    """A partition that has some of everything."""

    def __init__(self) -> None:
        self.ready = frozenset({"police"})

    def wake(self) -> None:
        """It looks when the test says so."""


@pytest.mark.parametrize(("asked", "limits"), [(100, [25, 25, 25, 25]), (10, [10]), (400, [40, 36, 33, 30, 27, 25])])
async def test_a_partition_hands_out_a_batch_at_once_or_its_share_if_that_is_more(
    asked: int, limits: list[int]
) -> None:
    desk = Desk({"police"}, lambda partition, turn: None, lambda partition, error: None, batch=25)
    loops = [cast(PartitionLoop, Loop()) for _ in range(10)]
    desk.loops = dict(enumerate(loops))
    asking: asyncio.Task[Any] = asyncio.create_task(desk.lease("police", asked, 30.0, 60.0))
    await asyncio.sleep(0)
    claimed = [want.limit for loop in loops for want in desk.claim(loop, everything=True)]
    assert claimed[:6] == limits
    asking.cancel()
