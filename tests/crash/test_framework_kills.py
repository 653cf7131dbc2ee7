"""Servers and workers of all frameworks are killed at random: a webhook, a model that is paid for each question, and a
real Temporal server see every command with one id, and each ends in one recorded outcome.

Workflows are started once, whatever happens. An answer of a model is paid once, unless a kill fell between the
question and the record of its answer; how often that was is logged.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import pytest
from temporalio.client import Client

from tests.adapters.temporal_server import LONGEST, shared
from tests.adapters.temporals import fresh
from tests.crash.paid_model import PaidModel
from tests.crash.receiver import Receiver
from tests.crash.worker_run import WorkerRun, draw, reached

RULES: Final = """
ruleset: everything
rules:
  hook:
    on: paid
    when: event.data.n % 12 == 0
    then: [{command: tell, to: hook}]
  model:
    on: paid
    when: event.data.n % 12 == 4
    then: [{command: ask, to: model}]
  flow:
    on: paid
    when: event.data.n % 12 == 8
    then: [{command: begin, to: flow}]
"""
TARGETS: Final = """
targets:
  hook: {{kind: webhook, url: "http://127.0.0.1:{port}/penalties", allow: [127.0.0.1/32], {common}}}
  model: {{kind: langchain, model: "openai:gpt-5-mini", base_url: "{model}", prompt: "${{command.id}}", {common}}}
  flow: {{kind: temporal, address: "{temporal}", workflow: Fine, task_queue: {queue}, {common}}}
"""
COMMON: Final = "deliver: workers, breaker: off, retry: {initial: 100ms, max: 200ms, attempts: 1000}"
AT_ONCE: Final = 8
"""Attempts at once, of each target: as many may be lost with a worker."""
_log = logging.getLogger(__name__)


async def started(address: str, queue: str, commands: int) -> Counter[str]:
    """How often each workflow was started, once the server lists so many."""
    client = await Client.connect(address)
    async with asyncio.timeout(30):
        while True:
            found = Counter([each.id async for each in client.list_workflows(f"TaskQueue = '{queue}'")])
            if len(found) >= commands:
                return found
            await asyncio.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(LONGEST + 300)
def test_workflows_are_started_once_and_answers_paid_once_however_often_workers_are_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGCHAIN_API_KEY", "sk-test")
    chance, temporal, queue = draw(), shared().address, fresh("queue")
    with closing(Receiver(chance, 0.02)) as receiver, closing(PaidModel(0.05)) as model, ExitStack() as ends:
        targets = TARGETS.format(port=receiver.port, model=model.url, temporal=temporal, queue=queue, common=COMMON)
        run = WorkerRun(tmp_path, chance, RULES, targets, ["webhook", "langchain", "temporal"], ends)
        while run.kills["server"] < 3 or any(run.kills[each] < 4 for each in ("webhook", "langchain", "temporal")):
            run.kill(0.5, 3.0)  # a worker with a large library starts in seconds
        run.finish()
        entries = run.ended()
    assert {entry.command.to for entry in entries} == {"hook", "model", "flow"}
    reached(entries, receiver.seen, "hook")
    paid = reached(entries, model.asked, "model")
    assert paid <= AT_ONCE * (run.kills["langchain"] + run.kills["server"])
    flows = [entry.command.id for entry in entries if entry.command.to == "flow"]
    assert asyncio.run(started(temporal, queue, len(flows))) == Counter(flows)
    _log.warning("%d commands, %d answers paid again, kills: %s", len(entries), paid, dict(run.kills))
