"""The agent: holds its share of the partitions, and lets a worker evaluate each, until it is told to stop.

One thread drives all partitions of a process. A turn of a partition is one read (a few commits), then its forwards
leave. Partitions of which a little is to be expected take their turns together (`streams/talk.py`): on a log that is
round trips away a round costs a few of them, not a few for each. One that is behind takes a long turn by itself after
that. Where something is due that the clock has passed, the agent appends a tick (`streams/ticks.py`). Between turns,
and while it takes a partition, the agent says that it lives and renews its leases: a round may take longer than a lease
lasts. Stopping finishes the batch at hand, commits and releases. What fails is kept as the partition's state with its
reason, shown in `views`, and tried again after a pause that doubles.

Clock: the log's, in microseconds; `monotonic` seconds, handed in, for pauses and leases.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from streams.event import UNPARKED, control
from streams.log import AGENT, Append, Lease, Log, LogError, LogFull
from streams.outputs import Output
from streams.owned import Held, Owned, PartitionState, PartitionView
from streams.ownership import Ownership
from streams.processor import Processor
from streams.routes import Router
from streams.state import NEVER
from streams.talk import Talk, alone, lead
from streams.ticks import TICK_PAUSE, Ticks
from streams.worker import Fenced, Worker

SECOND: Final = 1_000_000
GATHER: Final = 0.000_25
"""Seconds of pause after a round for each event that it handled."""
LITTLE: Final = 256
"""Events that a partition takes at most, about, in a turn together with others."""
RETRY: Final = 0.1
"""Seconds until a partition that its holder has not given back yet is asked for again."""
ELSEWHERE: Final = "another process's share"
HELD: Final = "another process owns it"
FORKED: Final = "the log lost events: what is stored is read again"
LOST: Final = "partition {}: the lease ran out and somebody else took it"


@dataclass(frozen=True, slots=True)
class AgentOptions:
    lease: float = 10.0
    """Seconds that ownership lasts without a commit or a renewal."""
    page: int = 5000
    """Events of one read, and so of one commit, at most about."""
    cache: int = 512 * 1024 * 1024
    """Bytes for cells, shared by the partitions."""
    tick_delay: int = SECOND
    """Microseconds that ticks stay behind the wall clock, beside the rule set's lateness."""
    tick_limit: int = 5000
    """Deadlines that one tick fires at most: the bound of one commit."""
    tick_interval: int = SECOND // 20
    """Microseconds between two ticks of a partition, so that many deadlines that follow each other closely share a
    commit."""
    gather: float = 0.01
    """Seconds of pause after a round at most, so that fewer commits carry more events."""
    stall: float = 60.0
    """Seconds without progress, while events wait, after which a partition counts as stalled."""
    longest_pause: float = 30.0


class Agent:
    def __init__(
        self,
        log: Log,
        owner: str,
        processors: Callable[[str], Processor],
        *,
        monotonic: Callable[[], float],
        options: AgentOptions | None = None,
        committed: Callable[[int], None] | None = None,
        failed: Callable[[str, BaseException], None] | None = None,
    ) -> None:
        """`owner` is the name of this member, which no other has. `committed` is told the partition of a commit, and
        `failed` where and what, in the agent's thread. They must not block."""
        self._log = log
        self._owner = owner
        self._processors = processors
        self._now = log.now
        self._monotonic = monotonic
        self._options = options or AgentOptions()
        self._on_committed = committed
        self._on_failed = failed
        self._partitions = [Owned(number, monotonic()) for number in range(log.info.partitions)]
        self._ownership = Ownership(log, owner, AGENT, lease=self._options.lease, monotonic=monotonic)
        self._forks = len(log.forks)
        self._news = False
        """Whether something was handled since the last beat."""
        self._beat_again_at = 0.0
        self._ticks = Ticks(
            log,
            delay=self._options.tick_delay,
            limit=self._options.tick_limit,
            interval=self._options.tick_interval,
            monotonic=monotonic,
            failed=self._tell,
        )
        self._handled = 0
        """Events, in the round at hand."""
        self.settled = False
        """Whether a round has ended: every partition that could be had is ours."""

    # ------------------------------------------------------------ life

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set. Failures of single partitions do not end it; they are in `views`."""
        try:
            while not stop.is_set():
                self._handled = 0
                moved = self.round(stop)
                self.settled = True
                if moved:
                    # The busier it is the longer, up to a backlog: what comes meanwhile shares its commits.
                    if self._handled < self._options.page:
                        stop.wait(min(self._handled * GATHER, self._options.gather))
                else:
                    self._rest(stop)
        finally:
            self.leave()

    def round(self, stop: threading.Event | None = None) -> bool:
        """A turn of each partition that has something to do, and ticks where something is due; whether anything was
        done. For those who drive it themselves."""
        self._beat()
        begun = self._now()
        busy = self._hand_over()
        apart = [owned for owned in self._partitions if owned.held is None or owned.behind]
        busy = self._turns([owned for owned in self._partitions if owned not in apart], begun) or busy
        for owned in apart:
            busy = self._turn(owned, begun) or busy
            self._beat()
            if stop is not None and stop.is_set():
                return True
        self._news |= busy
        return self._ticks.append(self._partitions, self._ownership.caught_up) or busy

    def _beat(self) -> None:
        """Says and hears who lives, and renews leases, if it is time to."""
        self._live()
        if len(self._log.forks) > self._forks:
            self._forks = len(self._log.forks)
            for owned in self._partitions:
                if owned.held is not None:
                    self._drop(owned, "waiting", FORKED)
        clock = self._monotonic()
        for owned in self._partitions:
            held = owned.held
            if held is not None and self._due_for_renewal(owned, clock):
                try:
                    if not held.router.save():
                        raise Fenced(LOST.format(owned.partition))
                    self._renew(owned, held.lease)
                except Exception as error:
                    self._failed(owned, error)

    def _live(self) -> None:
        clock = self._monotonic()
        if clock < self._beat_again_at:
            return
        moments = {owned.partition: owned.caught_up_at for owned in self._partitions if owned.caught_up_at is not None}
        try:
            if not self._ownership.beat(moments, self._news):
                return
        except LogError as error:
            self._beat_again_at = clock + TICK_PAUSE
            self._tell("members", error)
            return
        self._news = False
        for owned in self._partitions:
            if owned.held is None and owned.partition not in self._ownership.share:
                owned.state, owned.reason = "waiting", ELSEWHERE

    def _due_for_renewal(self, owned: Owned, clock: float) -> bool:
        return clock - owned.renewed > self._options.lease / 3

    def _renew(self, owned: Owned, lease: Lease) -> None:
        clock = self._monotonic()
        if not self._log.renew(lease, self._options.lease):
            raise Fenced(LOST.format(owned.partition))
        owned.renewed = clock

    def _hand_over(self) -> bool:
        """Gives one partition that became another member's share to it; whether there was one."""
        for owned in self._partitions:
            held = owned.held
            if held is not None and self._ownership.members and owned.partition not in self._ownership.share:
                self._give_back(owned, held, ELSEWHERE)
                return True
        return False

    @property
    def partitions(self) -> list[int]:
        """Those it holds. May be called from any thread."""
        return [owned.partition for owned in self._partitions if owned.held is not None]

    def views(self) -> list[PartitionView]:
        """May be called from any thread."""
        return [owned.view(self._monotonic(), self._options.stall) for owned in self._partitions]

    # ------------------------------------------------------------ turns

    def _turns(self, together: Sequence[Owned], begun: int) -> bool:
        """Of partitions that are held, as far as a little goes; whether something was done. `begun`: a moment before
        the log was asked what there is."""
        clock = self._monotonic()
        begin = {owned.partition: (owned, owned.held) for owned in together if owned.held is not None}
        talks = {number: self._work(*pair, clock, begun, LITTLE) for number, pair in begin.items()}
        busy = False
        for number, outcome in lead(
            self._log, talks, self._beat, lambda number: begin[number][0].held is begin[number][1]
        ):
            if isinstance(outcome, Exception):
                self._failed(begin[number][0], outcome)
            else:
                busy |= outcome
        return busy

    def _turn(self, owned: Owned, begun: int) -> bool:
        """The same of one partition, which is taken first if it can be had, as far as a page goes."""
        clock = self._monotonic()
        if clock < owned.again_at or (owned.held is None and owned.partition not in self._ownership.share):
            return False
        try:
            held = owned.held or self._take(owned)
            if held is None:
                owned.again_at = clock + min(RETRY, self._options.lease / 3)
                return False
            return alone(self._log, self._work(owned, held, clock, begun, self._options.page))
        except Exception as error:
            self._failed(owned, error)
        return False

    def _failed(self, owned: Owned, error: Exception) -> None:
        """Keeps it as the partition's state, reports it, and sees to it that it is tried again."""
        if isinstance(error, Fenced):
            self._drop(owned, "waiting", str(error))
            return
        self._drop(owned, "failed", f"{type(error).__name__}: {error}")
        owned.pause = min(self._options.longest_pause, owned.pause * 2 or 0.1)
        owned.again_at = self._monotonic() + owned.pause
        self._tell(f"partition {owned.partition}", error)

    def _take(self, owned: Owned) -> Held | None:
        owned.renewed = self._monotonic()
        lease = self._log.acquire(owned.partition, self._owner, self._options.lease)
        if lease is None:
            owned.state, owned.reason = "waiting", HELD
            return None
        router = Router(self._log, lease)
        router.start()

        def committed(first: int, outputs: list[Output]) -> None:
            router.send(first, outputs)
            if self._on_committed is not None:
                self._on_committed(owned.partition)

        forks = self._forks

        def meanwhile() -> None:
            self._beat()
            if self._forks > forks:
                raise Fenced(FORKED)
            if self._due_for_renewal(owned, self._monotonic()):
                self._renew(owned, lease)

        worker = Worker(
            self._log,
            lease,
            self._processors,
            budget=self._options.cache // len(self._partitions),
            committed=committed,
            meanwhile=meanwhile,
        )
        held = owned.held = Held(lease, worker, router)
        owned.state, owned.reason = "running", ""
        owned.progressed = self._monotonic()
        return held

    def _work(self, owned: Owned, held: Held, clock: float, begun: int, limit: int) -> Talk[bool]:
        done = yield from held.worker.turn(min(limit, self._options.page))
        owned.behind = not held.worker.caught_up
        if held.worker.caught_up:
            owned.caught_up_at = begun
        self._free(owned, held.worker)
        self._handled += done
        if done:
            owned.renewed = owned.progressed = clock
            owned.pause = 0.0
            owned.state, owned.reason = "running", ""
            return True
        owned.progressed = clock
        return False

    def _free(self, owned: Owned, worker: Worker) -> None:
        """What waits behind a key is evaluated in bounded commits: the next one follows."""
        if worker.freed is not None and worker.position >= owned.freeing_at:
            event = control(UNPARKED, {}, time=self._now(), key=worker.freed)
            try:
                (answer,) = self._log.append([Append(owned.partition, [event], follows=True)])
            except LogFull:
                return
            owned.freeing_at = answer.offset

    # ------------------------------------------------------------ rest

    def _rest(self, stop: threading.Event) -> None:
        """Waits for an event, but no longer than until the next beat or the next deadline."""
        longest = max(self._ownership.wait, 0.01)
        if any(owned.held is None and owned.partition in self._ownership.share for owned in self._partitions):
            longest = min(longest, RETRY)
        now = self._now()
        for owned in self._partitions:
            worker = owned.ticking
            if worker is None or worker.processor is None:
                continue
            due = worker.due.nearest()
            if due < NEVER:
                due = max(due, worker.state.tick + self._options.tick_interval)
                wait = (due + worker.processor.lateness + self._options.tick_delay - now) / SECOND
                longest = min(longest, max(wait, 0.01))
        tails = {owned.partition: owned.held.worker.position for owned in self._partitions if owned.held is not None}
        if tails:
            try:
                self._log.follow(tails, longest)
            except LogError:
                stop.wait(longest)  # each partition will find out for itself, and say so
        else:
            stop.wait(longest)

    # ------------------------------------------------------------ ends

    def _drop(self, owned: Owned, state: PartitionState, reason: str) -> None:
        owned.held = None
        owned.behind = False
        owned.caught_up_at = None
        owned.ticked_at = owned.freeing_at = 0
        owned.state, owned.reason = state, reason

    def _give_back(self, owned: Owned, held: Held, reason: str) -> None:
        self._drop(owned, "waiting", reason)
        try:
            held.router.save()
            self._log.release(held.lease)
        except LogError as error:
            self._tell(f"partition {owned.partition}", error)

    def leave(self) -> None:
        """Releases what is owned."""
        try:
            self._ownership.leave()
        except LogError as error:
            self._tell("members", error)
        for owned in self._partitions:
            if owned.held is not None:
                self._give_back(owned, owned.held, "stopped")

    def _tell(self, where: str, error: BaseException) -> None:
        if self._on_failed is not None:
            self._on_failed(where, error)
