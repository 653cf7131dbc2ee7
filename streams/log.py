"""The contract of a log, kept by every backend and tested by one conformance suite (`tests/conformance`).

A log has partitions. Each holds *events* (offsets from 1, strictly increasing) and *outputs* (numbers from 1,
gapless), and for each *processor* (rules, delivery, …) a position and state rows. The right to commit is a lease of a
partition in a *role*: who evaluates it (`agent`) and who delivers from it (`delivery`) may be different processes; who
imports history (`import`) holds partition 0.

Promised: an event that `append` answered for is in the log, once for its producer's sequence; its offset is drawn
inside the append, so no reader sees a later event before an earlier one; a commit happens whole or not at all, and
only under the newest epoch of its role. Not promised: order across partitions; gapless offsets (Kafka's have gaps);
that what is appended is on disk (ask `durable`); that two calls of different threads come in any order.

Calls block, and may come from any thread. They raise `LogFull` (append only), `LogUnavailable` when the backend cannot
be reached within its time limit (the call may or may not have happened: repeat it), `LogDamaged` when stored bytes are
not what was written. Times are microseconds, durations seconds.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from streams.event import Event
from streams.outputs import Output
from streams.state import Change


class LogError(Exception):
    """Something is wrong with the log; the text says what and what to do."""


class LogUnavailable(LogError):
    pass


class LogDamaged(LogError):
    pass


class LogFull(LogError):
    """The log takes no more until its readers have caught up."""

    def __init__(self, reason: str, retry_after: float = 1.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Code(enum.StrEnum):
    """How a commit ended."""

    COMMITTED = "committed"
    DONE = "done"
    """The same commit arrived before and its answer was lost: success."""
    FENCED = "fenced"
    """Somebody else owns the partition now: stop working on it."""
    MISMATCH = "mismatch"
    """The position is neither `start` nor `end`: what was computed is not based on what is stored."""


class LogInfo(NamedTuple):
    id: str
    """Drawn when the log was made."""
    generation: int
    """Begins at 1; one more with each fork."""
    partitions: int


class Fork(NamedTuple):
    """The log lost events that it had answered for: those beyond `offset`, whose offsets were given anew. A position of
    an older generation in this partition is good up to `offset` only."""

    generation: int
    """The one that began with it."""
    partition: int
    offset: int
    at: int
    """Microseconds, by the log's clock."""


Role = Literal["agent", "delivery", "import"]
AGENT: Final = "agent"
DELIVERY: Final = "delivery"
IMPORT: Final = "import"


def role_of(processor: str) -> Role:
    """Whose lease a commit of this processor needs."""
    return DELIVERY if processor == DELIVERY else IMPORT if processor == IMPORT else AGENT


class Append(NamedTuple):
    """Events for one partition. With a producer, each event has a sequence, strictly increasing (gaps allowed):
    events at or below the producer's last sequence in that partition are there already and are not stored again."""

    partition: int
    events: Sequence[Event]
    producer: str = ""
    sequences: Sequence[int] = ()
    follows: bool = False
    """It follows from events that are in the log, or says how they are read (ticks, too): not refused because a reader
    lags or memory runs short, or what is there could never be done with. A full disk refuses it."""


class Appended(NamedTuple):
    """`offset` of the last event stored (0 if all were known), `stored` and `known` counts. In a gapless log the
    stored ones have the offsets `offset - stored + 1 … offset`; they are always the last `stored` of the request."""

    offset: int
    stored: int
    known: int = 0


class Batch(NamedTuple):
    """Events in order, with their offsets."""

    offsets: Sequence[int]
    events: list[Event]


class Lease(NamedTuple):
    """The right to commit to a partition in a role. The epoch only grows and survives release: a stale owner never
    matches."""

    partition: int
    owner: str
    epoch: int
    role: Role = AGENT


class Beat(NamedTuple):
    """Who lives, and how far they are."""

    members: Sequence[str]
    """Of the role that was asked for, sorted."""
    caught_up: Mapping[int, int]
    """Partition → the newest moment anybody said: microseconds of the log's clock, everything published before is
    handled, forwards included. Absent where nobody said one."""


@dataclass(frozen=True, slots=True)
class Commit:
    """Position, state, outputs and events, together or not at all.

    1. `lease.epoch` is not the newest → FENCED.  2. The position is `end` already → DONE.  3. It is not `start` →
    MISMATCH.  4. Rows, outputs and appended events are written, the position becomes `end`, the lease is renewed.
    """

    lease: Lease
    processor: str
    start: int
    end: int
    """Greater than `start`. Rules count offsets; delivery, whose commits need no input, counts its commits."""
    changes: Sequence[Change] = ()
    outputs: Sequence[Output] = ()
    events: Sequence[Event] = ()
    """Appended to the same partition in the same step: results of commands."""


class Read(NamedTuple):
    """A call of `read`."""

    partition: int
    after: int
    limit: int


class Rows(NamedTuple):
    """A call of `rows`."""

    partition: int
    processor: str
    names: Sequence[str]


Request: TypeAlias = Read | Rows | Commit
Answer: TypeAlias = Batch | dict[str, bytes] | Code


class Feed(NamedTuple):
    """The rows that one commit changed, each as of that commit or a later one; `end` is the position it led to. Commits
    that changed nothing may be left out, but for the last."""

    end: int
    changes: list[Change]


class PartitionStatus(NamedTuple):
    partition: int
    owner: str | None
    epoch: int
    tail: int
    outputs: int
    """Number of the last output."""
    positions: Mapping[str, int]
    committed_at: int
    """Microseconds, by the log's clock, of the last commit of any processor; 0 for none."""
    deliverer: str | None = None
    """Who holds the partition to deliver from it; `owner` and `epoch` are the agent's."""


class Log(Protocol):
    @property
    def info(self) -> LogInfo:
        """The generation may grow while the log is open."""
        ...

    @property
    def forks(self) -> Sequence[Fork]:
        """All there were, as far as this process knows, oldest first."""
        ...

    def now(self) -> int:
        """The log's clock, which all its processes share: microseconds since 1970."""
        ...

    # -- events
    def append(self, appends: Sequence[Append]) -> list[Appended]:
        """Stores all, or (LogFull, LogUnavailable) possibly some: repeat with the same sequences. One answer each."""
        ...

    def read(self, partition: int, after: int, limit: int) -> Batch:
        """About `limit` events whose offset is greater than `after`, whole entries. Fewer than `limit` only where there
        were no more at the moment of the call."""
        ...

    def fetch(self, partition: int, offsets: Sequence[int]) -> list[Event]:
        """The events at these offsets, in this order. LogError if one is not there."""
        ...

    def tail(self, partition: int) -> int:
        """The offset of the last event, 0 for none."""
        ...

    def durable(self, partition: int) -> int:
        """The offset up to which events survive what the backend promises to survive (power loss, failover). Where that
        takes longer than a sync of the disk, it is what is known now: ask again."""
        ...

    def follow(self, tails: Mapping[int, int], timeout: float) -> set[int]:
        """Waits until one of these partitions has an event beyond the offset given, or the time is over."""
        ...

    def sequence(self, partition: int, producer: str) -> int:
        """The last one that is stored of this producer; -1 for none."""
        ...

    # -- ownership
    def beat(self, member: str, role: Role, caught_up: Mapping[int, int], ttl: float) -> Beat:
        """Says that this member lives, for `ttl` seconds, and how far its partitions are. Moments only grow. A member
        without a name only looks."""
        ...

    def leave(self, member: str, role: Role) -> None:
        """It counts no more."""
        ...

    def acquire(self, partition: int, owner: str, ttl: float, role: Role = AGENT) -> Lease | None:
        """A new epoch, unless a living owner holds the partition in that role. An owner that asks again gets a new
        epoch."""
        ...

    def renew(self, lease: Lease, ttl: float) -> bool: ...

    def release(self, lease: Lease) -> None:
        """Clears the owner and keeps the epoch. Releasing what is no longer held does nothing."""
        ...

    # -- commits and what they wrote
    def commit(self, commit: Commit) -> Code:
        """ValueError if the lease's role is not the processor's (`role_of`)."""
        ...

    def position(self, partition: int, processor: str) -> int: ...

    def outputs(self, partition: int, after: int, limit: int) -> tuple[int, list[Output]]:
        """(number of the first, about `limit` outputs) after that number, whole batches; (0, []) for none."""
        ...

    def follow_outputs(self, numbers: Mapping[int, int], timeout: float) -> dict[int, int]:
        """Waits until one of these partitions has an output beyond the number given, or the time is over: the number
        of the last output of each that has."""
        ...

    def rows(self, partition: int, processor: str, names: Sequence[str]) -> dict[str, bytes]:
        """The rows of these names that exist."""
        ...

    def scan(self, partition: int, processor: str, prefix: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        """Rows whose name begins with `prefix` and is greater than `after`, by name (code points), at most `limit`."""
        ...

    def due(self, partition: int, processor: str, after: tuple[int, str], limit: int) -> list[tuple[int, str]]:
        """(due, name) of rows with a due time, in that order, greater than `after`, at most `limit`."""
        ...

    def feed(self, partition: int, processor: str, after: int, limit: int) -> list[Feed] | None:
        """The commits that led beyond position `after`, oldest first, about `limit` rows. None if some of them were
        forgotten: the reader starts again with `scan`."""
        ...

    def forget(self, partition: int, processor: str, upto: int) -> None:
        """The feed's reader is done with commits up to this position."""
        ...

    # -- several at once
    def together(self, requests: Sequence[Request]) -> list[Answer | Exception]:
        """What `read`, `rows` and `commit` answer to each, or raise; they may happen in any order, and on servers take
        about the time of one. What happens to one concerns no other."""
        ...

    # -- documents: rule sets by digest
    def put_document(self, digest: str, body: bytes) -> None: ...

    def document(self, digest: str) -> bytes | None: ...

    # -- looking
    def status(self) -> list[PartitionStatus]: ...

    def snapshot(self) -> AbstractContextManager[Log]:
        """A frozen view of everything as of now, for verification beside running writers. Its writing calls raise."""
        ...

    def check(self) -> Iterator[str]:
        """What is wrong with the storage, in words; nothing if all is well."""
        ...

    def warnings(self) -> list[str]:
        """Which settings of the backend endanger what is stored, in words with the remedy. Quick: what is known."""
        ...

    def close(self) -> None: ...
