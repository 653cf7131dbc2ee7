"""The peer of the embedded loop: the same work with `eventsourcing` from PyPI, as its documentation has it.

Customers are aggregates whose event is the order, a rule that fires is an event of the customer, and an application
with SQLite persistence stores both. In its favour: the input comes from memory, already in batches; all events of a
batch are saved in one transaction; the cache of aggregates is on and holds every customer; it is told that nobody else
writes (no fast-forward) and that it need not copy what it hands out; each customer is looked up once a batch; nothing
looks for duplicates. Ids of firings are digests of the same cause. SQLite is set as it sets it: WAL, synchronous FULL.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import Aggregate, event

from bench.by_hand import Order, decode_orders, firing_id
from bench.contestants import Round
from bench.workload import BATCH, BULKY, LARGE, RICH, Orders
from streams.event import encode


class Customer(Aggregate):
    class Registered(Aggregate.Created):
        name: str

    class Ordered(Aggregate.Event):
        order: str
        amount: float
        country: str
        items: int
        sku: str

    class Decided(Aggregate.Event):
        firing: str
        rule: str
        command: str
        cause: str
        args: dict[str, Any]

    @event(Registered)
    def __init__(self, name: str) -> None:
        self.name = name
        self.orders = 0
        self.spent = 0.0
        self.largest = 0.0
        self.country = ""

    @staticmethod
    def create_id(name: str) -> UUID:
        return uuid5(NAMESPACE_URL, f"/customers/{name}")

    @event(Ordered)
    def place(self, order: str, amount: float, country: str, items: int, sku: str) -> None:
        self.orders += 1
        self.spent += amount
        self.largest = max(self.largest, amount)
        self.country = country

    @event(Decided)
    def decide(self, firing: str, rule: str, command: str, cause: str, args: dict[str, Any]) -> None:
        """Changes nothing: what was decided is in the store."""


class Shop(Application[UUID]):
    env: ClassVar[dict[str, str]] = {
        "PERSISTENCE_MODULE": "eventsourcing.sqlite",
        "AGGREGATE_CACHE_FASTFORWARD": "n",
        "DEEPCOPY_FROM_AGGREGATE_CACHE": "n",
    }

    def handle(self, orders: list[Order]) -> None:
        """One batch, one transaction."""
        customers: dict[str, Customer] = {}
        for order in orders:
            customer = customers.get(order.key)
            if customer is None:
                customer = customers[order.key] = self.customer(order.key)
            data = order.data
            customer.place(order.id, data.amount, data.country, data.items, data.sku)
            if data.amount >= LARGE:
                self._decide(customer, order, "large-order", "review", {"customer": order.key, "amount": data.amount})
            if data.items >= BULKY and customer.largest >= RICH:
                self._decide(customer, order, "bulky-order", "pack", {"customer": order.key, "spent": customer.spent})
        self.save(*customers.values())

    def customer(self, name: str) -> Customer:
        try:
            found: Customer = self.repository.get(Customer.create_id(name))
            return found
        except AggregateNotFoundError:
            return Customer(name)

    @staticmethod
    def _decide(customer: Customer, order: Order, rule: str, command: str, args: dict[str, Any]) -> None:
        customer.decide(firing_id(rule, order), rule, command, order.id, args)


class Peer:
    """Every customer has an order before the first round, as the engine's side with `warm`."""

    AS_IT_COMES = True

    def __init__(self, folder: str, keys: int, events: int) -> None:
        self._events = events
        self._orders = Orders(keys)
        self.app = Shop({"SQLITE_DBNAME": str(Path(folder) / "peer.db"), "AGGREGATE_CACHE_MAXSIZE": str(2 * keys)})
        for chunk in self._orders.one_each(BATCH):
            self.app.handle(decode_orders(encode(chunk)))

    def round(self) -> Round:
        events = self._orders.some(self._events)
        batches = [encode(events[start : start + BATCH]) for start in range(0, len(events), BATCH)]
        began = time.perf_counter()
        for batch in batches:
            self.app.handle(decode_orders(batch))
        return Round(self._events, time.perf_counter() - began)

    def close(self) -> None:
        self.app.close()
