"""`update`: the update has the command's id, and a workflow's run does one id once. Done when the workflow has accepted
it, or with its result; a worker must be there for either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import UpdateWorkflowExecutionLifecycleStage as Stage
from temporalio.api.update.v1 import Input, Meta, Request, WaitPolicy
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode

from adapters.targets.temporal.answers import failure
from adapters.targets.temporal.connection import Session
from adapters.targets.temporal.following import Following, Progress, settled
from adapters.targets.temporal.payloads import encode
from adapters.targets.temporal.plan import Asked, Plan
from adapters.work import Outcome, Verdict

SHARE: Final = 0.8
"""Of the attempt's time that the server may wait for a worker."""
_LATE: Final = (RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED)


@dataclass(frozen=True, slots=True)
class Updating:
    plan: Plan
    following: Following

    async def deliver(self, session: Session, asked: Asked) -> Outcome:
        """Raises RPCError, ConverterError, TooLargeError."""
        arguments = await encode(session.converter(asked.workflow_id), "the update's arguments", asked.update_args)
        request = UpdateWorkflowExecutionRequest(
            namespace=session.namespace,
            workflow_execution=WorkflowExecution(workflow_id=asked.workflow_id),
            wait_policy=WaitPolicy(lifecycle_stage=Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED),
            request=Request(
                meta=Meta(update_id=session.work.id, identity=session.identity),
                input=Input(name=asked.update, args=arguments),
            ),
        )
        late = failure("not-accepted", f"no worker has looked at the update of workflow {asked.workflow_id}")
        try:
            answer = await session.call(
                session.client.workflow_service.update_workflow_execution, request, session.limit * SHARE
            )
        except RPCError as error:
            if error.status not in _LATE:
                raise
            return late
        run_id = answer.update_ref.workflow_execution.run_id
        if answer.HasField("outcome"):
            return await settled(session, asked.workflow_id, run_id, answer.outcome)
        if answer.stage < Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED:
            return late
        if self.plan.wait:
            return self.following.wait(Progress(asked.workflow_id, run_id, session.work.id), "accepted")
        return Outcome(Verdict.DONE, result={"workflow_id": asked.workflow_id, "run_id": run_id}, status="accepted")
