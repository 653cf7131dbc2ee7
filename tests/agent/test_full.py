"""A log that takes no more from producers drains all the same."""

from __future__ import annotations

import contextlib
import itertools

from streams.backends.limits import LogLimits
from streams.keys import partition_of
from streams.log import LogFull
from tests.agent.running import Running, event
from tests.rules.compile import building as build


def test_partitions_that_are_full_and_forward_to_each_other_go_on(make_log, clock):
    log = make_log(2, LogLimits(max_lag_events=50))
    rules = build.compiled(build.projection("seen", {"paid": {"n": "1"}}, by="event.data.other"))
    running = Running(log, rules, clock, page=10).activate()
    numbers = itertools.count()

    def fill() -> None:
        for partition in range(2):
            names = (f"A{number}" for number in numbers)
            keys = (name for name in names if partition_of(name, 2) == partition)
            with contextlib.suppress(LogFull):
                while True:
                    running.publish(event("paid", next(keys), other=f"B{next(numbers)}"))

    agent = running.agent()
    for _ in range(10):
        fill()
        agent.round()
    agent.leave()
    running.settle()
    assert [log.position(partition, "rules") for partition in range(2)] == [log.tail(0), log.tail(1)]
