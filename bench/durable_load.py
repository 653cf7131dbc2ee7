"""The rules of `bench.rule_load` for durable_rules, where somebody has installed it.

It is no dependency: its last release is of 2020 and is built from C where it is installed. It gets events as the maps
that it takes, decoded beforehand, in the form that was its fastest of those tried: one session for all events (one for
each key was a hundred times slower), and of a condition first what is mostly false.
"""

from __future__ import annotations

import os
import time
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import msgspec

from bench.contestants import Round
from bench.rule_load import Asked, payments, rules

MISSING: Final = "durable_rules is not installed and was not measured: `pip install durable_rules` (needs a C compiler)"


def installed() -> bool:
    return find_spec("durable") is not None


class Durable:
    """A rule set a type; each event is posted, and an action counts hits."""

    AS_IT_COMES = True

    def __init__(self, count: int, types: int, events: int) -> None:
        asked = rules(count, types)
        engine = import_module("durable.engine")
        self._host = engine.Host()
        self._unheard = engine.MessageNotHandledException
        for type in {each.type for each in asked}:
            self._host.set_rulesets({type: {each.merchant: self._rule(each) for each in asked if each.type == type}})
        self._payments = [(type, msgspec.json.decode(data)) for type, data in payments(events, asked)]
        self._rounds = 0
        self.hits = 0

    def round(self) -> Round:
        self._rounds += 1
        made = [(type, {**data, "id": f"{self._rounds}-{at}"}) for at, (type, data) in enumerate(self._payments)]
        post, unheard, self.hits = self._host.post, self._unheard, 0
        began = time.perf_counter()
        for type, event in made:
            try:
                post(type, event)
            except unheard:  # its way to say that no rule fits
                pass
        return Round(len(made), time.perf_counter() - began)

    def close(self) -> None:
        """Its timers start each other for ever, and the process would wait for them."""
        os._exit(0)

    def _rule(self, asked: Asked) -> dict[str, Any]:
        more = [] if asked.items is None else [{"$gte": {"items": asked.items}}]
        conditions = [{"$gt": {"amount": asked.amount}}, *more, {"merchant": asked.merchant}]
        return {"all": [{"m": {"$and": conditions}}], "run": self._hit}

    def _hit(self, fired: Any) -> None:
        self.hits += 1
