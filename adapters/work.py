"""The one interface between delivery and those who deliver: take work by lease, say what became of it.

In process the pool of each target uses it (`workers.py`); over HTTP, workers in any language will. So nothing here
knows a transport, an event loop's task or the log. A lease that runs out without an answer is given to somebody else,
with the same id: targets see a command at least once.
"""

from __future__ import annotations

import asyncio
import enum
from typing import Any, NamedTuple, Protocol

import msgspec


class Work(NamedTuple):
    """One attempt at one command. `id`, `attempt` and `leased_at` together name the lease: an attempt that was given
    back untried is given away again under the same number."""

    id: str
    attempt: int
    """From 1; attempts before a redrive count on."""
    target: str
    body: bytes
    """The command as JSON, as in OUT of RULES.md §13: the same bytes at every attempt."""
    deadline: int
    """Microseconds since 1970, when the lease runs out."""
    partition: int
    timeout: float = 0.0
    """Seconds that this attempt may take; 0: as the target says."""
    headers: tuple[tuple[str, str], ...] = ()
    """To be sent along, where the target's protocol has headers: a trace context. They say nothing of the command."""
    progress: bytes = b""
    """JSON that an earlier attempt left (`Outcome.progress`); empty for none."""
    leased_at: int = 0
    """Microseconds since 1970; of one command's leases, each later one is later by it."""
    attempts_before: int = 0
    """How many attempts were made before it was last redriven; 0: it was not. So it names the redrive, of those that
    something was sent in, and only grows."""


class Verdict(enum.StrEnum):
    DONE = "done"
    RETRY = "retry"
    """May succeed later: tried again until the target's retry policy gives up."""
    FINAL = "final"
    """Will never succeed as it is: parked."""
    RETURNED = "returned"
    """Given back untried: another takes it at once, and no attempt is counted."""
    DEFERRED = "deferred"
    """Given back untried for `retry_after` seconds, because of a limit of the target's: no attempt is counted."""
    WAITING = "waiting"
    """The target has taken it, and what comes of it is asked for again after `retry_after` seconds, with the
    `progress` that was left. No attempt is counted but the one that reached the target."""
    HELD = "held"
    """No outcome yet: the lease is to last for `retry_after` seconds more. Said by workers elsewhere only."""


class Outcome(msgspec.Struct, frozen=True):
    verdict: Verdict
    reason: str = ""
    """Why it is not done, for people."""
    result: Any = None
    """JSON values: what the target answered."""
    retry_after: float | None = None
    """Seconds, where the target asked for a time."""
    status: str = ""
    """The target's own word for it: `503`, `timeout`, `UNAVAILABLE`. Short, and of few different values."""
    took: float | None = None
    """Seconds that the attempt took, where it is known."""
    progress: Any = None
    """JSON values for the next attempt: what is known so far. None keeps what there is."""


RETURNED = Outcome(Verdict.RETURNED)
BROKEN_OFF = Outcome(Verdict.RETRY, "the process that sent it stopped meanwhile")


class WorkSource(Protocol):
    """What a worker needs. Bounded by its caller: who leases no more than it can do holds no more."""

    async def lease(self, target: str, limit: int, ttl: float, wait: float) -> list[Work]:
        """Up to `limit` commands for this target, for `ttl` seconds each. Waits for the first at most `wait` seconds,
        then answers with none."""
        ...

    def acknowledge(self, work: Work, outcome: Outcome) -> asyncio.Future[bool | None]:
        """Noted at once; the answer comes when it is stored. False if the lease was not held any more and the outcome
        changed nothing: somebody else was given the command, or its fate is settled. None if the partition was lost
        before that was known."""
        ...
