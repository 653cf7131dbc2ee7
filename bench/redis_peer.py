"""The peer of the loop on Redis: the same work with FastStream from PyPI, as its documentation has it.

A batch subscriber of a consumer group folds orders into rows and writes, in one MULTI a batch, the rows that changed
into a hash and the commands to a stream; FastStream acknowledges the batch. In its favour: orders are in its own format
already; msgspec decodes them, not pydantic; all rows are held in memory and are only written; commands of a batch are
one entry; its log says nothing; nothing looks for duplicates, and neither fence nor position is in the transaction.
Ids of firings are digests of the same cause.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import msgspec
import redis
from fast_depends.msgspec import MsgSpecSerializer
from faststream.redis import BinaryMessageFormatV1, RedisBroker, StreamSub
from faststream.redis.message import DATA_KEY

from bench.by_hand import Data, Row, command, decode_row, encode_commands, encode_row, new_row
from bench.contestants import LONGEST_ROUND, Round
from bench.redis_server import HOST
from bench.server import pin
from bench.workload import BULKY, LARGE, RICH, Orders
from streams.event import Event

STREAM, STATE, OUT = "peer:orders", "peer:customers", "peer:commands"
RECORDS = 500
"""Of a batch at most: 100 are slower, more are not faster."""


_silent = logging.getLogger("bench.redis_peer")
_silent.setLevel(logging.ERROR)


class Placed(msgspec.Struct):
    """An order as a user of FastStream would describe it."""

    id: str
    source: str
    key: str
    time: int
    data: Data


class RedisPeer:
    AS_IT_COMES = True

    def __init__(self, port: int, keys: int, events: int, pinned: bool = True) -> None:
        """Every customer has a row before the first round, as the engine's side."""
        if pinned:
            pin(-1)
        self._events = events
        self._orders = Orders(keys)
        self._client = redis.Redis(host=HOST, port=port)
        self._store = redis.asyncio.Redis(host=HOST, port=port)
        self._client.delete(STREAM, STATE, OUT)
        self._rows: dict[str, Row] = {}
        self._left = 0
        self._all_done = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._broker = RedisBroker(f"redis://{HOST}:{port}", serializer=MsgSpecSerializer(), logger=_silent)
        orders = StreamSub(STREAM, group="rules", consumer="one", batch=True, max_records=RECORDS, polling_interval=100)
        self._broker.subscriber(stream=orders)(self._handle)
        self._loop.run_until_complete(self._broker.start())
        self._work([order for chunk in self._orders.one_each(100_000) for order in chunk])

    def round(self) -> Round:
        return Round(self._events, self._work(self._orders.some(self._events)))

    def close(self) -> None:
        self._loop.run_until_complete(self._stop())
        self._loop.close()
        self._client.close()

    async def _stop(self) -> None:
        await self._broker.stop()
        await self._store.aclose()

    def stored(self, key: str) -> Row:
        value = self._client.hget(STATE, key)
        assert isinstance(value, bytes)
        return decode_row(value)

    def commands(self) -> list[dict[str, Any]]:
        entries: Any = self._client.xrange(OUT)
        return [msgspec.json.decode(line) for _, fields in entries for line in fields[b"d"].splitlines()]

    async def _handle(self, orders: list[Placed]) -> None:
        rows = self._rows
        dirty: set[str] = set()
        commands: list[dict[str, Any]] = []
        for order in orders:
            key, data = order.key, order.data
            row = rows.get(key)
            if row is None:
                row = rows[key] = new_row()
            dirty.add(key)
            row["orders"] += 1
            row["spent"] += data.amount
            row["largest"] = max(row["largest"], data.amount)
            row["country"] = data.country
            if data.amount >= LARGE:
                args = {"customer": key, "amount": data.amount}
                commands.append(command("large-order", "review", order, args))
            if data.items >= BULKY and row["largest"] >= RICH:
                args = {"customer": key, "spent": row["spent"]}
                commands.append(command("bulky-order", "pack", order, args))
        async with self._store.pipeline(transaction=True) as pipe:
            pipe.hset(STATE, mapping={key: encode_row(rows[key]) for key in dirty})
            if commands:
                pipe.xadd(OUT, {"d": encode_commands(commands)})
            await pipe.execute()
        self._left -= len(orders)
        if not self._left:
            self._all_done.set()

    def _work(self, orders: list[Event]) -> float:
        """Seconds. The orders are in the stream before the subscriber sees one: it runs only with our loop."""
        self._left = len(orders)
        self._all_done.clear()
        messages = self._loop.run_until_complete(_messages(orders))
        for start in range(0, len(messages), RECORDS):
            pipe = self._client.pipeline(transaction=False)
            for message in messages[start : start + RECORDS]:
                pipe.xadd(STREAM, {DATA_KEY: message})
            pipe.execute()
        began = time.perf_counter()
        self._loop.run_until_complete(asyncio.wait_for(self._all_done.wait(), LONGEST_ROUND))
        return time.perf_counter() - began


async def _messages(orders: list[Event]) -> list[bytes]:
    """As `RedisBroker.publish` writes them."""
    return [
        await BinaryMessageFormatV1.encode(
            message={"id": each.id, "source": each.source, "key": each.key, "time": each.time, "data": each.payload()},
            reply_to=None,
            headers=None,
            correlation_id=each.id,
        )
        for each in orders
    ]
