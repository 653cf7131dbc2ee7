"""`cancel`: asks a workflow to end. To ask twice, or one that is closed, does nothing."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import RequestCancelWorkflowExecutionRequest

from adapters.targets.temporal.connection import Session
from adapters.targets.temporal.plan import Asked
from adapters.work import Outcome, Verdict


@dataclass(frozen=True, slots=True)
class Cancelling:
    async def deliver(self, session: Session, asked: Asked) -> Outcome:
        """Raises RPCError."""
        await session.call(
            session.client.workflow_service.request_cancel_workflow_execution,
            RequestCancelWorkflowExecutionRequest(
                namespace=session.namespace,
                workflow_execution=WorkflowExecution(workflow_id=asked.workflow_id),
                identity=session.identity,
                request_id=session.work.id,
                reason=f"command {session.work.id}",
            ),
        )
        return Outcome(Verdict.DONE, result={"workflow_id": asked.workflow_id}, status="cancel-requested")
