"""`signal` and `signal-with-start`.

A server drops a signal whose request id it knows, as long as it has the run in memory. A `signal-with-start` to a
workflow that was closed meanwhile would start a second one; so when a command comes again, and its workflow is closed,
the history of its last run is looked through for the command's id, which each signal has in a header.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from temporalio.api.common.v1 import Header, WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    SignalWithStartWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest,
)
from temporalio.converter import PayloadConverter
from temporalio.service import RPCError, RPCStatusCode

from adapters.targets.temporal.connection import Session
from adapters.targets.temporal.following import Following
from adapters.targets.temporal.payloads import encode
from adapters.targets.temporal.plan import Asked, Plan
from adapters.targets.temporal.starting import MARK, start_fields, started
from adapters.work import Outcome, Verdict

PAGE: Final = 1_000
MOST_PAGES: Final = 60
"""A server ends a history at some 51,200 events."""


@dataclass(frozen=True, slots=True)
class Signalling:
    async def deliver(self, session: Session, asked: Asked) -> Outcome:
        """Raises RPCError, ConverterError, TooLargeError."""
        request = SignalWorkflowExecutionRequest(
            namespace=session.namespace,
            workflow_execution=WorkflowExecution(workflow_id=asked.workflow_id),
            signal_name=asked.signal,
            input=await encode(session.converter(asked.workflow_id), "the signal's arguments", asked.signal_args),
            identity=session.identity,
            request_id=session.work.id,
            header=_header(session.work.id),
        )
        try:
            await session.call(session.client.workflow_service.signal_workflow_execution, request)
        except RPCError as error:
            # Perhaps it is closed because of this very signal, whose answer was lost.
            if error.status is not RPCStatusCode.NOT_FOUND or not await _run_that_has_it(session, asked.workflow_id):
                raise
        return Outcome(Verdict.DONE, result={"workflow_id": asked.workflow_id}, status="signalled")


@dataclass(frozen=True, slots=True)
class SignallingWithStart:
    plan: Plan
    following: Following

    async def deliver(self, session: Session, asked: Asked) -> Outcome:
        """Raises RPCError, ConverterError, TooLargeError."""
        if run_id := await _run_that_has_it(session, asked.workflow_id):
            return started(self.plan, self.following, asked, run_id, "signalled")
        converter = session.converter(asked.workflow_id)
        request = SignalWithStartWorkflowExecutionRequest(
            signal_name=asked.signal,
            signal_input=await encode(converter, "the signal's arguments", asked.signal_args),
            header=_header(session.work.id),
            **await start_fields(self.plan, session, asked),
        )
        answer = await session.call(session.client.workflow_service.signal_with_start_workflow_execution, request)
        return started(self.plan, self.following, asked, answer.run_id, "started" if answer.started else "signalled")


async def _run_that_has_it(session: Session, workflow_id: str) -> str:
    """The last run of the workflow, if it is closed and was given this command's signal by an earlier attempt; else
    empty. Raises RPCError."""
    if session.work.attempt == 1:
        return ""
    service, execution = session.client.workflow_service, WorkflowExecution(workflow_id=workflow_id)
    try:
        described = await session.call(
            service.describe_workflow_execution,
            DescribeWorkflowExecutionRequest(namespace=session.namespace, execution=execution),
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return ""
        raise
    info = described.workflow_execution_info
    if info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING:
        return ""  # the server knows the request's id
    request = GetWorkflowExecutionHistoryRequest(
        namespace=session.namespace, execution=info.execution, maximum_page_size=PAGE
    )
    mark = _header(session.work.id).fields[MARK].data
    for _ in range(MOST_PAGES):
        page = await session.call(service.get_workflow_execution_history, request)
        if any(_mark(event) == mark for event in page.history.events):
            return info.execution.run_id
        request.next_page_token = page.next_page_token
        if not page.next_page_token:
            break
    return ""


def _header(command_id: str) -> Header:
    """Never encoded by the target's converter, as headers are not."""
    return Header(fields={MARK: PayloadConverter.default.to_payload(command_id)})


def _mark(event: HistoryEvent) -> bytes:
    fields = event.workflow_execution_signaled_event_attributes.header.fields
    return fields[MARK].data if MARK in fields else b""
