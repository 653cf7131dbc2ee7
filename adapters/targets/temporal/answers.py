"""What an answer of a Temporal server means for a command: one table, which the documentation shows as it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from temporalio.service import RPCError, RPCStatusCode

from adapters.work import Outcome, Verdict

BUSY: Final = 5.0
"""Seconds to leave a server alone that says it has too much to do."""


@dataclass(frozen=True, slots=True)
class Answer:
    verdict: Verdict
    meaning: str


_CODE = RPCStatusCode
ANSWERS: Final = {
    _CODE.UNAVAILABLE: Answer(Verdict.RETRY, "the server cannot be reached, or is starting"),
    _CODE.RESOURCE_EXHAUSTED: Answer(Verdict.RETRY, "a limit of the server or the namespace: not before 5 s"),
    _CODE.DEADLINE_EXCEEDED: Answer(Verdict.RETRY, "no answer in time"),
    _CODE.CANCELLED: Answer(Verdict.RETRY, "no answer in time, as some servers say it"),
    _CODE.ABORTED: Answer(Verdict.RETRY, "two requests met"),
    _CODE.INTERNAL: Answer(Verdict.RETRY, "a fault of the server"),
    _CODE.UNKNOWN: Answer(Verdict.RETRY, "a fault of the server, or of something before it"),
    _CODE.DATA_LOSS: Answer(Verdict.RETRY, "a fault of the server's storage"),
    _CODE.INVALID_ARGUMENT: Answer(Verdict.FINAL, "a name, an id or a policy that the server refuses"),
    _CODE.NOT_FOUND: Answer(Verdict.FINAL, "no such namespace or workflow, or the workflow is closed"),
    _CODE.ALREADY_EXISTS: Answer(Verdict.FINAL, "another's workflow has the id, and the policies forbid another"),
    _CODE.PERMISSION_DENIED: Answer(Verdict.FINAL, "the key or certificate may not do that"),
    _CODE.UNAUTHENTICATED: Answer(Verdict.FINAL, "the key or certificate is not known"),
    _CODE.FAILED_PRECONDITION: Answer(Verdict.FINAL, "the workflow or the namespace does not allow it now"),
    _CODE.UNIMPLEMENTED: Answer(Verdict.FINAL, "the server does not know the operation: it is too old"),
    _CODE.OUT_OF_RANGE: Answer(Verdict.FINAL, "a value that the server refuses"),
}
"""By the status code of gRPC."""
FAILURES: Final = {
    "connect": Answer(Verdict.RETRY, "no connection within 5 s: name, port, TLS or certificate"),
    "timeout": Answer(Verdict.RETRY, "no answer within `timeout`"),
    "not-accepted": Answer(Verdict.RETRY, "an update that no worker has looked at"),
    "converter": Answer(Verdict.RETRY, "the data converter failed"),
    "too-large": Answer(Verdict.FINAL, "the arguments have more than 2 MB when they are encoded, or an id 1,000 bytes"),
    "template": Answer(Verdict.FINAL, "an id, a name or an argument cannot be made of this command"),
    "already-started": Answer(Verdict.FINAL, "`start`: a workflow that another command started has the id"),
    "rejected": Answer(Verdict.FINAL, "an update that the workflow's validator refused, or that failed"),
    "failed": Answer(Verdict.FINAL, "`wait: result`: the workflow failed"),
    "timed-out": Answer(Verdict.FINAL, "`wait: result`: the workflow took longer than its own timeouts"),
    "cancelled": Answer(Verdict.FINAL, "`wait: result`: the workflow was cancelled"),
    "terminated": Answer(Verdict.FINAL, "`wait: result`: the workflow was terminated"),
}
"""Where there is no code: what stands for it as the status of an attempt."""


def outcome_of(error: RPCError) -> Outcome:
    """Every code but OK, which is none of an error."""
    verdict = ANSWERS[error.status].verdict
    wait = BUSY if error.status is _CODE.RESOURCE_EXHAUSTED else None
    reason = f"{error.status.name}: {error.message}".rstrip(": ")
    return Outcome(verdict, reason, retry_after=wait, status=error.status.name)


def failure(name: str, reason: str, result: object = None) -> Outcome:
    return Outcome(FAILURES[name].verdict, reason, result, status=name)
