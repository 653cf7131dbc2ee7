"""What goes into a turn of delivery and what comes out of it (`processor.py`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from adapters.ledger import State
from adapters.work import Outcome, Work
from streams.state import NEVER


@dataclass(frozen=True, slots=True)
class Bounds:
    page: int = 500
    """Outputs read in one turn, about."""
    capacity: int = 4_096
    """Keys in memory for each target."""
    scan: int = 20_000
    """Rows read in one turn while looking for a target's work on disk."""
    unsaved: int = 10_000
    """Outputs that are no commands, read without a commit to say so."""
    kept: int = 0
    """Microseconds for which commands stay in the ledger after their end; 0: for good."""
    lent: int = 10_000
    """Commands of a partition that may be with workers elsewhere."""


class Want(NamedTuple):
    """A wish for work: at most `limit` commands of this target, each for `ttl` seconds."""

    target: str
    limit: int
    ttl: float
    outside: bool = False
    """For workers elsewhere, whose leases outlive the owner of the partition."""


class Told(NamedTuple):
    """What became of a command when an acknowledgement was stored."""

    state: State
    target: str
    deadline: int
    """When the lease runs out, microseconds; of interest where it was prolonged."""


@dataclass(eq=False, slots=True)
class Ack:
    """Compared by identity: two answers to one lease are two."""

    work: Work
    outcome: Outcome
    fenced: bool = False
    """Whether it counts for nothing without the lease, even if the command was done."""
    told: Told | None = None
    """None also if it was refused."""
    weighed: bool = False
    """Whether the target's gate knows of it: a turn that failed is taken again, and an attempt counts once."""


@dataclass(slots=True)
class Turn:
    works: list[Work] = field(default_factory=list)
    answers: list[tuple[Ack, bool]] = field(default_factory=list)
    """Acknowledgements that are stored now, of this turn or one before, and whether they changed anything."""
    counts: dict[str, int] = field(default_factory=dict)
    """`WHAT|TARGET`, where WHAT is taken_in, done, retried, parked, returned, lease_expired, expired, redriven or
    cancelled."""
    ready: frozenset[str] = frozenset()
    """Targets that have more to do at once."""
    next_at: int = NEVER
    """When something will be due without anybody calling, microseconds."""
    more: bool = False
    """There is more to read: take another turn."""

    def merge(self, other: Turn) -> None:
        """Adds what `other` did."""
        self.works += other.works
        self.answers += other.answers
        for name, count in other.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
