"""The work of the floors, written by hand for these rules: decoding of orders, the fold, the two rules, ids of firings.

Typed decoding in one go, a dict a row, duplicates by a set, the fold and the rules as plain Python, ids by BLAKE2b. No
clocks beyond the latest time, no error paths, no deadlines, no rule that could be changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
import orjson

from bench.workload import BULKY, LARGE, RICH

REMEMBERED = 500_000
Row = dict[str, Any]


class Data(msgspec.Struct, gc=False):
    amount: float
    country: str
    items: int
    sku: str


class Order(msgspec.Struct, array_like=True, gc=False):
    type: str
    time: int
    key: str
    subject: str
    source: str
    id: str
    fingerprint: int
    data: Data


decode_orders = msgspec.json.Decoder(Order).decode_lines
"""The orders of one entry."""
encode_row = msgspec.msgpack.Encoder().encode
decode_row = msgspec.msgpack.Decoder(dict[str, Any]).decode
encode_commands = msgspec.json.Encoder().encode_lines


def new_row() -> Row:
    return {"orders": 0, "spent": 0, "largest": 0}


class Decided(NamedTuple):
    """What a batch led to: keys of changed rows, fingerprints not seen before, commands."""

    dirty: set[str]
    fresh: list[int]
    commands: list[dict[str, Any]]


class Rules:
    """Remembers the last orders by fingerprint, in two generations."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._before: set[int] = set()

    def step(self, orders: Sequence[Order], rows: dict[str, Row]) -> Decided:
        """Changes the rows, which must hold those of all keys, in place."""
        seen, before = self._seen, self._before
        fresh: list[int] = []
        dirty: set[str] = set()
        commands: list[dict[str, Any]] = []
        for order in orders:
            mark = order.fingerprint
            if mark in seen or mark in before:
                continue
            seen.add(mark)
            fresh.append(mark)
            key, data = order.key, order.data
            row = rows[key]
            dirty.add(key)
            if order.time > row.get("clock", 0):
                row["clock"] = order.time
            amount = data.amount
            row["orders"] += 1
            row["spent"] += amount
            if amount > row["largest"]:
                row["largest"] = amount
            row["country"] = data.country
            if amount >= LARGE:
                commands.append(command("large-order", "review", order, {"customer": key, "amount": amount}))
            if data.items >= BULKY and row["largest"] >= RICH:
                commands.append(command("bulky-order", "pack", order, {"customer": key, "spent": row["spent"]}))
        if len(seen) >= REMEMBERED:
            self._seen, self._before = set(), seen
        return Decided(dirty, fresh, commands)


class Cause(Protocol):
    """What of an order makes the id of what it decides."""

    key: str
    source: str
    id: str
    time: int


def firing_id(rule: str, order: Cause) -> str:
    cause = orjson.dumps(["bench", rule, order.key, None, [order.source, order.id], order.time, 0])
    return hashlib.blake2b(cause, digest_size=16).hexdigest()


def command(rule: str, name: str, order: Cause, args: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": firing_id(rule, order),
        "command": name,
        "to": "log",
        "rule": rule,
        "key": order.key,
        "at": order.time,
        "cause": order.id,
        "args": args,
        "args_digest": hashlib.blake2b(orjson.dumps(args, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest(),
    }
