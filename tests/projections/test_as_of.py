"""Answers under load are what the log makes of the events up to their `as_of`, whatever is committed meanwhile.

An agent and a feeder run while events come and questions are asked. Afterwards the events of each partition are folded
up to the position that an answer names, by hand, and every answer must be that.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.wiring import open_tables, tables
from projections.feeder import Bounds, Feeder
from projections.query import Queries, Row, RowPage
from projections.stores.redis import lists as redis
from rules.compile import compile_rules
from rules.load import load_sources
from streams.agent import Agent, AgentOptions
from streams.backends.open import open_log
from streams.event import ACTIVATED, control
from streams.keys import partition_of
from streams.log import Append, Log
from tests.agent.running import event
from tests.projections.conftest import decode_command, url_of

RULES = """
ruleset: t
events:
  paid: {amount: integer, state: string}
projections:
  totals:
    initial: {count: 0, total: 0}
    fold:
      paid: {count: row.count + 1, total: row.total + event.data.amount, state: event.data.state}
    delete: [closed]
    index: [state, total]
"""
STATES = ("late", "open", "paid")
KEYS = [f"K{number}" for number in range(30)]
PARTITIONS = 3
Rows = dict[str, dict[str, Any]]


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis"])
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), page=st.sampled_from([1, 3, 50]), looks=st.sampled_from([4, 5_000]))
def test_an_answer_is_the_fold_of_the_log_up_to_its_positions(kind: str, seed: int, page: int, looks: int) -> None:
    folder = Path(tempfile.mkdtemp())
    with patch.object(redis, "LOOKS", looks), patch.object(redis, "TRIES", 6):
        under_load(url_of(kind, folder), folder, random.Random(seed), page)
    shutil.rmtree(folder)


def under_load(url: str, folder: Path, chance: random.Random, page: int) -> None:
    log = open_log(url, partitions=PARTITIONS, now=lambda: time.time_ns() // 1000)
    processor = compile_rules(load_sources({"rules.yaml": RULES}))
    on_redis = url.startswith("redis")
    store = open_tables(url, None if on_redis else folder / "query.db", log.info, tables(processor), print)
    queries = Queries(store)
    failures: list[BaseException] = []
    stop = threading.Event()
    feeder = Feeder(
        log,
        store,
        decode_command,
        apart=not on_redis,
        monotonic=time.monotonic,
        failed=failures.append,
        bounds=Bounds(pause=0.0, idle=0.01),
    )
    agent = Agent(
        log,
        "me",
        lambda digest: processor,
        monotonic=time.monotonic,
        options=AgentOptions(page=7),
        committed=lambda partition: feeder.notify(),
        failed=lambda partition, error: failures.append(error),
    )
    controls = [control(ACTIVATED, {"digest": processor.digest}, time=0)]
    log.append([Append(partition, controls) for partition in range(PARTITIONS)])
    asked: list[tuple[Callable[[Rows], list[str]], RowPage]] = []
    rows: list[Row] = []
    threads = [threading.Thread(target=work, args=(stop,), daemon=True) for work in (agent.run, feeder.run)]
    threads.append(threading.Thread(target=publish, args=(log, random.Random(chance.random()), stop), daemon=True))
    for thread in threads:
        thread.start()
    try:
        until = time.monotonic() + 0.7
        while time.monotonic() < until:
            rows.append(queries.row("totals", chance.choice(KEYS)))
            asked.append(ask(queries, chance, page))
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=20)
    assert not failures, failures
    feeder.catch_up()
    asked += [ask(queries, chance, page) for _ in range(20)]
    assert asked[-1][1].as_of == [(1, each, log.position(each, "rules")) for each in range(PARTITIONS)]
    history = [folded(log, partition) for partition in range(PARTITIONS)]
    for answer in rows:
        at = answer.as_of
        assert answer.row == history[at.partition](at.offset).get(answer.key), at
    for expected, found in asked:
        whole: Rows = {}
        for at in found.as_of:
            whole |= history[at.partition](at.offset)
        assert [row.key for row in found.rows] == expected(whole), found.as_of
        assert all(row.row == whole[row.key] for row in found.rows)
    store.close()
    log.close()


def publish(log: Log, chance: random.Random, stop: threading.Event) -> None:
    while not stop.is_set():
        batches: dict[int, list[Any]] = {}
        for _ in range(chance.randrange(1, 20)):
            key = chance.choice(KEYS)
            kind = "closed" if chance.random() < 0.1 else "paid"
            made = event(kind, key, time=1, amount=chance.randrange(-5, 20), state=chance.choice(STATES))
            batches.setdefault(partition_of(key, PARTITIONS), []).append(made)
        log.append([Append(partition, events) for partition, events in batches.items()])
        time.sleep(0.001)


def ask(queries: Queries, chance: random.Random, page: int) -> tuple[Callable[[Rows], list[str]], RowPage]:
    """A question, and which keys of all rows answer it."""
    state, least = chance.choice([None, *STATES]), chance.choice([None, 0, 20, 200])
    sort, down = chance.choice(["key", "state", "total"]), chance.random() < 0.5
    filters = [("state", state)] if state is not None else []
    filters += [("total__gte", str(least))] if least is not None else []
    found = queries.rows("totals", filters, f"{'-' * down}{sort}", page)

    def expected(rows: Rows) -> list[str]:
        fitting = [
            key
            for key, row in rows.items()
            if (state is None or row["state"] == state) and (least is None or row["total"] >= least)
        ]
        fitting.sort(key=lambda key: (0 if sort == "key" else rows[key][sort], key))
        return (fitting[::-1] if down else fitting)[:page]

    return expected, found


def folded(log: Log, partition: int) -> Callable[[int], Rows]:
    """Offset → the rows of a partition as of it."""
    batch = log.read(partition, 0, 1_000_000)
    states: list[tuple[int, Rows]] = [(0, {})]
    for offset, each in zip(batch.offsets, batch.events, strict=True):
        rows = dict(states[-1][1])
        if each.type == "paid":
            data = json.loads(bytes(each.data))
            before = rows.get(each.key, {"count": 0, "total": 0})
            rows[each.key] = {
                "count": before["count"] + 1,
                "total": before["total"] + data["amount"],
                "state": data["state"],
            }
        elif each.type == "closed":
            rows.pop(each.key, None)
        states.append((offset, rows))
    return lambda offset: next(rows for at, rows in reversed(states) if at <= offset)
