"""What we note on workflows and signals, and find there again: whose they are, and of which redrive.

A workflow has it in its memo, which passes the target's converter and is handed on to runs that continue it; a signal
in its header, which does not.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from temporalio.api.common.v1 import Header, Memo, WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.converter import PayloadConverter
from temporalio.service import RPCError, RPCStatusCode

from adapters.targets.temporal.connection import Session
from adapters.targets.temporal.payloads import decode, encode
from adapters.work import Work

COMMAND: Final = "orchestrator-command"
"""The command's id."""
REDRIVE: Final = "orchestrator-redrive"
"""Of a command that was redriven: how many attempts were made before."""
FAILED: Final = frozenset(
    (
        WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED,
        WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED,
        WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED,
        WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
    )
)
"""As servers understand `allow-duplicate-failed-only`."""
_PLAIN: Final = PayloadConverter.default


class Mark(NamedTuple):
    """`command` is empty where nothing is noted."""

    command: str
    redrive: int = 0


async def memo(session: Session, workflow_id: str) -> Memo:
    """Raises ConverterError, TooLargeError."""
    noted = {COMMAND: session.work.id, REDRIVE: session.work.attempts_before or None}
    names = [name for name, value in noted.items() if value is not None]
    found = await encode(session.converter(workflow_id), "the memo", [noted[name] for name in names])
    return Memo(fields=dict(zip(names, found.payloads, strict=True)))


async def memo_mark(session: Session, info: WorkflowExecutionInfo) -> Mark:
    """Raises ConverterError."""
    fields, converter = info.memo.fields, session.converter(info.execution.workflow_id)
    command = await decode(converter, [fields[COMMAND]]) if COMMAND in fields else ""
    redrive = await decode(converter, [fields[REDRIVE]]) if REDRIVE in fields else 0
    return Mark(str(command), redrive if isinstance(redrive, int) else 0)


def header(work: Work) -> Header:
    found = Header(fields={COMMAND: _PLAIN.to_payload(work.id)})
    if work.attempts_before:
        found.fields[REDRIVE].CopyFrom(_PLAIN.to_payload(work.attempts_before))
    return found


def header_redrive(found: Header, work: Work) -> int | None:
    """Of which redrive a signal of this command is; None for a signal that is not."""
    if COMMAND not in found.fields or found.fields[COMMAND].data != _PLAIN.to_payload(work.id).data:
        return None
    return int(_PLAIN.from_payload(found.fields[REDRIVE], int)) if REDRIVE in found.fields else 0


async def describe(session: Session, workflow_id: str, run_id: str = "") -> WorkflowExecutionInfo | None:
    """The newest run where none is named. None if there is none. Raises RPCError."""
    execution = WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
    request = DescribeWorkflowExecutionRequest(namespace=session.namespace, execution=execution)
    try:
        answer = await session.call(session.client.workflow_service.describe_workflow_execution, request)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    return answer.workflow_execution_info
