"""Servers and workers are killed at random while commands go to a webhook through workers: every command is delivered
with one id, and ends in one recorded outcome."""

from __future__ import annotations

import logging
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import pytest

from tests.crash.receiver import Receiver
from tests.crash.worker_run import WorkerRun, draw, reached

RULES: Final = """
ruleset: praise
rules:
  fourth:
    on: paid
    when: event.data.n % 4 == 0
    then: [{command: praise, to: office, args: {n: "${event.data.n}"}}]
"""
TARGETS: Final = """
targets:
  office:
    kind: webhook
    url: http://127.0.0.1:%d/penalties
    allow: [127.0.0.1/32]
    deliver: workers
    retry: {initial: 100ms, max: 200ms, attempts: 1000}
    breaker: off
"""
SLOW: Final = 0.05
"""Seconds that the receiver takes, so that deliveries are left for each kill."""
_log = logging.getLogger(__name__)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("servers", [1, 2])
def test_every_command_ends_in_one_outcome_however_often_workers_and_servers_are_killed(
    tmp_path: Path, servers: int
) -> None:
    chance = draw()
    with closing(Receiver(chance, SLOW)) as receiver, ExitStack() as ends:
        run = WorkerRun(tmp_path, chance, RULES, TARGETS % receiver.port, ["webhook"] * 3, ends, servers)
        while run.kills["worker"] < 15 or run.kills["server"] < 5 or receiver.seen.total() == len(receiver.seen):
            run.kill()  # until some are sent again
        receiver.pause = 0.0
        run.finish()
        entries = run.ended()
    assert len(entries) == run.producer.sent // 4
    again = reached(entries, receiver.seen, "office")
    assert receiver.acknowledged == receiver.seen.keys()
    _log.warning("%d commands, %d deliveries too many, kills: %s", len(entries), again, dict(run.kills))
