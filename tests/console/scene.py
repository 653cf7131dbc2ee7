"""A server with something to see: commands in several states, keys that are blocked, rules that could not be evaluated,
and text of users that tries to be more than text."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.ports import free_port

SCRIPT = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
NASTY = "a/../b?c=d&e#f%2F\"'<b>\n" + "日本 \u202e"
"""A key with everything that an address, a form or a page could trip over."""
RULES = """
ruleset: orders
description: What happens to orders of a shop.
events:
  order.placed: {total: number, customer: string, country: string?}
  order.shipped: {}
projections:
  orders:
    fold:
      order.placed: {total: event.data.total, customer: event.data.customer, status: "'open'"}
      order.shipped: {status: "'shipped'"}
    index: [status, total]
  customers:
    by: event.data.customer
    fold:
      order.placed:
        orders: "has(row.orders) ? row.orders + 1 : 1"
        spent: "(has(row.spent) ? row.spent : 0) + event.data.total"
    index: [spent]
rules:
  large-order:
    description: Somebody looks at orders of more than 1,000.
    on: order.placed
    when: event.data.total > 1000
    then:
      - {command: look-at, to: office, timeout: 5s, expires: 30d, args: {order: "${key}", total: "${event.data.total}"}}
  welcome:
    description: A mail for every order.
    on: order.placed
    then: [{command: send-mail, to: mail, args: {order: "${key}", customer: "${event.data.customer}"}}]
  abroad:
    description: Papers for the customs, where the order goes abroad.
    on: order.placed
    when: event.data.country != 'DE'
    then: [{command: declare, to: customs, args: {order: "${key}"}}]
  not-shipped:
    description: An order that is not shipped within two days is looked at.
    on: order.placed
    after: 2d
    unless: order.shipped
    then: [{command: remind, to: office, args: {order: "${key}"}}]
  many-orders:
    on: order.placed
    by: event.data.customer
    over: 1h
    having: count() >= 5
    once_within: 1d
    shadow: true
    then: [{command: thank, to: mail, args: {customer: "${key}", orders: "${count()}"}}]
"""
PYTHON = '''
from rules.python import Command, rule


@rule(on="stock.counted", state={"last": int})
def stock(event, state, now):
    """Asks for more when little is left."""
    left = event.data["left"]
    state["last"] = left
    if left < 10:
        return [Command("order-more", to="mail", args={"left": left})]
    return []
'''
TARGETS = """
targets:
  mail: {kind: log}
  office: {kind: webhook, url: "http://127.0.0.1:9/", retry: {attempts: 3}}
  customs: {kind: webhook, url: "http://127.0.0.1:9/", allow: [127.0.0.1/32], retry: {initial: 1h}}
"""


class Scene:
    """One server, in a folder of its own; `log` and further arguments say where and how else. `stop` it."""

    def __init__(self, folder: Path, log: str = "", *arguments: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "rules.yaml").write_text(RULES)
        (folder / "stock.py").write_text(PYTHON)
        (folder / "targets.yaml").write_text(TARGETS)
        self._errors = (folder / "errors.txt").open("ab")
        call = [sys.executable, "-c", "from orchestrator.cli import main; main()", "server", "--json"]
        call += ["--log", log or f"sqlite:///{folder}/log.db", "--partitions", "4", *arguments]
        call += ["--rules", str(folder / "rules.yaml"), "--python-rules", str(folder / "stock.py")]
        call += ["--targets", str(folder / "targets.yaml"), "--port", str(self.port), "--metrics-port", "0"]
        self.process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=self._errors)
        assert self.process.stdout is not None
        assert self.process.stdout.readline(), (folder / "errors.txt").read_text()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.close()

    def publish(self, *events: dict[str, Any]) -> None:
        self.post("/v1/events", [{"source": "shop", **event} for event in events])

    def post(self, path: str, body: Any = None) -> None:
        request = urllib.request.Request(
            self.url + path,
            json.dumps(body).encode() if body is not None else b"",
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 202

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def until(self, holds: Callable[[], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, (self.folder / "errors.txt").read_text()[-4000:]
            time.sleep(0.05)

    def count(self, state: str) -> int:
        return len(self.get(f"/v1/commands?state={state}&limit=1000")["commands"])

    def fill(self) -> None:
        """Everything there is to see, and waits until it is there."""
        orders = [order(number) for number in range(40)]
        self.publish(*orders)
        self.publish(*(shipped(number) for number in range(0, 40, 3)))
        self.publish(
            {"id": "late", "type": "order.placed", "subject": "L1", "time": "2025-01-06T10:00:00Z", "data": paid(2000)},
            {"id": NASTY, "type": "order.placed", "subject": NASTY, "data": {"total": 5000, "customer": SCRIPT}},
            {"id": SCRIPT, "type": "order.placed", "subject": SCRIPT, "data": {"total": 1, "customer": NASTY}},
            {"id": "stock-1", "type": "stock.counted", "subject": "bolts", "data": {"left": 3}},
            {"id": "stock-2", "type": "stock.counted", "subject": "nuts", "data": {"left": "<i>none</i>"}},
            {"id": "stock-3", "type": "stock.counted", "subject": "nuts", "data": {"left": 4}},
            {"id": "stock-4", "type": "stock.counted", "subject": NASTY + "!", "data": {}},
        )
        self.until(lambda: self.count("parked") >= 10 and self.count("retrying") >= 5)
        self.until(lambda: len(self.get("/v1/keys/blocked")["keys"]) == 2)
        self.until(lambda: all(each["shown"] and not each["lag"] for each in self.get("/v1/partitions")["partitions"]))


def order(number: int) -> dict[str, Any]:
    data = {"total": number * 61 % 1500, "customer": f"c{number % 6}"}
    if number % 2:
        data["country"] = "FR" if number % 5 == 0 else "DE"
    return {"id": f"o{number}", "type": "order.placed", "subject": f"A{number}", "data": data}


def shipped(number: int) -> dict[str, Any]:
    return {"id": f"s{number}", "type": "order.shipped", "subject": f"A{number}"}


def paid(total: int) -> dict[str, Any]:
    return {"total": total, "customer": "c1", "country": "FR"}
