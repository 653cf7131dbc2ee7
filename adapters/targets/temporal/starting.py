"""`start`: one workflow for each command.

The request has the command's id, so a server that has the run still knows a repeated one and answers with the same run.
Where it does not (the run was reset, or continued as another), the id of the workflow tells, or what is noted in its
memo.

A command that was redriven starts another run if its workflow has failed: once for each redrive, whose number is in the
request's id and in the memo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import WorkflowType
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy, WorkflowIdReusePolicy
from temporalio.api.errordetails.v1 import WorkflowExecutionAlreadyStartedFailure
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode

from adapters.targets.temporal.answers import failure
from adapters.targets.temporal.connection import Session
from adapters.targets.temporal.following import Following, Progress
from adapters.targets.temporal.marks import FAILED, describe, memo, memo_mark
from adapters.targets.temporal.model import Conflict, Reuse
from adapters.targets.temporal.payloads import encode
from adapters.targets.temporal.plan import Asked, Plan
from adapters.work import Outcome, Verdict, Work

REUSE: Final[dict[Reuse, WorkflowIdReusePolicy.ValueType]] = {
    "allow-duplicate": WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
    "allow-duplicate-failed-only": WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
    "reject-duplicate": WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
}
CONFLICT: Final[dict[Conflict, WorkflowIdConflictPolicy.ValueType]] = {
    "fail": WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
    "use-existing": WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
    "terminate-existing": WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
}


@dataclass(frozen=True, slots=True)
class Starting:
    plan: Plan
    following: Following

    async def deliver(self, session: Session, asked: Asked) -> Outcome:
        """Raises RPCError, ConverterError, TooLargeError."""
        reuse = self.plan.reuse
        last = await self._ours_before(session, asked)
        if last is not None:
            redrive = (await memo_mark(session, last)).redrive
            if last.status not in FAILED or redrive >= session.work.attempts_before:
                return started(self.plan, self.following, asked, last.execution.run_id, "existing")
            reuse = "allow-duplicate-failed-only"
        request = StartWorkflowExecutionRequest(
            request_id=_request_id(session.work),
            workflow_id_conflict_policy=CONFLICT[self.plan.conflict],
            **await start_fields(self.plan, session, asked, reuse),
        )
        try:
            answer = await session.call(session.client.workflow_service.start_workflow_execution, request)
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
            return await self._already_started(session, asked, error)
        return started(self.plan, self.following, asked, answer.run_id, "started" if answer.started else "existing")

    async def _ours_before(self, session: Session, asked: Asked) -> WorkflowExecutionInfo | None:
        """Of a command that was redriven: the newest run, if this command started it."""
        if not session.work.attempts_before:
            return None
        last = await describe(session, asked.workflow_id)
        return last if last is not None and await self._ours(session, last) else None

    async def _ours(self, session: Session, info: WorkflowExecutionInfo) -> bool:
        return self.plan.own_id or (await memo_mark(session, info)).command == session.work.id

    async def _already_started(self, session: Session, asked: Asked, error: RPCError) -> Outcome:
        details = WorkflowExecutionAlreadyStartedFailure()
        for each in error.grpc_status.details:
            each.Unpack(details)
        ours = self.plan.own_id or details.start_request_id == _request_id(session.work)
        if not ours and (info := await describe(session, asked.workflow_id, details.run_id)) is not None:
            ours = await self._ours(session, info)
        if ours:
            return started(self.plan, self.following, asked, details.run_id, "existing")
        why = f"workflow {asked.workflow_id} was started by another command, run {details.run_id}"
        return failure("already-started", why, {"workflow_id": asked.workflow_id, "run_id": details.run_id})


async def start_fields(plan: Plan, session: Session, asked: Asked, reuse: Reuse) -> dict[str, Any]:
    """What requests that start a workflow have in common. Raises ConverterError, TooLargeError."""
    converter = session.converter(asked.workflow_id)
    timeouts = {
        "workflow_execution_timeout": plan.execution_timeout,
        "workflow_run_timeout": plan.run_timeout,
        "workflow_task_timeout": plan.task_timeout,
    }
    return {
        "namespace": session.namespace,
        "identity": session.identity,
        "workflow_id": asked.workflow_id,
        "workflow_type": WorkflowType(name=asked.workflow),
        "task_queue": TaskQueue(name=asked.task_queue),
        "input": await encode(converter, "the workflow's arguments", asked.args),
        "memo": await memo(session, asked.workflow_id),
        "workflow_id_reuse_policy": REUSE[reuse],
        **{name: _duration(seconds) for name, seconds in timeouts.items() if seconds is not None},
    }


def started(plan: Plan, following: Following, asked: Asked, run_id: str, status: str) -> Outcome:
    if plan.wait:
        return following.wait(Progress(asked.workflow_id, run_id), status)
    return Outcome(
        Verdict.DONE,
        result={"workflow_id": asked.workflow_id, "run_id": run_id, "started": status == "started"},
        status=status,
    )


def _request_id(work: Work) -> str:
    return f"{work.id}:{work.attempts_before}" if work.attempts_before else work.id


def _duration(seconds: float) -> Duration:
    found = Duration()
    found.FromMicroseconds(int(seconds * 1e6))
    return found
