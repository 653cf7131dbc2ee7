"""The floor of the loop on Redis: the same work by hand for these rules (`bench/by_hand.py`), and nothing else.

A bare socket; entries of ENTRY orders as JSON lines, read as many at once as a commit takes; rows in a dict, missing
ones by one HMGET; one script a commit with fence, position, changed rows and the remembered fingerprints as fields of a
hash, outputs as one entry, and a new expiry of the lease. One process, one thread, one command at a time.
"""

from __future__ import annotations

import time
from array import array
from typing import Any

import msgspec

from bench.by_hand import REMEMBERED, Order, Row, Rules, decode_orders, decode_row, encode_commands, encode_row, new_row
from bench.contestants import Round
from bench.redis_wire import Wire
from bench.server import pin
from bench.workload import BATCH, Orders
from streams.event import Event, encode

ENTRY = 100
LOG, STATE, OUT, META = "{floor:0}:log", "{floor:0}:state", "{floor:0}:out", "{floor:0}:meta"
GENERATIONS = 2 * REMEMBERED // BATCH
"""Fields of fingerprints, one a commit, written in turn."""

# KEYS: meta, state, out. ARGV: epoch, start, end, count of outputs, their body, then name and value of each field.
# `unpack` takes less than 8,000 values.
COMMIT = """
local m = redis.call('HMGET', KEYS[1], 'epoch', 'position', 'outputs')
if m[1] ~= ARGV[1] then return 'fenced' end
if m[2] == ARGV[3] then return 'done' end
if m[2] ~= ARGV[2] then return 'mismatch' end
for i = 6, #ARGV, 4000 do
  redis.call('HSET', KEYS[2], unpack(ARGV, i, math.min(i + 3999, #ARGV)))
end
local outputs = tonumber(m[3])
if ARGV[4] ~= '0' then
  outputs = outputs + tonumber(ARGV[4])
  redis.call('XADD', KEYS[3], outputs .. '-0', 'n', ARGV[4], 'd', ARGV[5])
end
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], 'position', ARGV[3], 'outputs', outputs, 'expires', now[1] + 10)
return 'committed'
"""


class RedisFloor:
    """Every customer has an order before the first round, as the engine's side with `warm`."""

    def __init__(self, port: int, keys: int, events: int, pinned: bool = True) -> None:
        if pinned:
            pin(-1)
        self._events = events
        self._source = Orders(keys)
        self._wire = Wire(port)
        self._script: bytes = self._wire.call("SCRIPT", "LOAD", COMMIT)
        self._wire.call("DEL", LOG, STATE, OUT, META)
        self._wire.call("HSET", META, "epoch", 1, "position", 0, "outputs", 0)
        self._rows: dict[str, Row] = {}
        self._rules = Rules()
        self._tail = self._position = self._commits = 0
        for chunk in self._source.one_each(100_000):
            self._append(chunk)
            self._work()

    def round(self) -> Round:
        self._append(self._source.some(self._events))
        began = time.perf_counter()
        done = self._work()
        took = time.perf_counter() - began
        assert done == self._events
        return Round(done, took)

    def close(self) -> None:
        self._wire.close()

    def stored(self, key: str) -> Row:
        """The row as Redis has it."""
        (value,) = self._wire.call("HMGET", STATE, key)
        return decode_row(value)

    def commands(self) -> list[dict[str, Any]]:
        entries = self._wire.call("XRANGE", OUT, "-", "+")
        return [msgspec.json.decode(line) for _, fields in entries for line in fields[3].splitlines()]

    def _append(self, found: list[Event]) -> None:
        for start in range(0, len(found), ENTRY):
            part = found[start : start + ENTRY]
            self._tail += len(part)
            self._wire.call("XADD", LOG, f"{self._tail}-0", "n", len(part), "d", encode(part))

    def _work(self) -> int:
        done = 0
        while orders := self._read():
            self._step(orders)
            done += len(orders)
        return done

    def _read(self) -> list[Order]:
        entries = self._wire.call("XRANGE", LOG, f"({self._position}-0", "+", "COUNT", BATCH // ENTRY)
        return [order for _, fields in entries for order in decode_orders(fields[3])]

    def _step(self, orders: list[Order]) -> None:
        rows = self._load(orders)
        dirty, fresh, commands = self._rules.step(orders, rows)
        fields: list[str | bytes] = [f"d{self._commits % GENERATIONS}", array("Q", fresh).tobytes()]
        for key in dirty:
            fields.append(key)
            fields.append(encode_row(rows[key]))
        self._commit(self._position + len(orders), fields, commands)

    def _load(self, orders: list[Order]) -> dict[str, Row]:
        rows = self._rows
        missing = list({order.key for order in orders}.difference(rows))
        if missing:
            for key, value in zip(missing, self._wire.call("HMGET", STATE, *missing), strict=True):
                rows[key] = decode_row(value) if value is not None else new_row()
        return rows

    def _commit(self, end: int, fields: list[str | bytes], commands: list[dict[str, Any]]) -> None:
        body = encode_commands(commands)
        answer = self._wire.call(
            "EVALSHA", self._script, 3, META, STATE, OUT, 1, self._position, end, len(commands), body, *fields
        )
        assert answer == b"committed", answer
        self._position = end
        self._commits += 1
