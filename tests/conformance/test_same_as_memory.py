"""Any calls in any order: every backend answers as the one in memory does."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from streams.backends.limits import LogLimits
from streams.backends.memory import MemoryLog
from streams.log import AGENT, DELIVERY, IMPORT, Append, Code, Commit, Lease, Log, Role
from streams.state import NEVER, Change
from tests.conformance.backends import Backend, Clock, as_of_now, command, event

PARTITIONS = 2
partitions = st.integers(0, PARTITIONS - 1)
PROCESSORS = ("rules", "forward", "delivery")
processors = st.sampled_from(PROCESSORS)
names = st.sampled_from(["", "k", "ka", "kb", "kß", "b1", "b2", "p", "k\x00", "k\U0001f600", "k\uffff", "kz"])
dues = st.one_of(st.just(NEVER), st.integers(-5, 20))
changes = st.lists(
    st.one_of(st.builds(Change, names, st.binary(max_size=8), dues), st.builds(Change, names, st.none())), max_size=6
)
owners = st.sampled_from(["a", "b"])


class SameAsMemory(RuleBasedStateMachine):
    backend: ClassVar[Backend]

    @initialize(overlay_rows=st.integers(1, 12), flush_rows=st.integers(1, 5))
    def begin(self, overlay_rows: int, flush_rows: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock()
        self.limits = LogLimits(
            overlay_rows=overlay_rows, flush_rows=flush_rows, max_lag_events=1_000_000, min_free_bytes=0
        )
        self.log = self.open()
        self.memory: Log = MemoryLog(PARTITIONS, self.clock, self.limits)
        self.numbers = 0
        self.leases: list[Lease] = []
        self.forgotten: dict[tuple[int, str], int] = {}

    def open(self) -> Log:
        return self.backend.open(self.folder, self.clock, partitions=PARTITIONS, limits=self.limits)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.log.close()
            shutil.rmtree(self.folder)

    def fresh(self, count: int) -> list[int]:
        self.numbers += count
        return list(range(self.numbers - count, self.numbers))

    @rule(wanted=st.lists(st.tuples(partitions, st.integers(0, 4)), max_size=3))
    def append(self, wanted: list[tuple[int, int]]) -> None:
        appends = [Append(partition, [event(n) for n in self.fresh(count)]) for partition, count in wanted]
        assert self.log.append(appends) == self.memory.append(appends)

    @rule(partition=partitions, producer=st.sampled_from(["p", "q"]), sequences=st.sets(st.integers(0, 12), max_size=5))
    def append_in_sequence(self, partition: int, producer: str, sequences: set[int]) -> None:
        appends = [Append(partition, [event(1_000 + n) for n in sorted(sequences)], producer, sorted(sequences))]
        assert self.log.append(appends) == self.memory.append(appends)

    @rule(
        partition=partitions,
        owner=owners,
        ttl=st.sampled_from([1.0, 5.0]),
        role=st.sampled_from([AGENT, AGENT, DELIVERY, IMPORT]),
    )
    def acquire(self, partition: int, owner: str, ttl: float, role: Role) -> None:
        lease = self.log.acquire(partition, owner, ttl, role)
        assert lease == self.memory.acquire(partition, owner, ttl, role)
        if lease is not None:
            self.leases.append(lease)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def renew_or_release(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        if data.draw(st.booleans()):
            assert self.log.renew(lease, 2.0) == self.memory.renew(lease, 2.0)
        else:
            self.log.release(lease)
            self.memory.release(lease)

    @rule(seconds=st.sampled_from([0.5, 3.0]))
    def time_goes_by(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: self.leases)
    @rule(
        data=st.data(),
        changes=changes,
        outputs=st.integers(0, 2),
        events=st.integers(0, 2),
        moved=st.sampled_from([0, 0, 0, 0, 0, 0, -1, 1]),
    )
    def commit(self, data: st.DataObject, changes: list[Change], outputs: int, events: int, moved: int) -> None:
        lease = data.draw(st.sampled_from(self.leases[-3:]))
        processor = lease.role if lease.role != AGENT else data.draw(st.sampled_from(["rules", "forward"]))
        start = max(self.memory.position(lease.partition, processor) + moved, 0)
        commit = Commit(
            lease,
            processor,
            start,
            start + data.draw(st.integers(1, 3)),
            changes,
            [command(n) for n in self.fresh(outputs)],
            [event(n) for n in self.fresh(events)],
        )
        code = self.memory.commit(commit)
        assert self.log.commit(commit) == code
        if code is Code.COMMITTED and data.draw(st.booleans()):
            assert self.log.commit(commit) is Code.DONE
            assert self.memory.commit(commit) is Code.DONE

    @rule(partition=partitions, processor=processors)
    def forget(self, partition: int, processor: str) -> None:
        upto = self.memory.position(partition, processor)
        self.log.forget(partition, processor, upto)
        self.memory.forget(partition, processor, upto)
        self.forgotten[partition, processor] = upto

    @precondition(lambda self: self.backend.persistent)
    @rule()
    def reopen(self) -> None:
        self.log.close()
        self.log = self.open()
        # Whoever closed the log held its leases: they are free now, and the memory's must be, too.
        for lease in self.leases:
            self.log.release(lease)
            self.memory.release(lease)

    @rule(
        partition=partitions,
        processor=processors,
        prefix=names,
        after=names,
        limit=st.integers(1, 5),
        due=st.integers(-6, 21),
    )
    def look(self, partition: int, processor: str, prefix: str, after: str, limit: int, due: int) -> None:
        with self.log.snapshot() as log, self.memory.snapshot() as memory:
            for ours, theirs in ((self.log, self.memory), (log, memory)):
                assert ours.scan(partition, processor, prefix, after, limit) == theirs.scan(
                    partition, processor, prefix, after, limit
                )
                assert ours.due(partition, processor, (due, after), limit) == theirs.due(
                    partition, processor, (due, after), limit
                )
                some = ["k", after, "nothing", prefix]
                assert ours.rows(partition, processor, some) == theirs.rows(partition, processor, some)
                tail = theirs.tail(partition)
                offsets = [offset for offset in (tail, 1, tail // 2) if offset]
                if tail:
                    assert ours.fetch(partition, offsets) == theirs.fetch(partition, offsets)

    @invariant()
    def everything_is_the_same(self) -> None:
        if not hasattr(self, "log"):
            return
        log, memory = self.log, self.memory
        assert log.status() == memory.status()
        for partition in range(PARTITIONS):
            assert log.read(partition, 0, 10_000).events == memory.read(partition, 0, 10_000).events
            assert log.outputs(partition, 0, 10_000) == memory.outputs(partition, 0, 10_000)
            for processor in PROCESSORS:
                assert log.scan(partition, processor, "", "", 100) == memory.scan(partition, processor, "", "", 100)
                every = (-NEVER, "")
                assert log.due(partition, processor, every, 100) == memory.due(partition, processor, every, 100)
                after = self.forgotten.get((partition, processor), 0)
                feed = memory.feed(partition, processor, after, 1_000)
                exact = feed is None or not self.backend.remote
                assert log.feed(partition, processor, after, 1_000) == (feed if exact else as_of_now(feed))


def test_any_calls_in_any_order_are_answered_as_in_memory(persistent: Backend) -> None:
    examples = 10 if persistent.remote else 40
    machine = type("Machine", (SameAsMemory,), {"backend": persistent})
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=30))
