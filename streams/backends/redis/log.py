"""The log in Redis, 7.0 or newer: one server, the master that sentinels name, or a cluster.

All keys of a partition share a slot, and whatever changes it is one script there: it happens whole, in an order with
all others, and no two processes can meet in it. A commit compares owner and epoch, then the position, and writes; an
append draws offsets and writes. What an answer was lost to is asked again: a commit is `done` then, events of a
producer are known; an append without producer is not repeated, and LogUnavailable says that it may have happened.

Redis answers before anything is on another machine or, mostly, on disk: a failover may take the end of what was
answered, and what is left is always the whole state as of an earlier moment (`forks.py`, `durability.py`).
So a lease ends where a server begins a new run of its data: the first commit there is fenced, and its owner starts
again from what is stored.

`scan` reads whole hashes, and so does `snapshot`, partition by partition when it is looked at first; all else costs
what it answers. Any thread may call, and any number of processes.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from streams.backends.limits import LogLimits
from streams.backends.redis.append import append_call, appended
from streams.backends.redis.check import check
from streams.backends.redis.clock import LogClock
from streams.backends.redis.commit import commit_call, decode_names
from streams.backends.redis.copy import FEED, copy_rows
from streams.backends.redis.dues import due, score
from streams.backends.redis.durability import Durability
from streams.backends.redis.entries import Stream, read_events
from streams.backends.redis.follow import Follower
from streams.backends.redis.forks import Forks
from streams.backends.redis.heads import Head
from streams.backends.redis.memory import MemoryWatch
from streams.backends.redis.nodes import Call, Reply
from streams.backends.redis.partitions import Partitions
from streams.backends.redis.reading import RedisReading
from streams.backends.redis.rows import rows_and_dues_of, rows_calls, rows_found, rows_of
from streams.backends.redis.scripts import script
from streams.backends.redis.settings import Knowledge
from streams.backends.redis.snapshot import RedisSnapshot
from streams.backends.redis.together import Question, together
from streams.backends.requests import check_commit, check_sequences
from streams.log import (
    AGENT,
    Answer,
    Append,
    Appended,
    Batch,
    Beat,
    Code,
    Commit,
    Feed,
    Fork,
    Lease,
    Log,
    LogDamaged,
    LogFull,
    LogInfo,
    LogUnavailable,
    PartitionStatus,
    Read,
    Request,
    Role,
)
from streams.state import NEVER, Change

FEED_KEPT: Final = 4 << 20
"""Bytes of a feed that stay when its reader is done with them: what `copy.py` lives on."""
LAST_WORDS: Final = 2.0
"""Seconds for giving leases back when the log is closed."""
_ACQUIRE: Final = script("acquire")
_RENEW: Final = script("renew")
_FORGET: Final = script("forget")
_PUT: Final = script("put")
_DUE: Final = script("due")
_BEAT: Final = script("beat")


class _Scanned(NamedTuple):
    """What a scan found, for its next page."""

    partition: int
    processor: str
    prefix: str
    state: tuple[bytes | None, bytes | None]
    """Position and run: while they stay nothing changes."""
    names: list[str]
    values: dict[str, bytes]


class RedisLog(RedisReading):
    def __init__(
        self, partitions: Partitions, info: LogInfo, limits: LogLimits, clock: LogClock, knowledge: Knowledge
    ) -> None:
        """What `redis_open.open_redis` has found or made."""
        super().__init__(partitions)
        self._servers = partitions.servers
        self._limits = limits
        self._clock = clock
        self._forks = Forks(partitions, clock, info)
        self._follower = Follower(self._servers)
        self._durability = Durability(partitions, knowledge)
        self._knowledge = knowledge
        self._memory = MemoryWatch(partitions, limits.max_bytes)
        self._leases: dict[tuple[int, Role], Lease] = {}
        self._scanned: _Scanned | None = None

    @property
    def info(self) -> LogInfo:
        return self._forks.info

    @property
    def forks(self) -> Sequence[Fork]:
        return self._forks.known

    def now(self) -> int:
        return self._clock.now()

    # -- events

    def append(self, appends: Sequence[Append]) -> list[Appended]:
        by_partition: dict[int, list[int]] = {}
        for place, request in enumerate(appends):
            check_sequences(request)
            if request.events:
                by_partition.setdefault(request.partition, []).append(place)
        limits = self._limits
        calls = {
            partition: append_call(
                self._partitions[partition],
                [appends[place] for place in places],
                limits.lag_of,
                limits.max_lag_events,
            )
            for partition, places in by_partition.items()
        }
        answers = [Appended(0, 0)] * len(appends)
        if not calls:
            return answers
        self._memory.room({request.partition for request in appends if request.events and not request.follows})
        repeatable = all(request.producer or not request.events for request in appends)
        full: LogFull | None = None
        for partition, (run, word, *rest) in self._partitions.ask_each(calls, repeatable=repeatable).items():
            if word == b"full":
                full = LogFull(
                    f"partition {partition} would be {rest[0]} events ahead of its {limits.lag_of}, the most allowed "
                    f"is {limits.max_lag_events}: repeat when they caught up"
                )
                continue
            found = appended(rest)
            for place, answer in zip(by_partition[partition], found, strict=True):
                answers[place] = answer
            self._forks.answered(partition, run, max(answer.offset for answer in found))
        if full is not None:
            raise full
        return answers

    def tail(self, partition: int) -> int:
        return self._partitions.field(partition, "tail")

    def sequence(self, partition: int, producer: str) -> int:
        last = self._partitions.ask(partition, ("HGET", self._partitions[partition].producers, producer))
        return -1 if last is None else int(last)

    def durable(self, partition: int) -> int:
        return self._durability.durable(partition)

    def follow(self, tails: Mapping[int, int], timeout: float) -> set[int]:
        streams = {partition: self._partitions[partition].log for partition in tails}
        return set(self._follow("tail", streams, tails, timeout))

    def follow_outputs(self, numbers: Mapping[int, int], timeout: float) -> dict[int, int]:
        streams = {partition: self._partitions[partition].out for partition in numbers}
        return self._follow("outputs", streams, numbers, timeout)

    def _follow(
        self, field: str, streams: Mapping[int, str], seen: Mapping[int, int], timeout: float
    ) -> dict[int, int]:
        deadline = time.monotonic() + timeout
        ids: dict[int, dict[str, int]] = {}
        for partition, key in streams.items():
            ids.setdefault(self._partitions.slots[partition], {})[key] = max(seen[partition], 0)
        while True:
            last = self._partitions.fields(seen, field)
            ready = {partition: end for partition, end in last.items() if end > seen[partition]}
            left = deadline - time.monotonic()
            if ready or left <= 0:
                return ready
            self._follower.wait(ids, left)
            if self._servers.closed:
                return {}

    def _events(self, partition: int) -> Stream:
        return Stream(self._partitions[partition].log, "offsets", self._asking(partition), self._shapes)

    def _outputs(self, partition: int) -> Stream:
        return Stream(self._partitions[partition].out, "numbers", self._asking(partition), self._shapes)

    # -- ownership

    def beat(self, member: str, role: Role, caught_up: Mapping[int, int], ttl: float) -> Beat:
        keys = self._partitions.keys
        said = [number for pair in caught_up.items() for number in pair]
        now, members, moments, generation = self._partitions.ask_log(
            _BEAT.call(
                [keys.members(role), keys.caught_up, keys.log],
                [self._clock.argument(), member, _microseconds(ttl), *said],
            )
        )
        self._clock.told(int(now))
        if generation is None:
            raise LogDamaged(f"`{keys.log}` is no longer in Redis: restore a backup, or open a new log")
        self._forks.refresh(int(generation))
        living = sorted(each.decode() for each in members)
        return Beat(living, {int(a): int(b) for a, b in zip(moments[::2], moments[1::2], strict=True)})

    def leave(self, member: str, role: Role) -> None:
        self._partitions.ask_log(("ZREM", self._partitions.keys.members(role), member))

    def acquire(self, partition: int, owner: str, ttl: float, role: Role = AGENT) -> Lease | None:
        run, epoch = self._partitions.ask(
            partition,
            _ACQUIRE.call(
                [self._partitions[partition].meta], [self._clock.argument(), role, owner, _microseconds(ttl)]
            ),
        )
        self._forks.answered(partition, run)
        if not epoch:
            return None
        lease = self._leases[partition, role] = Lease(partition, owner, epoch, role)
        return lease

    def renew(self, lease: Lease, ttl: float) -> bool:
        run, renewed = self._partitions.ask(lease.partition, self._renew_call(lease, max(_microseconds(ttl), 1)))
        self._forks.answered(lease.partition, run)
        return bool(renewed)

    def release(self, lease: Lease) -> None:
        self._partitions.ask(lease.partition, self._renew_call(lease, 0))
        if self._leases.get((lease.partition, lease.role)) == lease:
            del self._leases[lease.partition, lease.role]

    def _renew_call(self, lease: Lease, microseconds: int) -> Call:
        return _RENEW.call(
            [self._partitions[lease.partition].meta],
            [self._clock.argument(), lease.role, lease.owner, lease.epoch, microseconds],
        )

    # -- commits and what they wrote

    def commit(self, commit: Commit) -> Code:
        question = self._commit(commit)
        return question.answer(self._partitions.ask_many(question.partition, question.calls))

    def _commit(self, commit: Commit) -> Question[Code]:
        check_commit(commit)
        partition = commit.lease.partition
        keys = self._partitions[partition]

        def answer(replies: Sequence[Reply]) -> Code:
            run, word, tail = replies[0]
            self._forks.answered(partition, run, tail)
            return Code(word.decode())

        return Question(partition, [commit_call(keys, commit, self._clock.argument(), self._limits.feed_bytes)], answer)

    def together(self, requests: Sequence[Request]) -> list[Answer | Exception]:
        return together(self._partitions, requests, self._question)

    def _question(self, request: Request) -> Question[Answer]:
        if isinstance(request, Commit):
            return self._commit(request)
        partition = request.partition
        if isinstance(request, Read):
            stream, after, limit = self._events(partition), max(request.after, 0), request.limit

            def answer(replies: Sequence[Reply]) -> Batch:
                return read_events(stream, after, limit, replies[0])

            return Question(partition, [stream.first(after)], answer, stream.key, after)
        calls = rows_calls(self._partitions[partition], request.processor, request.names)
        return Question(partition, calls, lambda replies: rows_found(calls, replies))

    def position(self, partition: int, processor: str) -> int:
        return self._partitions.field(partition, f"pos:{processor}")

    def rows(self, partition: int, processor: str, names: Sequence[str]) -> dict[str, bytes]:
        return rows_of(self._partitions, partition, processor, names)

    def scan(self, partition: int, processor: str, prefix: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        """Reads all rows whose name begins with the same letter, or all there are, and keeps them for the next page
        as long as nothing is committed."""
        keys = self._partitions[partition]
        position, run = self._partitions.ask(partition, ("HMGET", keys.meta, f"pos:{processor}", "run"))
        kept = self._scanned
        if kept is None or kept[:4] != (partition, processor, prefix, (position, run)):
            letter = prefix[:1]
            copy = copy_rows(
                self._partitions, partition, lambda of, begin: of == processor and letter in ("", begin), False
            )
            values = copy.rows[processor].values if processor in copy.rows else {}
            state = (copy.head.text(f"pos:{processor}"), copy.head.text("run"))
            names = sorted(name for name in values if name.startswith(prefix))
            kept = _Scanned(partition, processor, prefix, state, names, values)
        begin = bisect_right(kept.names, after)
        page = kept.names[begin : begin + limit]
        self._scanned = kept if begin + limit < len(kept.names) else None
        return [(name, kept.values[name]) for name in page]

    def due(self, partition: int, processor: str, after: tuple[int, str], limit: int) -> list[tuple[int, str]]:
        key = self._partitions[partition].due(processor)
        flat: list[bytes] = self._partitions.ask(partition, _DUE.call([key], [score(after[0]), after[1], limit]))
        return [(due(text), name.decode()) for name, text in zip(flat[::2], flat[1::2], strict=True)]

    def feed(self, partition: int, processor: str, after: int, limit: int) -> list[Feed] | None:
        """The values are as of now: what changed again is in a later commit of the feed, too."""
        keys = self._partitions[partition]
        position, forgotten, _, more, *entries = self._partitions.ask(
            partition, FEED.call([keys.meta, keys.feed(processor)], [processor, after, max(limit, 1)])
        )
        if after < int(forgotten):
            return None
        commits = [(int(end), decode_names(names)) for end, names in zip(entries[::2], entries[1::2], strict=True)]
        every = list(dict.fromkeys(name for _, names in commits for name in names))
        values, dues = rows_and_dues_of(self._partitions, partition, processor, every)
        found = [
            Feed(end, [Change(name, values.get(name), dues.get(name, NEVER)) for name in names])
            for end, names in commits
        ]
        last = max(commits[-1][0] if commits else 0, after)
        if not more and int(position) > last:
            found.append(Feed(int(position), []))
        return found

    def forget(self, partition: int, processor: str, upto: int) -> None:
        keys = self._partitions[partition]
        kept = min(FEED_KEPT, self._limits.feed_bytes)
        self._partitions.ask(partition, _FORGET.call([keys.meta, keys.feed(processor)], [processor, upto, kept]))

    # -- documents

    def put_document(self, digest: str, body: bytes) -> None:
        self._partitions.ask_log(_PUT.call([self._partitions.keys.documents], [digest, body, "0"]))

    # -- looking

    def status(self) -> list[PartitionStatus]:
        found = self._partitions.ask_each(
            {number: ("HGETALL", keys.meta) for number, keys in enumerate(self._partitions.keys.partitions)}
        )
        now = self.now()
        return [Head(found[number]).status(number, now) for number in sorted(found)]

    @contextmanager
    def snapshot(self) -> Iterator[Log]:
        yield RedisSnapshot(self._partitions, self.info, self.forks, self.now, self._limits.lag_of)

    def check(self) -> Iterator[str]:
        for number, keys in enumerate(self._partitions.keys.partitions):
            head = Head(self._partitions.ask(number, ("HGETALL", keys.meta)))
            yield from check(self._partitions, number, head, self._limits.lag_of)

    def warnings(self) -> list[str]:
        return self._knowledge.warnings()

    def close(self) -> None:
        """Leases are given back, so that nobody waits for them; if that does not succeed, they run out."""
        leases, self._leases = self._leases, {}
        calls: dict[int, list[Call]] = {}
        for lease in leases.values():
            calls.setdefault(self._partitions.slots[lease.partition], []).append(self._renew_call(lease, 0))
        try:
            if calls and not self._servers.closed:
                self._servers.run_many(calls, repeatable=True, timeout=LAST_WORDS)
        except LogUnavailable:
            pass
        finally:
            self._servers.close()
            self._follower.close()
            self._durability.close()


def _microseconds(seconds: float) -> int:
    return int(seconds * 1e6)
