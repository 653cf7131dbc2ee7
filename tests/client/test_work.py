"""The client and a real server, for workers: what is leased is settled, and a lost lease has a type of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator_client import Conflict, Event, Invalid, Leased, LeaseLost, NotFound, Outcome, Retry
from tests.client.either import Either, Kind
from tests.crash.processes import serving

RULES = """
ruleset: shop
rules:
  big:
    on: order.placed
    then: [{command: look-at, to: office, timeout: 3s}]
"""
TARGETS = "targets: {office: {kind: worker, retry: {initial: 10ms, max: 10ms}}}\n"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("work"), RULES, TARGETS) as server:
        yield server.url


@pytest.fixture
def shop(kind: Kind, url: str) -> Iterator[Either]:
    made = kind.client(url, retry=Retry(within=20))
    yield made
    assert made.lease("office") == []


def leased(shop: Either, *keys: str, **asked: Any) -> list[Leased]:
    shop.publish([Event("order.placed", "s", key) for key in keys])
    found: list[Leased] = []
    while len(found) < len(keys):
        found += shop.lease("office", limit=len(keys) - len(found), wait=10, **asked)
    return found


def test_what_is_leased_is_done_once(shop: Either) -> None:
    (work,) = leased(shop, "A1", worker="w")
    assert (work.command["key"], work.attempt, work.timeout, work.progress) == ("A1", 1, 3.0, None)
    assert shop.ack(work, [10**20], status="200", took=0.5) == "done"
    assert shop.ack(work, [10**20], status="200", took=0.5) == "done"
    with pytest.raises(LeaseLost, match="the lease of this command is over"):
        shop.fail(work, "no")
    assert issubclass(LeaseLost, Conflict)


def test_what_fails_comes_again_or_is_parked(shop: Either) -> None:
    (work,) = leased(shop, "B1")
    assert shop.fail(work, "busy", retry_after=0.2, status="503") == "retrying"
    began = time.monotonic()
    (work,) = shop.lease("office", wait=10)
    assert (work.attempt, time.monotonic() - began > 0.15) == (2, True)
    assert shop.fail(work, "it runs", verdict="waiting", progress={"run": 7}, retry_after=0.01) == "waiting"
    (work,) = shop.lease("office", wait=10)
    assert work.progress == {"run": 7}
    assert work.attempts_before == 0
    assert shop.fail(work, "no", final=True, result={"code": 4}) == "parked"
    assert shop.redrive([work.id]) == 1
    (work,) = shop.lease("office", wait=10)
    assert (work.attempt, work.attempts_before) == (3, 2)
    assert shop.ack(work) == "done"


def test_a_lease_is_extended(shop: Either) -> None:
    (work,) = leased(shop, "C1", lease=1.0)
    for _ in range(5):  # longer than the lease and the attempt together
        time.sleep(0.9)
        longer = shop.extend(work, 1.0)
        assert longer.deadline >= work.deadline
        work = longer
    assert shop.ack(work) == "done"


def test_many_are_settled_at_once(shop: Either) -> None:
    first, second, third = leased(shop, "D1", "D2", "D3")
    assert shop.ack(third) == "done"
    answers = shop.outcomes(
        [Outcome(first), Outcome(second, "final", "no such desk"), Outcome(third, "retry", "late")], worker="w"
    )
    assert [(each.id, each.state, each.error) for each in answers] == [
        (first.id, "done", None),
        (second.id, "parked", None),
        (third.id, None, "lease-lost"),
    ]
    assert shop.outcomes([]) == []


def test_what_makes_no_sense_is_told(shop: Either) -> None:
    with pytest.raises(NotFound, match="there is no target `nobody`"):
        shop.lease("nobody")
    with pytest.raises(Conflict, match="servers deliver to target `log` themselves"):
        shop.lease("log")
    with pytest.raises(Invalid, match="lease: `100ms` is not possible: choose at least 1"):
        shop.lease("office", lease=0.1)
    (work,) = leased(shop, "E1")
    with pytest.raises(ValueError, match="JSON"):
        shop.ack(work, float("nan"))
    assert shop.ack(work) == "done"
