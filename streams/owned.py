"""A partition as the agent of one process sees it: whether it is held, how it goes, and what people are shown of it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from streams.log import Lease
from streams.routes import Router
from streams.worker import Worker

PartitionState = Literal["waiting", "running", "failed", "stalled"]


class PartitionView(NamedTuple):
    """What `orchestrator partitions list` shows. Times in microseconds, 0 for never."""

    partition: int
    state: PartitionState
    reason: str
    position: int
    tick: int
    blocked: int
    counts: dict[str, int]
    reasons: dict[str, str]


class Held(NamedTuple):
    """What there is of a partition while this process owns it."""

    lease: Lease
    worker: Worker
    router: Router


class Owned:
    """One partition, as this process sees it."""

    def __init__(self, partition: int, clock: float) -> None:
        self.partition = partition
        self.state: PartitionState = "waiting"
        self.reason = "not owned yet"
        self.held: Held | None = None
        self.renewed = clock
        self.progressed = clock
        self.pause = 0.0
        self.again_at = clock
        self.behind = False
        """Whether there was more than its last turn took."""
        self.caught_up_at: int | None = None
        """Microseconds of the wall clock: everything published before is handled. None while that is not known."""
        self.ticked_at = 0
        """The offset of our last tick: until it is evaluated no other is appended."""
        self.freeing_at = 0
        """The same of our last unpark, where more waited behind a key than is evaluated at once."""

    @property
    def ticking(self) -> Worker | None:
        """The worker, unless the partition is not ours or is importing history, where no wall clock ticks."""
        if self.held is None or self.held.worker.state.importing:
            return None
        return self.held.worker

    def view(self, clock: float, stall: float) -> PartitionView:
        """From any thread. `stall`: seconds without progress after which it counts as stalled."""
        held, state, reason = self.held, self.state, self.reason
        silent = clock - self.progressed
        if state == "running" and silent > stall:
            state, reason = "stalled", f"no progress for {silent:.0f} s"
        if held is None:
            return PartitionView(self.partition, state, reason, 0, 0, 0, {}, {})
        worker = held.worker
        return PartitionView(
            self.partition,
            state,
            reason,
            worker.position,
            worker.state.tick,
            worker.blocked,
            dict(worker.counts),
            dict(worker.reasons),
        )
