"""The target kind `temporal` against a real server, with a real worker and workflow: what each operation does, once and
again."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from adapters.work import Outcome, Verdict, Work
from tests.adapters.temporal_server import LONGEST
from tests.adapters.temporals import again, client, delivered, fresh, opened, runs, waiting_workflow, work, working

pytestmark = pytest.mark.timeout(LONGEST)


async def signals(of: Client, workflow_id: str, run_id: str | None = None) -> int:
    history = await of.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
    return sum(event.HasField("workflow_execution_signaled_event_attributes") for event in history.events)


# -- start


async def test_a_command_starts_a_workflow_whose_id_and_argument_are_its_own() -> None:
    sent = work(plate="GX-700", speed=171)
    async with working() as temporal:
        found = await delivered(sent)
        handle = temporal.get_workflow_handle(sent.id)
        assert await handle.result() == {"got": json.loads(sent.body), "paid": []}
        described = await handle.describe()
    assert found == Outcome(
        Verdict.DONE,
        result={"workflow_id": sent.id, "run_id": described.run_id, "started": True},
        status="started",
    )
    assert (described.workflow_type, described.task_queue) == ("Fine", "fines")
    assert await described.memo_value("orchestrator-command") == sent.id


async def test_names_ids_and_arguments_are_made_of_the_command() -> None:
    sent = work(key=fresh("k"), kind="Fine", speed=171, places=["a", {"b": 1}])
    async with working(task_queue="fines-eu") as temporal:
        found = await delivered(
            sent,
            workflow_id="fine-${command.key}",
            workflow="${command.args.kind}",
            task_queue="fines-eu",
            args=[{"speed": "${command.args.speed}", "say": "${command.args.speed} km/h", "at": "${command.args}"}],
        )
        assert found.verdict is Verdict.DONE
        result = await temporal.get_workflow_handle(f"fine-{json.loads(sent.body)['key']}").result()
    assert result["got"] == {"speed": 171, "say": "171 km/h", "at": json.loads(sent.body)["args"]}


async def test_a_command_that_comes_again_finds_its_workflow_while_it_runs_and_when_it_is_closed() -> None:
    sent = work(waits=1)
    async with working() as temporal, opened() as adapter:
        first = await adapter.deliver(sent)
        second = await adapter.deliver(again(sent))
        handle = temporal.get_workflow_handle(sent.id)
        await handle.signal("paid", 1)
        await handle.result()
        third = await adapter.deliver(again(sent, 3))
        assert first == second == third
        assert first.verdict is Verdict.DONE
        assert await signals(temporal, sent.id) == 1
        assert len({first.result["run_id"], second.result["run_id"], third.result["run_id"]}) == 1


async def test_a_workflow_that_continued_as_another_run_is_still_the_commands() -> None:
    sent = work(again=2, waits=1)
    async with working() as temporal, opened() as adapter:
        await adapter.deliver(sent)
        async with asyncio.timeout(20):
            while len(await runs(temporal, sent.id)) < 3:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.05)
        found = await adapter.deliver(again(sent))
        await temporal.get_workflow_handle(sent.id).terminate()
    assert (found.verdict, found.status) == (Verdict.DONE, "existing")
    assert found.result["started"] is False


async def test_a_workflow_that_another_command_started_is_not_ours() -> None:
    first, second, key = work(waits=1), work(waits=1), fresh()
    async with opened(workflow_id=f"fine-{key}") as adapter:
        assert (await adapter.deliver(first)).status == "started"
        found = await adapter.deliver(second)
        assert (await adapter.deliver(again(first))).verdict is Verdict.DONE
    assert (found.verdict, found.status) == (Verdict.FINAL, "already-started")
    assert f"workflow fine-{key} was started by another command" in found.reason


async def test_policies_say_what_becomes_of_an_id_that_is_taken() -> None:
    key = fresh()
    temporal = await client()
    first = await delivered(work(), workflow_id=f"fine-{key}")
    used = await delivered(work(), workflow_id=f"fine-{key}", id_conflict="use-existing")
    assert (used.status, used.result["run_id"]) == ("existing", first.result["run_id"])
    sent = work()
    async with opened(
        workflow_id=f"fine-{key}", id_conflict="terminate-existing", id_reuse="allow-duplicate"
    ) as adapter:
        other = await adapter.deliver(sent)
        assert await adapter.deliver(again(sent)) == other  # and not a third one
    assert other.status == "started"
    assert other.result["run_id"] != first.result["run_id"]
    old = await temporal.get_workflow_handle(f"fine-{key}", run_id=first.result["run_id"]).describe()
    assert old.status is WorkflowExecutionStatus.TERMINATED
    await temporal.get_workflow_handle(f"fine-{key}").terminate()
    failed = await delivered(work(), workflow_id=f"fine-{key}", id_reuse="allow-duplicate-failed-only")
    assert failed.status == "started"  # terminated is failed
    await temporal.get_workflow_handle(f"fine-{key}").terminate()


async def test_a_workflow_is_bounded_by_the_timeouts_of_the_file() -> None:
    sent = work()
    found = await delivered(sent, execution_timeout="1h", run_timeout="30m", task_timeout="5s")
    assert found.verdict is Verdict.DONE
    history = await (await client()).get_workflow_handle(sent.id).fetch_history()
    attributes = history.events[0].workflow_execution_started_event_attributes
    assert attributes.workflow_execution_timeout.seconds == 3_600
    assert attributes.workflow_run_timeout.seconds == 1_800
    assert attributes.workflow_task_timeout.seconds == 5


# -- signals


async def test_a_signal_is_delivered_once_however_often_it_is_sent() -> None:
    sent = work(sum=40)
    async with working() as temporal:
        handle = await waiting_workflow(temporal, signals=2)
        async with opened(operation="signal", workflow_id=handle.id, signal="paid") as adapter:
            first = await adapter.deliver(sent)
            assert await adapter.deliver(again(sent)) == first
            assert await signals(temporal, handle.id) == 1
            await adapter.deliver(work(sum=41))
            assert [each["args"]["sum"] for each in (await handle.result())["paid"]] == [40, 41]
            # closed meanwhile, perhaps by this very signal
            assert (await adapter.deliver(again(sent, 3))).verdict is Verdict.DONE
            other = await adapter.deliver(work())
    assert first == Outcome(Verdict.DONE, result={"workflow_id": handle.id}, status="signalled")
    assert (other.verdict, other.status) == (Verdict.FINAL, "NOT_FOUND")


async def test_a_signal_to_no_workflow_is_final() -> None:
    found = await delivered(work(), operation="signal", workflow_id=fresh("none"), signal="paid")
    assert (found.verdict, found.status) == (Verdict.FINAL, "NOT_FOUND")


async def test_signal_with_start_starts_a_workflow_or_tells_the_one_that_runs() -> None:
    id = fresh()
    keys: dict[str, Any] = {"operation": "signal-with-start", "workflow_id": id, "signal": "paid"}
    async with working() as temporal, opened(**keys, args=[{"args": {"waits": 3}}]) as adapter:
        first, second = work(sum=1), work(sum=2)
        started = await adapter.deliver(first)
        signalled = await adapter.deliver(second)
        for sent in (first, second):
            await adapter.deliver(again(sent))
        assert (started.status, signalled.status) == ("started", "signalled")
        assert started.result["run_id"] == signalled.result["run_id"]
        assert await signals(temporal, id) == 2
        await temporal.get_workflow_handle(id).terminate()


async def test_signal_with_start_that_comes_again_after_the_close_starts_no_second_workflow() -> None:
    id, sent = fresh(), work(sum=1)
    keys: dict[str, Any] = {"operation": "signal-with-start", "workflow_id": id, "signal": "paid"}
    async with working() as temporal, opened(**keys, args=[{"args": {"waits": 1}}]) as adapter:
        first = await adapter.deliver(sent)
        await temporal.get_workflow_handle(id).result()
        second = await adapter.deliver(again(sent))
        assert (second.verdict, second.status) == (Verdict.DONE, "signalled")
        assert second.result["run_id"] == first.result["run_id"]
        other = await adapter.deliver(work(sum=2))
        assert other.status == "started"
        await temporal.get_workflow_handle(id).result()
        async with opened(**keys, id_reuse="reject-duplicate") as strict:
            found = await strict.deliver(work(sum=3))
    assert (found.verdict, found.status) == (Verdict.FINAL, "ALREADY_EXISTS")


@pytest.mark.parametrize("operation", ["signal", "signal-with-start"])
async def test_a_signal_that_a_closed_run_had_is_not_given_to_the_next_one(operation: str) -> None:
    id, sent = fresh(), work(sum=1)
    keys: dict[str, Any] = {"operation": "signal-with-start", "workflow_id": id, "signal": "paid"}
    more = {"args": [{"args": {"waits": 1}}]}
    async with working() as temporal, opened(**keys, **more) as adapter:
        first = await adapter.deliver(sent)
        await temporal.get_workflow_handle(id).result()
        async with opened(**keys, args=[{"args": {"waits": 9}}]) as patient:
            assert (await patient.deliver(work(sum=2))).status == "started"
        async with asyncio.timeout(20):
            while len(await runs(temporal, id)) < 2:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.05)
        async with opened(**(keys | {"operation": operation}), **(more if "start" in operation else {})) as other:
            found = await other.deliver(again(sent))
        assert (found.verdict, found.status) == (Verdict.DONE, "signalled")
        assert found.result["run_id" if "start" in operation else "workflow_id"] in (first.result["run_id"], id)
        assert await signals(temporal, id) == 1
        await temporal.get_workflow_handle(id).terminate()


# -- update, cancel


async def test_an_update_is_done_once_with_its_result() -> None:
    sent = work(sum=40)
    async with working() as temporal:
        handle = await waiting_workflow(temporal, signals=2)
        async with opened(operation="update", workflow_id=handle.id, update="pay") as adapter:
            first = await adapter.deliver(sent)
            assert await adapter.deliver(again(sent)) == first
            refused = await adapter.deliver(work(sum=0))
            await adapter.deliver(work(sum=1))
            assert len((await handle.result())["paid"]) == 2
            assert await adapter.deliver(again(sent)) == first  # closed meanwhile
    assert (first.verdict, first.status, first.result["result"]) == (Verdict.DONE, "completed", 1)
    assert (refused.verdict, refused.status) == (Verdict.FINAL, "rejected")
    assert "NoSum: nothing is paid" in refused.reason


async def test_an_update_that_no_worker_looks_at_is_tried_again() -> None:
    temporal = await client()
    handle = await waiting_workflow(temporal, task_queue=fresh("nobody"))
    found = await delivered(work(), operation="update", workflow_id=handle.id, update="pay", timeout="1s")
    assert (found.verdict, found.status) == (Verdict.RETRY, "not-accepted")
    await handle.terminate()


async def test_cancel_asks_a_workflow_to_end_and_may_do_so_twice() -> None:
    async with working() as temporal:
        handle = await waiting_workflow(temporal)
        async with opened(operation="cancel", workflow_id="${command.args.workflow}") as adapter:
            sent = work(workflow=handle.id)
            assert (await adapter.deliver(sent)).status == "cancel-requested"
            with pytest.raises(Exception, match="Workflow execution failed"):
                await handle.result()
            assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
            assert (await adapter.deliver(again(sent))).verdict is Verdict.DONE


# -- what a server would refuse, and what it would not


@pytest.mark.parametrize("size", [3_000_000, 5_000_000])
async def test_arguments_that_are_too_large_are_final_and_not_sent(size: int) -> None:
    sent = work(text="x" * size)
    found = await delivered(sent)
    assert (found.verdict, found.status) == (Verdict.FINAL, "too-large")
    assert "more than the 2,097,152 of a server" in found.reason


@pytest.mark.parametrize(
    ("keys", "sent", "status"),
    [
        ({"workflow_id": "fine-${command.args.plate}"}, work(), "template"),
        ({"workflow_id": "${command.args.plate}"}, work(plate=""), "template"),
        ({"workflow_id": "${command.args.plate}"}, work(plate="ü" * 501), "too-large"),
        ({"args": ["${command.args.plate}"]}, work(), "template"),
        ({"namespace": "nowhere"}, work(), "NOT_FOUND"),
    ],
)
async def test_a_command_that_cannot_be_asked_for_is_final(keys: dict[str, Any], sent: Work, status: str) -> None:
    found = await delivered(sent, **keys)
    assert (found.verdict, found.status) == (Verdict.FINAL, status), found.reason
