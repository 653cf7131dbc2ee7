"""Many keys with a pending deadline and a window each: what is in memory stays within the bound of the cache."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import msgspec

from rules.compile import compile_rules
from rules.load import load_sources
from streams.backends.limits import LogLimits
from streams.backends.open import open_log
from streams.event import OUTSIDE, Event, fingerprint
from streams.log import Append
from streams.outputs import Command
from tests.agent.running import HOUR, Running
from tests.conformance.backends import Clock

KEYS = 20_000
BATCH = 500
MEGABYTE = 1 << 20
CACHE = 4 * MEGABYTE
BESIDE = 8 * MEGABYTE
"""For a batch of events and cells, newest rows in the log, ids of events, and the index of due times."""
LIMITS = LogLimits(overlay_rows=1_000, flush_rows=10_000, min_free_bytes=0)
RULES = """
ruleset: t
rules:
  late: {on: open, after: 1h, unless: done, then: [{command: remind, to: t, args: {n: "${event.data.n}"}}]}
  twice:
    on: open
    over: 10m
    having: count() >= 2
    then: [{command: twice, to: t, args: {sum: "${sum(event.data.n)}"}}]
"""
DATA = [msgspec.Raw(b'{"n":%d}' % number) for number in range(10)]


def opened(number: int, at: int) -> Event:
    key, id = f"customer-{number:07}", f"e{number}-{at}"
    return Event("open", at, key, key, "test", id, fingerprint("test", id), DATA[number % 10], OUTSIDE)


def evaluated(folder: Path, cache: int) -> tuple[Running, int]:
    """After an event of every key: the agent's world, and the bytes that its work took at most."""
    clock = Clock()
    log = open_log(f"sqlite:///{folder}/log.db", partitions=1, now=clock, limits=LIMITS)
    processor = compile_rules(load_sources({"rules.yaml": RULES}))
    running = Running(log, processor, clock, cache=cache, page=BATCH).activate()
    for start in range(0, KEYS, 10_000):
        log.append([Append(0, [opened(number, clock.now) for number in range(start, start + 10_000)])])
    tracemalloc.start()
    try:
        running.settle()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return running, peak


def test_a_deadline_and_a_window_of_each_of_many_keys_fit_the_bound_of_the_cache(tmp_path: Path) -> None:
    running, bounded = evaluated(tmp_path, CACHE)
    assert bounded < CACHE + BESIDE
    assert len(running.log.due(0, "rules", (0, ""), 2 * KEYS)) == KEYS

    # all is there when it is asked for: windows of some keys, and every deadline
    now = running.clock()
    running.log.append([Append(0, [opened(number, now + 1) for number in range(0, KEYS, 1_000)])])
    running.settle()
    running.tick(now + 2 * HOUR, limit=2_000).settle()
    commands = [each for each in running.outputs() if isinstance(each, Command)]
    assert len([each for each in commands if each.command == "twice"]) == KEYS // 1_000
    assert len([each for each in commands if each.command == "remind"]) == KEYS + KEYS // 1_000
    running.log.close()


def test_without_a_bound_they_take_several_times_as_much(tmp_path: Path) -> None:
    """So the other test would notice."""
    running, unbounded = evaluated(tmp_path, 1 << 30)
    running.log.close()
    assert unbounded > 2 * (CACHE + BESIDE)
