"""Redis has no memory left: ingest is refused, what is there is done with, and with more memory all goes on.

One server answers HTTP and evaluates nothing, so that everything that fits is there when the server is full; then the
server that evaluates and delivers is started, on less memory than is in use.
"""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import pytest

from replay.verify import verify
from streams.backends.open import open_log
from tests.conformance.redis_servers import Servers
from tests.crash import wreck
from tests.crash.chaos.story import processor_of
from tests.crash.processes import ServerProcess
from tests.crash.producer import body, key, post
from tests.crash.receiver import Receiver

RULES: Final = """
ruleset: full
projections:
  totals:
    fold:
      paid: {count: "(has(row.count) ? row.count : 0) + 1"}
rules:
  tenth:
    on: paid
    when: event.data.n % 10 == 0
    then: [{command: praise, to: office, args: {n: "${event.data.n}"}}]
  silent:
    on: paid
    when: totals.count == 1
    after: 1s
    then: [{command: remind, to: office, args: {n: "${event.data.n}"}}]
"""
PARTITIONS: Final = 4
PADDING: Final = 5_000
REQUEST: Final = 50
"""Events."""
MEMORY: Final = "24mb"
LESS: Final = "12mb"
MORE: Final = "400mb"
WAIT: Final = 40.0
"""Seconds in which anything must have happened."""


def until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.mark.slow
def test_when_memory_is_full_ingest_is_refused_and_everything_that_is_there_is_done(tmp_path: Path) -> None:
    with ExitStack() as ends:
        redis = Servers(tmp_path / "redis")
        ends.callback(redis.stop)
        client = ends.enter_context(closing(redis.client()))
        client.config_set("maxmemory", MEMORY)
        receiver = Receiver(random.Random(1), 0.0)
        ends.callback(receiver.close)
        rules, targets = tmp_path / "rules.yaml", tmp_path / "targets.yaml"
        rules.write_text(RULES)
        targets.write_text(receiver.targets("office", attempts=100))
        api, agent = (
            ServerProcess(tmp_path, rules, targets, PARTITIONS, log=redis.url(), name=roles, options=["--roles", roles])
            for roles in ("api", "agent,delivery")
        )
        ends.callback(api.clean_up)
        ends.callback(agent.clean_up)
        api.spawn()
        api.wait_ready()
        log = ends.enter_context(closing(open_log(redis.url(), now=lambda: time.time_ns() // 1000, create=False)))

        def publish(number: int) -> tuple[int, dict[str, str], bytes]:
            return post(api.url, body(range(number, number + REQUEST), PADDING))

        sent = 0
        status, headers, answer = publish(sent)
        while status == 202:
            sent += REQUEST
            assert sent < 10_000, "24 MB hold less"
            status, headers, answer = publish(sent)
        assert status == 429
        assert int(headers["Retry-After"]) >= 1
        assert "raise its maxmemory" in json.loads(answer)["detail"]
        assert sent > 1_000
        assert wreck.behind(log) >= sent

        client.config_set("maxmemory", LESS)
        assert client.info("memory")["used_memory"] > client.info("memory")["maxmemory"]
        agent.spawn()
        agent.wait_ready()
        keys = len(set(map(key, range(sent))))
        until(lambda: wreck.behind(log) == 0, "events are not evaluated")
        until(lambda: len(wreck.results(log)) >= sent // 10 + keys, "commands are not delivered")
        assert Counter(each["rule"] for each in receiver.bodies.values()) == {"tenth": sent // 10, "silent": keys}
        assert publish(sent)[0] == 429

        client.config_set("maxmemory", MORE)
        until(lambda: publish(sent)[0] == 202, "what was refused is not taken with more memory")
        sent += REQUEST
        until(lambda: wreck.behind(log) == 0, "events are not evaluated")
        until(lambda: len(wreck.results(log)) >= sent // 10 + keys, "commands are not delivered")
        assert [agent.end(signal.SIGTERM), api.end(signal.SIGTERM)] == [0, 0]
        decided = wreck.commands(log)
        assert set(decided.values()) == {1}
        assert receiver.seen.keys() == decided.keys()
        counts = Counter(map(key, range(sent)))
        assert {name: row["count"] for name, held in wreck.rows(log) for row in held.values()} == counts
        found = verify(log, processor_of)
        assert found.clean, found.difference
