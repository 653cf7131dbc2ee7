"""`wait: result`: looks, now and then, for what came of a workflow or an update. Each look is an attempt of its own, so
nothing is held meanwhile; what it must know is the `progress` that the one before has left in the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, HistoryEventFilterType, WorkflowExecutionStatus
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.update.v1 import Outcome as UpdateOutcome
from temporalio.api.update.v1 import UpdateRef
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    PollWorkflowExecutionUpdateRequest,
)

from adapters.targets.temporal.answers import failure
from adapters.targets.temporal.connection import Session
from adapters.targets.temporal.payloads import decode, explain
from adapters.work import Outcome, Verdict

FIRST_LOOK: Final = 0.25
"""Seconds after the start; each further look comes after twice the time, at most `poll`."""
MOST_RUNS: Final = 20
"""Of one workflow, one continuing the other, that one look goes through."""


class Progress(msgspec.Struct, frozen=True):
    """As it stands in the ledger."""

    workflow_id: str
    run_id: str
    update_id: str = ""
    """Of the update whose result is waited for; empty: the workflow's is."""
    looks: int = 0


class _Closed(NamedTuple):
    event: HistoryEvent
    next_run: str
    """That continues it."""


@dataclass(frozen=True, slots=True)
class Following:
    poll: float

    def wait(self, progress: Progress, status: str = "running") -> Outcome:
        delay = min(self.poll, FIRST_LOOK * 2.0 ** min(progress.looks, 30))
        return Outcome(Verdict.WAITING, retry_after=delay, status=status, progress=msgspec.structs.asdict(progress))

    async def look(self, session: Session, progress: Progress) -> Outcome:
        """Raises RPCError, ConverterError."""
        if progress.update_id:
            return await self._look_for_update(session, progress)
        run_id = progress.run_id
        for _ in range(MOST_RUNS):
            if (closed := await _closed(session, progress.workflow_id, run_id)) is None:
                break
            if not closed.next_run:
                return await _result(session, progress.workflow_id, run_id, closed.event)
            run_id = closed.next_run
        return self.wait(msgspec.structs.replace(progress, run_id=run_id, looks=progress.looks + 1))

    async def _look_for_update(self, session: Session, progress: Progress) -> Outcome:
        execution = WorkflowExecution(workflow_id=progress.workflow_id, run_id=progress.run_id)
        answer = await session.call(
            session.client.workflow_service.poll_workflow_execution_update,
            PollWorkflowExecutionUpdateRequest(
                namespace=session.namespace,
                update_ref=UpdateRef(workflow_execution=execution, update_id=progress.update_id),
                identity=session.identity,
            ),
        )
        if answer.HasField("outcome"):
            return await settled(session, progress.workflow_id, progress.run_id, answer.outcome)
        return self.wait(msgspec.structs.replace(progress, looks=progress.looks + 1))


async def settled(session: Session, workflow_id: str, run_id: str, outcome: UpdateOutcome) -> Outcome:
    """Of an update. Raises ConverterError."""
    converter = session.converter(workflow_id)
    found: dict[str, Any] = {"workflow_id": workflow_id, "run_id": run_id}
    if outcome.HasField("failure"):
        why = await explain(converter, outcome.failure)
        return failure("rejected", f"the update was refused or failed: {why}", {**found, "failure": why})
    found["result"] = await decode(converter, outcome.success.payloads)
    return Outcome(Verdict.DONE, result=found, status="completed")


async def _closed(session: Session, workflow_id: str, run_id: str) -> _Closed | None:
    """How this run ended; None while it runs. Asking for its last event alone would wait for it."""
    execution = WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
    described = await session.call(
        session.client.workflow_service.describe_workflow_execution,
        DescribeWorkflowExecutionRequest(namespace=session.namespace, execution=execution),
    )
    status = described.workflow_execution_info.status
    if status in (
        WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING,
        WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED,
    ):
        return None
    answer = await session.call(
        session.client.workflow_service.get_workflow_execution_history,
        GetWorkflowExecutionHistoryRequest(
            namespace=session.namespace,
            execution=execution,
            history_event_filter_type=HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
        ),
    )
    if not answer.history.events:
        return None  # the next look finds it
    event = answer.history.events[-1]
    attributes = getattr(event, event.WhichOneof("attributes") or "", None)
    return _Closed(event, getattr(attributes, "new_execution_run_id", ""))


async def _result(session: Session, workflow_id: str, run_id: str, event: HistoryEvent) -> Outcome:
    converter = session.converter(workflow_id)
    found: dict[str, Any] = {"workflow_id": workflow_id, "run_id": run_id}
    match event.event_type:
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
            payloads = event.workflow_execution_completed_event_attributes.result.payloads
            return Outcome(
                Verdict.DONE, result={**found, "result": await decode(converter, payloads)}, status="completed"
            )
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
            why = await explain(converter, event.workflow_execution_failed_event_attributes.failure)
            return failure("failed", f"the workflow failed: {why}", {**found, "failure": why})
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
            return failure("timed-out", "the workflow took longer than its timeouts allow", found)
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
            return failure("cancelled", "the workflow was cancelled", found)
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
            why = event.workflow_execution_terminated_event_attributes.reason
            return failure("terminated", f"the workflow was terminated: {why}".rstrip(": "), found)
        case _:
            raise AssertionError(f"a closed workflow ends with {EventType.Name(event.event_type)}")
