"""Commands: what was decided and what became of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from adapters.ledger import State
from orchestrator.api.models.common import MOST, Cursor, Limit, Moment, Next
from orchestrator.api.route import Asked, Shown


class CommandsQuery(Asked):
    state: State | None = Field(None, description="Only those in this state.")
    to: str | None = Field(None, description="Only those to this target.")
    rule: str | None = Field(None, description="Only those of this rule.")
    key: str | None = Field(None, description="Only those of this key.")
    since: Moment | None = Field(None, description="Only those whose firing time is not before.")
    until: Moment | None = Field(None, description="Only those whose firing time is before.")
    limit: Limit = 100
    cursor: Cursor | None = None


class Command(Shown):
    id: str
    command: str
    to: str
    rule: str
    key: str
    at: Moment | None = Field(description="The firing time; null beyond the year 9999.")
    cause: str = Field(description="The id of the event that caused it.")
    args: dict[str, Any]
    shadow: bool = False
    state: State
    attempts: int
    last_error: str | None
    next_at: Moment | None
    first_attempt_at: Moment | None
    last_attempt_at: Moment | None
    lease_until: Moment | None
    waits_for: str | None = Field(None, description="The command that it stands behind, where it is to keep order.")
    result: Any = Field(description="What the target answered.")
    timeout: float | None = Field(None, description="Seconds that one attempt may take.")
    expires_at: Moment | None = None
    order: Literal["key"] | None = None
    fallback: list[dict[str, Any]] = Field([], description="What is put out in its stead.")


class Attempt(Shown):
    number: int
    at: Moment | None
    seconds: float
    outcome: str = Field(description="done, retry, final, waiting or lease_expired.")
    status: str | None = Field(description="The target's own word for it, such as 503.")
    reason: str | None


class CommandAlone(Command):
    history: list[Attempt] = Field(description="Its attempts: the first, and the newest 49.")


class Commands(Shown):
    commands: list[Command]
    next: Next


class Ids(Asked):
    ids: list[str] = Field(min_length=1, max_length=MOST, description="the ids of commands")


class Redriven(Shown):
    redriven: int


class Cancel(Ids):
    reason: str = Field(
        "cancelled by hand", min_length=1, max_length=1_000, description="Kept with the command, and told to rules."
    )


class Cancelled(Shown):
    cancelled: int = Field(description="Fewer than asked for, if some were sent or ended meanwhile.")


class Expire(Ids):
    reason: str = Field(
        "expired by hand", min_length=1, max_length=1_000, description="Kept with the command, and told to rules."
    )


class Expired(Shown):
    expired: int = Field(description="Fewer than asked for, if some were sent or ended meanwhile.")
