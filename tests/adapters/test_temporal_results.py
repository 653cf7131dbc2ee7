"""`wait: result` against a real server: the result comes with the command's, and nothing is held until then."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from adapters.ledger import DELIVERY
from adapters.work import Verdict
from streams.log import Log
from streams.outputs import Command
from tests.adapters.delivering import engine, entries, states, until
from tests.adapters.temporal_server import LONGEST
from tests.adapters.temporals import (
    again,
    declared,
    delivered,
    fresh,
    opened,
    to_the_end,
    waiting_workflow,
    work,
    working,
)
from tests.conformance.backends import Clock, Writer, owned

pytestmark = pytest.mark.timeout(LONGEST)


async def test_the_result_of_a_workflow_is_the_commands() -> None:
    sent = work(speed=171)
    async with working(), opened(wait="result") as adapter:
        first = await adapter.deliver(sent)
        assert (first.verdict, first.status, first.retry_after) == (Verdict.WAITING, "started", 0.25)
        found = await to_the_end(adapter, sent)
    assert (found.verdict, found.status) == (Verdict.DONE, "completed")
    assert found.result["result"] == {"got": json.loads(sent.body), "paid": []}
    assert found.result["workflow_id"] == sent.id


async def test_it_is_looked_for_less_and_less_often_up_to_poll() -> None:
    sent, waits = work(waits=1), []
    async with working() as temporal, opened(wait="result", poll="2s") as adapter:
        outcome = await adapter.deliver(sent)
        for _ in range(5):
            assert outcome.verdict is Verdict.WAITING
            waits.append(outcome.retry_after)
            outcome = await adapter.deliver(again(sent, progress=outcome.progress))
        await temporal.get_workflow_handle(sent.id).terminate()
    assert waits == [0.25, 0.5, 1.0, 2.0, 2.0]


async def test_it_is_the_result_of_the_last_run() -> None:
    sent = work(again=3)
    async with working(), opened(wait="result") as adapter:
        found = await to_the_end(adapter, sent)
    assert found.result["result"]["got"]["args"] == {"again": 0}


async def test_a_workflow_that_fails_is_final_with_what_it_says() -> None:
    async with working(), opened(wait="result") as adapter:
        found = await to_the_end(adapter, work(fails=True))
    assert (found.verdict, found.status) == (Verdict.FINAL, "failed")
    assert found.reason == "the workflow failed: UnknownPlate: the plate is not known"
    assert found.result["failure"] == "UnknownPlate: the plate is not known"


@pytest.mark.parametrize("how", ["cancel", "terminate", "time out"])
async def test_a_workflow_that_is_ended_is_final(how: str) -> None:
    sent = work(waits=1)
    async with working() as temporal, opened(wait="result", execution_timeout="1s") as adapter:
        await adapter.deliver(sent)
        handle = temporal.get_workflow_handle(sent.id)
        if how == "cancel":
            await handle.cancel()
        elif how == "terminate":
            await handle.terminate(reason="no more")
        found = await to_the_end(adapter, sent)
    status, reason = {
        "cancel": ("cancelled", "the workflow was cancelled"),
        "terminate": ("terminated", "the workflow was terminated: no more"),
        "time out": ("timed-out", "the workflow took longer than its timeouts allow"),
    }[how]
    assert (found.verdict, found.status, found.reason) == (Verdict.FINAL, status, reason)


async def test_a_command_sent_again_after_a_reset_gets_the_result_of_the_new_run() -> None:
    sent = work(waits=1)
    async with working() as temporal, opened(wait="result") as adapter:
        await adapter.deliver(sent)
        handle = temporal.get_workflow_handle(sent.id)
        await handle.terminate()
        assert (await to_the_end(adapter, sent)).verdict is Verdict.FINAL
        await temporal.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace="default",
                workflow_execution=WorkflowExecution(workflow_id=sent.id),
                request_id=fresh(),
                workflow_task_finish_event_id=3,
            )
        )
        await handle.signal("paid", 5)
        found = await to_the_end(adapter, again(sent))
    assert (found.verdict, found.result["result"]["paid"]) == (Verdict.DONE, [5])


async def test_signal_with_start_waits_for_the_workflow_too() -> None:
    sent = work(sum=1)
    keys: dict[str, Any] = {"operation": "signal-with-start", "workflow_id": fresh(), "signal": "paid"}
    async with working(), opened(**keys, args=[{"args": {"waits": 1}}], wait="result") as adapter:
        found = await to_the_end(adapter, sent)
    assert found.result["result"]["paid"] == [json.loads(sent.body)]


async def test_the_result_of_an_update_is_waited_for() -> None:
    sent = work(slowly=True)
    async with working() as temporal:
        handle = await waiting_workflow(temporal)
        keys: dict[str, Any] = {"operation": "update", "workflow_id": handle.id, "update": "pay"}
        assert (await delivered(work(slowly=True), **keys)).status == "accepted"  # without waiting
        await handle.result()
        handle = await waiting_workflow(temporal)
        async with opened(**(keys | {"workflow_id": handle.id}), wait="result") as adapter:
            assert (await adapter.deliver(sent)).status == "accepted"
            found = await to_the_end(adapter, sent)
    assert (found.verdict, found.result["result"]) == (Verdict.DONE, 1)


async def test_a_workflow_that_is_gone_is_final() -> None:
    progress = {"workflow_id": fresh(), "run_id": "", "looks": 3}
    async with opened(wait="result") as adapter:
        found = await adapter.deliver(work(progress=progress))
    assert (found.verdict, found.status) == (Verdict.FINAL, "NOT_FOUND")


# -- with delivery and its ledger


def decide(log: Log, *ids: str, **args: Any) -> None:
    commands = [Command(id, "fine", "police", "speeding", "GX-700", 5, "e1", args, "digest") for id in ids]
    Writer(log, 0).commit(outputs=commands)


async def test_many_wait_in_one_slot_and_through_a_restart(log: Log, clock: Clock) -> None:
    ids = [fresh("c").replace("-", "") for _ in range(5)]
    decide(log, *ids, waits=1)
    target = declared(wait="result", concurrency=1, poll="100ms")
    lease = owned(log, 0, ttl=1e6, role=DELIVERY)
    async with working() as temporal:
        async with engine(log, target, clock=clock, closing=5.0, leases=[lease]):
            await until(lambda: set(states(log).values()) == {"waiting"} and len(states(log)) == 5)
            await _signalled(temporal, ids[0])
            await _until_done(log, clock, ids[:1])
        log.release(lease)
        for id in ids[1:]:
            await _signalled(temporal, id)
        async with engine(log, target, clock=clock, closing=5.0, leases=[owned(log, 0, ttl=1e6, role=DELIVERY)]):
            await _until_done(log, clock, ids)
    for id, entry in entries(log).items():
        assert entry.result["workflow_id"] == id
        assert entry.result["result"]["paid"] == ["now"]
        assert [each.status for each in entry.history] == ["started", "completed"]


async def _signalled(temporal: Client, id: str) -> None:
    await temporal.get_workflow_handle(id).signal("paid", "now")
    await temporal.get_workflow_handle(id).result()


async def _until_done(log: Log, clock: Clock, ids: list[str]) -> None:
    async with asyncio.timeout(20):
        while any(states(log)[id] != "done" for id in ids):
            clock.advance(seconds=0.05)  # slowly: a lease has 50 s by this clock
            await asyncio.sleep(0.02)
