"""`signal` and `signal-with-start`.

A run takes a signal once: the server drops one whose request id the run knows. But where that run is closed, the same
signal would be refused, or go to the next run, or start one. So when a command comes again, the histories of the last
closed runs are looked through for the command's id, which each signal has in a header.

That a run had the signal counts for nothing if it failed and the command was redriven since, and would start another.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    ListWorkflowExecutionsRequest,
    SignalWithStartWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest,
)
from temporalio.service import RPCError, RPCStatusCode

from adapters.targets.temporal.connection import Session
from adapters.targets.temporal.following import Following
from adapters.targets.temporal.marks import FAILED, describe, header, header_redrive
from adapters.targets.temporal.payloads import encode
from adapters.targets.temporal.plan import Asked, Plan
from adapters.targets.temporal.starting import start_fields, started
from adapters.work import Outcome, Verdict

PAGE: Final = 1_000
MOST_PAGES: Final = 60
"""A server ends a history at some 51,200 events."""
MOST_RUNS: Final = 20
MOST_CLOSING: Final = 5
"""Runs that close under our hands."""
_RUNNING: Final = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
_NO_LIST: Final = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED)
"""Of servers that list nothing, or not for us."""


class _Had(NamedTuple):
    """A run that an earlier attempt told, or this one just now."""

    run_id: str
    failed: bool = False
    """And the command was redriven since."""


@dataclass(frozen=True, slots=True)
class Signalling:
    async def deliver(self, session: Session, asked: Asked) -> Outcome:
        """Raises RPCError, ConverterError, TooLargeError."""
        signal = await _signal(session, asked)
        if await _had(session, signal) is None:
            await session.call(session.client.workflow_service.signal_workflow_execution, signal)
        return Outcome(Verdict.DONE, result={"workflow_id": asked.workflow_id}, status="signalled")


@dataclass(frozen=True, slots=True)
class SignallingWithStart:
    plan: Plan
    following: Following

    async def deliver(self, session: Session, asked: Asked) -> Outcome:
        """Raises RPCError, ConverterError, TooLargeError."""
        signal = await _signal(session, asked)
        had, reuse = await _had(session, signal, session.work.attempts_before), self.plan.reuse
        if had is not None and not had.failed:
            return started(self.plan, self.following, asked, had.run_id, "signalled")
        if had is not None and reuse == "reject-duplicate":
            reuse = "allow-duplicate-failed-only"
        request = SignalWithStartWorkflowExecutionRequest(
            request_id=signal.request_id,
            signal_name=signal.signal_name,
            signal_input=signal.input,
            header=signal.header,
            **await start_fields(self.plan, session, asked, reuse),
        )
        answer = await session.call(session.client.workflow_service.signal_with_start_workflow_execution, request)
        return started(self.plan, self.following, asked, answer.run_id, "started" if answer.started else "signalled")


async def _signal(session: Session, asked: Asked) -> SignalWorkflowExecutionRequest:
    return SignalWorkflowExecutionRequest(
        namespace=session.namespace,
        workflow_execution=WorkflowExecution(workflow_id=asked.workflow_id),
        signal_name=asked.signal,
        input=await encode(session.converter(asked.workflow_id), "the signal's arguments", asked.signal_args),
        identity=session.identity,
        request_id=session.work.id,
        header=header(session.work),
    )


async def _had(session: Session, signal: SignalWorkflowExecutionRequest, redrive: int = 0) -> _Had | None:
    """Whether an attempt before this one has told a run that is closed; one that runs is told now, by its own id, and
    takes it once. None if nobody has it and none runs. `redrive`: of what starts a run for it. Raises RPCError."""
    if session.work.attempt == 1:
        return None
    failed = None
    for _ in range(MOST_CLOSING):
        runs = await _runs(session, signal.workflow_execution.workflow_id)
        had = await _had_closed(session, runs, redrive)
        if had is not None and not had.failed:
            return had
        failed = had
        if not runs or runs[0].status != _RUNNING:
            return failed
        pinned = SignalWorkflowExecutionRequest()
        pinned.CopyFrom(signal)
        pinned.workflow_execution.CopyFrom(runs[0].execution)
        try:
            await session.call(session.client.workflow_service.signal_workflow_execution, pinned)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            continue  # closed just now: its history is complete
        return _Had(runs[0].execution.run_id)
    return failed


async def _had_closed(session: Session, runs: Sequence[WorkflowExecutionInfo], redrive: int) -> _Had | None:
    """`runs`: the newest first. A run that was continued is as the last one of its chain."""
    ends: dict[str, WorkflowExecutionStatus.ValueType] = {}
    failed = None
    for info in runs:
        if info.status == _RUNNING:
            continue
        run_id, end = info.execution.run_id, info.status
        async for event in _history(session, info.execution):
            if event.HasField("workflow_execution_started_event_attributes"):
                first = event.workflow_execution_started_event_attributes.first_execution_run_id
                end = ends.setdefault(first or run_id, info.status)
            found = header_redrive(event.workflow_execution_signaled_event_attributes.header, session.work)
            if found is None:
                continue
            if end not in FAILED or found >= redrive:
                return _Had(run_id)
            failed = _Had(run_id, failed=True)
    return failed


async def _runs(session: Session, workflow_id: str) -> list[WorkflowExecutionInfo]:
    """The last of them, and those before it that the server lists, which it does somewhat later."""
    last = await describe(session, workflow_id)
    if last is None:
        return []
    quote = '"' if "'" in workflow_id else "'"
    if quote in workflow_id or "\\" in workflow_id:
        return [last]  # it cannot be asked for
    try:
        listed = await session.call(
            session.client.workflow_service.list_workflow_executions,
            ListWorkflowExecutionsRequest(
                namespace=session.namespace, page_size=MOST_RUNS, query=f"WorkflowId = {quote}{workflow_id}{quote}"
            ),
        )
    except RPCError as error:
        if error.status in _NO_LIST:
            return [last]
        raise
    return [last, *(each for each in listed.executions if each.execution.run_id != last.execution.run_id)]


async def _history(session: Session, execution: WorkflowExecution) -> AsyncIterator[HistoryEvent]:
    request = GetWorkflowExecutionHistoryRequest(
        namespace=session.namespace, execution=execution, maximum_page_size=PAGE
    )
    for _ in range(MOST_PAGES):
        page = await session.call(session.client.workflow_service.get_workflow_execution_history, request)
        for event in page.history.events:
            yield event
        if not page.next_page_token:
            return
        request.next_page_token = page.next_page_token
