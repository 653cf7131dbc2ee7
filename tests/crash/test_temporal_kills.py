"""Commands to a Temporal server whose own process, and ours, are killed at random: every command ends, every workflow
was started once for its command, and every signal arrived once. `CRASH_SEED=…` draws the same moments again."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.adapters.temporal_server import LONGEST, TemporalServer
from tests.crash.processes import ServerProcess, serving

_log = logging.getLogger(__name__)
EVENTS, KEYS, KILLS = 60, 12, 6
RULES = """
ruleset: fines
rules:
  speeding:
    on: car.measured
    then:
      - {command: fine, to: fines, args: {speed: "${event.data.speed}"}}
      - {command: note, to: cars}
  told:
    on: orchestrator.command.succeeded
    when: event.data.to == 'fines'
    then: [{command: tell, to: log, args: {of: "${event.data.id}", twice: "${event.data.result.result}"}}]
"""
PATIENT = '{initial: 100ms, max: 500ms, attempts: 1000}, breaker: "off"'
TARGETS = f"""
targets:
  fines: {{kind: temporal, address: ADDRESS, workflow: Fine, task_queue: q, wait: result, timeout: 2s,
    retry: {PATIENT}}}
  cars: {{kind: temporal, address: ADDRESS, operation: signal-with-start, workflow_id: "car-${{command.key}}",
    workflow: Car, task_queue: q, args: [], signal: noted, signal_args: ["${{command.id}}"], timeout: 2s,
    retry: {PATIENT}}}
"""


@workflow.defn(sandboxed=False)
class Fine:
    @workflow.run
    async def run(self, command: dict[str, Any]) -> int:
        return int(command["args"]["speed"]) * 2


@workflow.defn(sandboxed=False)
class Car:
    """Over as soon as it was told something, so that others often come to it when it is closed."""

    def __init__(self) -> None:
        self._noted: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: bool(self._noted))
        return self._noted

    @workflow.signal
    def noted(self, id: str) -> None:
        self._noted.append(id)


@pytest.mark.slow
@pytest.mark.timeout(LONGEST)
async def test_every_workflow_is_started_once_and_every_signal_arrives_once(tmp_path: Path) -> None:
    seed = int(os.environ.get("CRASH_SEED", random.randrange(10**6)))
    _log.warning("CRASH_SEED=%d", seed)
    chance = random.Random(seed)
    temporal = await asyncio.to_thread(TemporalServer, tmp_path / "temporal")
    try:
        with serving(
            tmp_path, RULES, TARGETS.replace("ADDRESS", temporal.address), ORCHESTRATOR_TICK_DELAY="0"
        ) as ours:
            client = await Client.connect(temporal.address)
            async with Worker(
                client, task_queue="q", workflows=[Fine, Car], workflow_runner=UnsandboxedWorkflowRunner()
            ):
                await asyncio.to_thread(publish, ours)
                for number in range(KILLS):
                    await asyncio.sleep(chance.uniform(0, 0.5))
                    await asyncio.to_thread(kill, ours, temporal, both=number % 3 == 2)
                commands = await asyncio.to_thread(ended, ours)
                await compare(client, commands)
            assert await asyncio.to_thread(ours.end, signal.SIGTERM) == 0, ours.said()
    finally:
        await asyncio.to_thread(temporal.stop)


def kill(ours: ServerProcess, temporal: TemporalServer, *, both: bool) -> None:
    if both:
        temporal.kill()
    ours.kill()
    if both:
        temporal.start()
    ours.spawn(ORCHESTRATOR_TICK_DELAY="0")
    ours.wait_ready()


async def compare(client: Client, commands: list[dict[str, Any]]) -> None:
    """What the server of the workflows knows with what we have decided."""
    fines = {each["id"]: each for each in commands if each["command"] == "fine"}
    notes = [each["id"] for each in commands if each["command"] == "note"]
    runs: Counter[str] = Counter()
    noted: Counter[str] = Counter()
    async for each in client.list_workflows(page_size=500):
        if each.workflow_type == "Fine":
            runs[each.id] += 1
        else:
            noted.update(await client.get_workflow_handle(each.id, run_id=each.run_id).result())
    assert runs == Counter(fines.keys())
    assert noted == Counter(notes)
    _log.warning("%d commands were sent more than once", sum(each["attempts"] > 1 for each in commands))
    told = {each["args"]["of"]: each["args"]["twice"] for each in commands if each["command"] == "tell"}
    assert told == {id: each["args"]["speed"] * 2 for id, each in fines.items()}


def publish(ours: ServerProcess) -> None:
    events = [
        {"id": f"{n}", "source": "cam", "type": "car.measured", "subject": f"GX-{n % KEYS}", "data": {"speed": 100 + n}}
        for n in range(EVENTS)
    ]
    call(f"{ours.url}/v1/events", events)


def ended(ours: ServerProcess) -> list[dict[str, Any]]:
    """All commands, when they are done."""
    until = time.monotonic() + 90
    while True:
        found: list[dict[str, Any]] = call(f"{ours.url}/v1/commands?limit=1000")["commands"]
        if len(found) == 3 * EVENTS and {each["state"] for each in found} == {"done"}:
            return found
        assert time.monotonic() < until, Counter((each["command"], each["state"]) for each in found)
        time.sleep(0.1)


def call(url: str, body: Any = None) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    with urlopen(Request(url, data, {"content-type": "application/json"}), timeout=15) as answer:
        return json.loads(answer.read())
