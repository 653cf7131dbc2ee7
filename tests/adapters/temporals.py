"""A target of the kind `temporal` as a targets file declares it, and a worker with a workflow to be called."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from adapters.adapter import Adapter
from adapters.errors import TargetError
from adapters.kind import Surroundings
from adapters.registry import load_targets
from adapters.target import Target
from adapters.work import Outcome, Verdict, Work
from tests.adapters.temporal_server import shared


def clock() -> int:
    return time.time_ns() // 1_000


def fresh(prefix: str = "id") -> str:
    """An id that no other test has on the shared server."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def work(id: str | None = None, attempt: int = 1, key: str = "GX-700", progress: Any = None, **args: Any) -> Work:
    id = id or fresh("c")
    command = {"id": id, "command": "fine", "to": "t", "rule": "speeding", "key": key}
    body = json.dumps({**command, "at": "2025-05-01T12:00:00Z", "cause": "e1", "args": args}).encode()
    return Work(id, attempt, "t", body, 0, 0, progress=b"" if progress is None else json.dumps(progress).encode())


def again(sent: Work, attempt: int = 2, progress: Any = None) -> Work:
    return sent._replace(attempt=attempt, progress=b"" if progress is None else json.dumps(progress).encode())


def redriven(sent: Work, after: int, attempt: int | None = None) -> Work:
    """Sent again by somebody, after so many attempts."""
    return sent._replace(attempt=attempt or after + 1, attempts_before=after)


@asynccontextmanager
async def opened(
    secrets: Mapping[str, str] | None = None, imports: frozenset[str] = frozenset(), **keys: Any
) -> AsyncIterator[Adapter]:
    keys = {"kind": "temporal", "address": keys.get("address") or shared().address} | keys
    if keys.get("operation", "start") in ("start", "signal-with-start"):
        keys = {"workflow": "Fine", "task_queue": "fines"} | keys
    around = Surroundings(clock, (secrets or {}).get, imports=imports)
    target = load_targets(json.dumps({"targets": {"t": keys}}), "targets.yaml", around)["t"]
    assert target.open is not None
    adapter = target.open()
    try:
        yield adapter
    finally:
        await adapter.close()


def declared(**keys: Any) -> Target:
    keys = {"kind": "temporal", "address": shared().address, "workflow": "Fine", "task_queue": "fines"} | keys
    text = json.dumps({"targets": {"police": keys}})
    return load_targets(text, "targets.yaml", Surroundings(clock, lambda _: None))["police"]


async def delivered(sent: Work, **keys: Any) -> Outcome:
    async with opened(**keys) as adapter:
        return await adapter.deliver(sent)


async def to_the_end(adapter: Adapter, sent: Work, seconds: float = 20.0) -> Outcome:
    """Looks again as often as delivery would, and hands on what was left."""
    outcome = await adapter.deliver(sent)
    async with asyncio.timeout(seconds):
        while outcome.verdict is Verdict.WAITING:
            await asyncio.sleep(outcome.retry_after or 0)
            outcome = await adapter.deliver(again(sent, sent.attempt, outcome.progress))
    return outcome


def refused(
    secrets: Mapping[str, str] | None = None,
    now: Callable[[], int] = clock,
    imports: frozenset[str] = frozenset(),
    **keys: Any,
) -> str:
    """Why such a target is, without the place."""
    keys = {"address": "temporal.example:7233", "workflow": "Fine", "task_queue": "fines"} | keys
    lines = ["targets:", "  t:", "    kind: temporal"]
    lines += [f"    {key}: {json.dumps(value)}" for key, value in keys.items() if value is not None]
    with pytest.raises(TargetError) as caught:
        load_targets("\n".join(lines), "targets.yaml", Surroundings(now, (secrets or {}).get, imports=imports))
    where, _, why = str(caught.value).partition(": target `t`")
    assert where.startswith("targets.yaml:")
    return why.removeprefix(", ")


@workflow.defn(name="Fine", sandboxed=False)
class FineWorkflow:
    """Does what the command's args say: `fails`, `again` (continues as another run so many times), `waits` (for the
    signal or update `paid`); answers with what it was given."""

    def __init__(self) -> None:
        self._paid: list[Any] = []

    @workflow.run
    async def run(self, command: Any) -> Any:
        args = command["args"] if isinstance(command, dict) and "args" in command else {}
        if args.get("fails") and not args.get("again"):
            raise ApplicationError("the plate is not known", type="UnknownPlate")
        if args.get("again"):
            workflow.continue_as_new({**command, "args": {**args, "again": args["again"] - 1}})
        if args.get("waits"):
            await workflow.wait_condition(lambda: len(self._paid) >= args["waits"])
        return {"got": command, "paid": self._paid}

    @workflow.signal
    def paid(self, what: Any) -> None:
        self._paid.append(what)

    @workflow.update
    async def pay(self, what: Any) -> Any:
        if isinstance(what, dict) and what["args"].get("slowly"):
            await workflow.sleep(1)
        self._paid.append(what)
        return len(self._paid)

    @pay.validator
    def _check(self, what: Any) -> None:
        if isinstance(what, dict) and what["args"].get("sum", 1) <= 0:
            raise ApplicationError("nothing is paid", type="NoSum")


@asynccontextmanager
async def working(
    address: str | None = None, task_queue: str = "fines", converter: DataConverter = DataConverter.default
) -> AsyncIterator[Client]:
    client = await Client.connect(address or shared().address, data_converter=converter)
    async with Worker(
        client, task_queue=task_queue, workflows=[FineWorkflow], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        yield client


async def runs(of: Client, workflow_id: str) -> list[str]:
    """Every run that the id ever had, as the server shows them."""
    return [each.run_id async for each in of.list_workflows(f"WorkflowId = '{workflow_id}'")]


async def client() -> Client:
    return await Client.connect(shared().address)


async def waiting_workflow(of: Client, signals: int = 1, task_queue: str = "fines") -> WorkflowHandle[Any, Any]:
    """One that runs until it was told so many times."""
    return await of.start_workflow(
        "Fine",
        {"args": {"waits": signals}},
        id=fresh("w"),
        task_queue=task_queue,
        retry_policy=RetryPolicy(maximum_attempts=1),
    )
