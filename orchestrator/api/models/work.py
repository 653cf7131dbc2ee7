"""Work for workers elsewhere: taken by lease, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema

from adapters.ledger import State
from adapters.target_file import seconds
from orchestrator.api.models.common import MOST, WHOLE, Moment
from orchestrator.api.route import Asked, Shown

SHORTEST_LEASE: Final = 1.0
LONGEST_LEASE: Final = 600.0
LONGEST_WAIT: Final = 30.0
LONGEST_NAME: Final = 200
"""Characters of a worker's name."""
_LONGEST_TIME: Final = 1e6
"""Seconds, of an attempt."""


_Duration: TypeAlias = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,6}(us|ms|s|m|h)$"}),
]
LeaseTime: TypeAlias = Annotated[
    _Duration,
    Field(ge=SHORTEST_LEASE, le=LONGEST_LEASE, description="From 1s to 10m.", json_schema_extra={"default": "30s"}),
]
Verdict: TypeAlias = Literal["done", "retry", "final", "returned", "deferred", "waiting"]
Token: TypeAlias = Annotated[str, Field(max_length=200, description="As it was given with the command.")]
Worker: TypeAlias = Annotated[
    str, Field(max_length=LONGEST_NAME, description="The name of the worker, for people; else its address.")
]
Status: TypeAlias = Annotated[
    str, Field(max_length=100, description="The target's own word for it: `503`, `timeout`. Of few different values.")
]
Took: TypeAlias = Annotated[
    float | None, Field(ge=0, le=_LONGEST_TIME, description="Seconds that the attempt took; else since the lease.")
]
Reason: TypeAlias = Annotated[str, Field(max_length=10_000, description="Why it is not done, for people.")]
RetryAfter: TypeAlias = Annotated[
    _Duration | None,
    Field(description="Not before this time, such as 5s; needed for `deferred` and `waiting`. At most a day counts."),
]
Result: TypeAlias = Annotated[Any, Field(description="What the target answered; at most 64 KiB are kept.")]
Progress: TypeAlias = Annotated[
    Any, Field(description="What the next attempt is told, at most 64 KiB; null keeps what there is.")
]


class LeaseAsked(Asked):
    target: str = Field(description="the name of a target with `deliver: workers`, or of the kind `worker`")
    limit: Annotated[int, Field(ge=1, le=MOST), WHOLE] = Field(25, description="How many commands at most.")
    lease: LeaseTime = 30.0
    wait: Annotated[
        _Duration,
        Field(ge=0, le=LONGEST_WAIT, description="For the first one, up to 30s.", json_schema_extra={"default": "0s"}),
    ] = 0.0
    worker: Worker = ""


class Leased(Shown):
    id: str = Field(description="Of the command; the same at every attempt.")
    token: str = Field(description="Names this lease: to be sent with what became of the command.")
    attempt: int
    attempts_before: int = Field(0, description="Attempts that were made before it was last redriven.")
    deadline: Moment = Field(description="When the lease runs out, and somebody else may be given the command.")
    target: str
    command: dict[str, Any] = Field(description="What was decided: the same at every attempt.")
    headers: dict[str, str] = Field(description="To be sent along, where the target's protocol has headers.")
    timeout: float | None = Field(description="Seconds that this attempt may take; null: as the target says.")
    progress: Any = Field(None, description="What an earlier attempt left.")


class Leases(Shown):
    commands: list[Leased] = Field(description="None, if there were none within `wait`.")


class Acked(Asked):
    token: Token
    result: Result = None
    status: Status = ""
    took: Took = None
    worker: Worker = ""


class Failed(Asked):
    token: Token
    reason: Reason
    final: bool = Field(False, description="It will never succeed as it is: the same as the verdict `final`.")
    verdict: Literal["retry", "final", "returned", "deferred", "waiting"] | None = Field(
        None, description="Goes before `final`. Without both: `retry`."
    )
    retry_after: RetryAfter = None
    status: Status = ""
    took: Took = None
    result: Result = None
    progress: Progress = None
    worker: Worker = ""


class Extended(Asked):
    token: Token
    lease: LeaseTime = 30.0
    worker: Worker = ""


class Outcome(Asked):
    id: str = Field(max_length=200)
    token: Token
    verdict: Verdict
    reason: Reason = ""
    retry_after: RetryAfter = None
    status: Status = ""
    took: Took = None
    result: Result = None
    progress: Progress = None


class Outcomes(Asked):
    outcomes: list[Outcome] = Field(max_length=MOST)
    worker: Worker = ""


class Settled(Shown):
    id: str
    state: State = Field(description="Of the command, now that this is stored.")


class Held(Shown):
    id: str
    token: str
    deadline: Moment


class OutcomeAnswer(Shown):
    """With `state`, or with `error` and `detail`."""

    id: str
    state: State | None = None
    error: str | None = Field(None, description="The code that the one outcome would be refused with.")
    detail: str | None = None


class OutcomeAnswers(Shown):
    answers: list[OutcomeAnswer] = Field(description="In the order of the outcomes.")
