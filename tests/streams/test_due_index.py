"""Due times: the nearest part in memory, the rest on disk, and nobody can tell."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.backends.limits import LogLimits
from streams.backends.memory import MemoryLog
from streams.backends.open import open_log
from streams.due import DueIndex
from streams.due_list import DueList
from streams.log import Code, Commit, Log
from streams.state import NEVER, Change


class Agent:
    def __init__(self, log: Log, capacity: int) -> None:
        self.log = log
        lease = log.acquire(0, "agent", 10)
        assert lease is not None
        self.lease = lease
        self.position = log.position(0, "rules")
        self.index = DueIndex(log, 0, "rules", capacity)

    def commit(self, changes: list[Change]) -> None:
        commit = Commit(self.lease, "rules", self.position, self.position + 1, changes)
        assert self.log.commit(commit) is Code.COMMITTED
        self.position += 1
        self.index.committed(changes)


def in_memory() -> MemoryLog:
    return MemoryLog(1, lambda: 0, LogLimits())


def test_nothing_is_due_in_an_empty_log() -> None:
    index = Agent(in_memory(), 10).index

    assert index.nearest() == NEVER
    assert index.before(NEVER, 10) == []


def test_what_is_due_before_a_time_comes_in_order_and_stays_until_it_moves() -> None:
    agent = Agent(in_memory(), 10)
    agent.commit([Change("kb", b"", 5), Change("ka", b"", 5), Change("kc", b"", 3), Change("kd", b"", 9)])

    assert agent.index.nearest() == 3
    assert agent.index.before(5, 10) == [(3, "c")]
    assert agent.index.before(6, 10) == [(3, "c"), (5, "a"), (5, "b")]
    assert agent.index.before(6, 2) == [(3, "c"), (5, "a")]
    agent.commit([Change("kc", b"", 7), Change("ka", b""), Change("kb", None)])
    assert agent.index.nearest() == 7
    assert agent.index.before(100, 10) == [(7, "c"), (9, "d")]


def test_only_keys_are_due() -> None:
    log = in_memory()
    agent = Agent(log, 2)
    agent.commit([Change(f"x{number}", b"", number) for number in range(10)] + [Change("ka", b"", 50)])

    assert Agent(log, 2).index.before(100, 10) == [(50, "a")]


@given(
    capacity=st.integers(1, 6),
    batches=st.lists(
        st.lists(st.tuples(st.integers(0, 15), st.one_of(st.none(), st.just(NEVER), st.integers(-3, 30))), max_size=6),
        max_size=25,
    ),
    restarts=st.sets(st.integers(0, 24)),
    time=st.integers(-3, 32),
    limit=st.integers(1, 20),
)
def test_the_index_is_a_sorted_list_of_all(
    capacity: int,
    batches: list[list[tuple[int, int | None]]],
    restarts: set[int],
    time: int,
    limit: int,
) -> None:
    agent = Agent(in_memory(), capacity)
    newest: dict[str, int] = {}
    for number, batch in enumerate(batches):
        if number in restarts:
            agent = Agent(agent.log, capacity)
        agent.commit([Change(f"k{key}", None) if due is None else Change(f"k{key}", b"", due) for key, due in batch])
        for key, due in batch:
            newest[f"{key}"] = NEVER if due is None else due
        every = sorted((due, key) for key, due in newest.items() if due < NEVER)
        assert agent.index.before(time, limit) == [entry for entry in every if entry[0] < time][:limit]
        assert agent.index.nearest() == (every[0][0] if every else NEVER)


@given(
    st.lists(
        st.one_of(
            st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 9)), max_size=100),
            st.sets(st.sampled_from("abcdefgh")),
            st.tuples(st.integers(0, 9), st.sampled_from("abcdefgh")),
            st.none(),
        )
    )
)
def test_a_due_list_is_a_dict_walked_in_order(operations: list) -> None:
    dues, newest = DueList(), {}
    for operation in operations:
        if isinstance(operation, list):
            dues.add(operation)
            newest |= dict(operation)
        elif isinstance(operation, set):
            dues.remove(operation)
            newest = {name: due for name, due in newest.items() if name not in operation}
        expected = sorted((due, name) for name, due in newest.items())
        after = operation if isinstance(operation, tuple) else None
        assert list(dues.walk(after)) == [entry for entry in expected if after is None or entry > after]
        assert len(dues) == len(newest)


def test_a_walk_goes_on_beside_writes() -> None:
    dues = DueList()
    dues.add((f"{number:02}", number) for number in range(0, 60, 2))
    seen = []
    for number, entry in enumerate(dues.walk()):
        seen.append(entry)
        if number < 30:
            dues.add([(f"{number:02}x", number), (f"{80 - number}y", 80 - number)])
            next(dues.walk())

    assert seen == sorted(set(seen))
    assert {(number, f"{number:02}") for number in range(0, 60, 2)} <= set(seen)


def test_a_million_deadlines_stay_on_disk_and_come_in_order(tmp_path: Path) -> None:
    """100,000 here, to be quick; the bound does not depend on it."""
    count, capacity = 100_000, 4_000
    log = open_log(
        f"sqlite:///{tmp_path}/log.db?synchronous=normal",
        partitions=1,
        now=lambda: 0,
        limits=LogLimits(overlay_rows=10_000, min_free_bytes=0),
    )
    agent = Agent(log, capacity)
    for start in range(0, count, 5_000):
        agent.commit([Change(f"k{n}", b"v", n * 7_919 % count) for n in range(start, start + 5_000)])
        log.forget(0, "rules", agent.position)
        assert agent.index.nearest() == 0
    log.close()

    log = open_log(
        f"sqlite:///{tmp_path}/log.db?synchronous=normal", now=lambda: 0, limits=LogLimits(overlay_rows=10_000)
    )
    agent = Agent(log, capacity)
    tracemalloc.start()
    fired: list[int] = []
    try:
        while due := agent.index.before(20_000, 1_000):
            fired += [at for at, _ in due]
            agent.commit([Change(f"k{key}", b"v") for _, key in due])
            assert len(agent.index) <= 2 * capacity
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert fired == list(range(20_000))
    assert agent.index.nearest() == 20_000
    assert most < 25 << 20
    log.close()


@pytest.mark.parametrize("capacity", [10, 1_000])
def test_cells_without_due_time_take_no_room(capacity: int) -> None:
    agent = Agent(in_memory(), capacity)
    agent.commit([Change("ka", b"", 5)])
    agent.index.nearest()
    agent.commit([Change(f"k{number}", b"") for number in range(500)])

    assert len(agent.index) == 1
