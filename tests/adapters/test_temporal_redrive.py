"""What becomes of a workflow whose command is redriven, on a real server: one that failed is run again, once for each
redrive, and no other is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapters.ledger import DELIVERY
from adapters.work import Verdict
from streams.log import Log
from streams.outputs import Asked, Command
from tests.adapters.delivering import engine, entries, states, until
from tests.adapters.temporal_server import LONGEST
from tests.adapters.temporals import again, declared, fresh, opened, redriven, runs, to_the_end, work, working
from tests.conformance.backends import Clock, Writer, owned

pytestmark = pytest.mark.timeout(LONGEST)


async def test_a_redriven_command_runs_its_failed_workflow_again_under_the_same_id() -> None:
    sent = work(fails=True)
    async with working() as temporal, opened(wait="result") as adapter:
        first = await to_the_end(adapter, sent)
        second = await to_the_end(adapter, redriven(sent, after=1))
        third = await to_the_end(adapter, redriven(sent, after=2))
        described = await temporal.get_workflow_handle(sent.id).describe()
        assert await described.memo_value("orchestrator-command") == sent.id
        assert await described.memo_value("orchestrator-redrive") == 2
    assert {found.status for found in (first, second, third)} == {"failed"}
    assert {found.result["workflow_id"] for found in (first, second, third)} == {sent.id}
    assert len({found.result["run_id"] for found in (first, second, third)}) == 3


@pytest.mark.parametrize("args", [{"fails": True}, {"fails": True, "again": 2}, {"waits": 1}])
async def test_what_was_started_by_a_redrive_and_not_recorded_is_found_again(args: dict[str, Any]) -> None:
    """Also if it was continued, and failed meanwhile."""
    sent = work(fails=True)
    async with working() as temporal, opened(wait="result") as adapter:
        await to_the_end(adapter, sent)
        async with opened(wait="result", args=[{"args": args}]) as changed:
            begun = await changed.deliver(redriven(sent, after=1))
            if "fails" in args:
                with pytest.raises(Exception, match="failed"):
                    await temporal.get_workflow_handle(sent.id, run_id=begun.progress["run_id"]).result()
            known = (await temporal.get_workflow_handle(sent.id).describe()).run_id
            found = await changed.deliver(redriven(sent, after=1, attempt=3))
            assert (found.status, found.progress["run_id"]) == ("existing", known)
            # a request of before the redrive that comes late
            assert (await changed.deliver(again(sent))).progress["run_id"] == known
        if "waits" in args:
            await temporal.get_workflow_handle(sent.id).terminate()


async def test_a_redriven_command_whose_workflow_runs_or_has_succeeded_starts_nothing() -> None:
    """As when it was parked because the server's answers were lost."""
    sent = work(waits=1)
    async with working() as temporal:
        for policy in ("reject-duplicate", "allow-duplicate"):
            async with opened(wait="result", id_reuse=policy) as adapter:
                begun = await adapter.deliver(sent)
                running = await adapter.deliver(redriven(sent, after=1))
                assert (running.status, running.progress["run_id"]) == ("existing", begun.progress["run_id"])
                await temporal.get_workflow_handle(sent.id).signal("paid", 1)
                await temporal.get_workflow_handle(sent.id).result()
                found = await to_the_end(adapter, redriven(sent, after=1, attempt=3))
                assert (found.verdict, found.result["run_id"]) == (Verdict.DONE, begun.progress["run_id"])
            sent = work(waits=1)


async def test_a_redriven_command_that_never_reached_the_server_starts_its_workflow_once() -> None:
    sent = work(waits=1)
    async with working() as temporal, opened() as adapter:
        first = await adapter.deliver(redriven(sent, after=12))
        second = await adapter.deliver(redriven(sent, after=12, attempt=14))
        assert (first.status, second.status) == ("started", "existing")
        assert first.result["run_id"] == second.result["run_id"]
        await temporal.get_workflow_handle(sent.id).terminate()


async def test_a_redrive_does_not_run_the_failed_workflow_of_another_command_again() -> None:
    first, second, id = work(fails=True), work(), fresh()
    async with working(), opened(workflow_id=id, wait="result") as adapter:
        assert (await to_the_end(adapter, first)).status == "failed"
        found = await adapter.deliver(redriven(second, after=1))
        assert (found.verdict, found.status) == (Verdict.FINAL, "already-started")
        mine = await adapter.deliver(redriven(first, after=1))
        assert (mine.verdict, mine.status) == (Verdict.WAITING, "started")


@pytest.mark.parametrize("policy", ["reject-duplicate", "allow-duplicate"])
async def test_signal_with_start_starts_another_run_for_each_redrive_of_one_that_failed(policy: str) -> None:
    sent, id = work(), fresh()
    keys: dict[str, Any] = {"operation": "signal-with-start", "workflow_id": id, "signal": "paid", "id_reuse": policy}
    async with working() as temporal:
        async with opened(**keys, args=[{"args": {"fails": True}}], wait="result") as failing:
            first = await to_the_end(failing, sent)
            second = await to_the_end(failing, redriven(sent, after=1))
            unrecorded = await to_the_end(failing, redriven(sent, after=1, attempt=3))
        assert {found.status for found in (first, second, unrecorded)} == {"failed"}
        assert second.result["run_id"] == unrecorded.result["run_id"] != first.result["run_id"]
        async with opened(**keys, args=[{"args": {"waits": 1, "again": 1}}], wait="result") as mended:
            third = await mended.deliver(redriven(sent, after=3))
            async with asyncio.timeout(20):
                while len(await runs(temporal, id)) < 4:  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.05)
            # the run that had the signal was continued, and the one that continues it works: nothing has failed
            assert (await mended.deliver(redriven(sent, after=4))).progress["run_id"] == third.progress["run_id"]
            await temporal.get_workflow_handle(id).terminate()
            assert (await mended.deliver(redriven(sent, after=5))).status == "started"
        await temporal.get_workflow_handle(id).terminate()


async def test_a_signal_that_a_failed_run_had_is_not_sent_again_by_a_redrive() -> None:
    sent, id = work(), fresh()
    start: dict[str, Any] = {"operation": "signal-with-start", "workflow_id": id, "signal": "paid"}
    async with working() as temporal:
        async with opened(**start, args=[{"args": {"waits": 9}}]) as adapter:
            await adapter.deliver(sent)
            await temporal.get_workflow_handle(id).terminate()
        async with opened(operation="signal", workflow_id=id, signal="paid") as adapter:
            assert (await adapter.deliver(redriven(sent, after=1))).status == "signalled"
            assert (await adapter.deliver(work())).status == "NOT_FOUND"


async def test_a_command_that_was_parked_with_its_workflow_is_done_after_a_redrive(log: Log, clock: Clock) -> None:
    id, rules = fresh("c").replace("-", ""), Writer(log, 0)
    rules.commit(outputs=[Command(id, "fine", "police", "speeding", "GX-700", 5, "e1", {"waits": 1}, "digest")])
    target, lease = declared(wait="result", poll="100ms"), owned(log, 0, ttl=1e6, role=DELIVERY)
    async with working() as temporal, engine(log, target, clock=clock, closing=5.0, leases=[lease]) as delivery:
        await until(lambda: states(log).get(id) == "waiting")
        await temporal.get_workflow_handle(id).terminate(reason="a mistake")
        await _until_state(log, clock, id, "parked")
        rules.commit(outputs=[Asked("redrive", (id,))])
        delivery.notify(0)
        await _until_state(log, clock, id, "waiting")
        await temporal.get_workflow_handle(id).signal("paid", "now")
        await _until_state(log, clock, id, "done")
        assert len(await runs(temporal, id)) == 2
    assert [each.status for each in entries(log)[id].history] == ["started", "terminated", "started", "completed"]


async def _until_state(log: Log, clock: Clock, id: str, state: str) -> None:
    async with asyncio.timeout(20):
        while states(log)[id] != state:
            clock.advance(seconds=0.05)  # slowly: a lease has 50 s by this clock
            await asyncio.sleep(0.02)
