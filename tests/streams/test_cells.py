"""The bounded cache of cells: what is in it is what the log holds, whatever was thrown away."""

from __future__ import annotations

import gc
import random
import time
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.backends.limits import LogLimits
from streams.backends.memory import MemoryLog
from streams.cells import Cells
from streams.log import Code, Commit, Log, LogDamaged
from streams.state import DAWN, NEVER, Cell, Change, encode_cell


def a_log() -> MemoryLog:
    return MemoryLog(1, lambda: 0, LogLimits())


class Agent:
    """Loads, changes and commits, as the agent does."""

    def __init__(self, log: Log, budget: int) -> None:
        self.log = log
        self.cells = Cells(0, budget)
        lease = log.acquire(0, "agent", 10)
        assert lease is not None
        self.lease = lease
        self.position = log.position(0, "rules")

    def load(self, keys: Iterable[str]) -> dict[str, Cell]:
        if missing := self.cells.missing(keys):
            self.cells.fill(missing, self.log.rows(0, "rules", ["k" + key for key in missing]))
        return self.cells.loaded

    def commit(self, dirty: set[str]) -> list[Change]:
        changes = self.cells.changes(dirty)
        commit = Commit(self.lease, "rules", self.position, self.position + 1, changes)
        assert self.log.commit(commit) is Code.COMMITTED
        self.position += 1
        self.cells.committed()
        return changes


def test_a_key_without_a_cell_gets_an_empty_one_that_is_not_stored_unless_changed() -> None:
    agent = Agent(a_log(), 1_000_000)

    cells = agent.load(["a", "b", "a"])

    assert (cells["a"], cells["b"]) == (Cell(), Cell())
    assert cells["a"] is not cells["b"]
    cells["a"].rows["x"] = {}
    assert cells["b"].rows == {}
    agent.commit({"a"})
    assert agent.log.rows(0, "rules", ["ka", "kb"]) == {"ka": encode_cell(cells["a"])}


def test_a_change_carries_name_value_and_due_time_of_its_cell() -> None:
    agent = Agent(a_log(), 1_000_000)
    cells = agent.load(["a", "b"])
    cells["a"].due = 17
    cells["b"].clock = 5

    changes = agent.commit({"a", "b"})

    assert sorted(changes, key=lambda change: change.name) == [
        Change("ka", encode_cell(Cell(due=17)), 17),
        Change("kb", encode_cell(Cell(clock=5)), NEVER),
    ]


def test_what_was_discarded_is_read_again_as_committed() -> None:
    agent = Agent(a_log(), 1_000_000)
    agent.load(["a"])["a"].opened = 1
    agent.commit({"a"})
    agent.load(["a"])["a"].opened = 99

    agent.cells.discard()

    assert len(agent.cells) == agent.cells.bytes == 0
    assert agent.load(["a"])["a"].opened == 1


def test_without_a_budget_the_cells_of_the_last_batch_are_all_that_stays() -> None:
    agent = Agent(a_log(), 0)
    for key in "abcab":
        agent.load([key])[key].opened += 1
        agent.commit({key})
        assert len(agent.cells) == 1
    assert [agent.load([key])[key].opened for key in "abc"] == [2, 2, 1]


def test_a_cell_that_cannot_be_read_is_damage() -> None:
    log = a_log()
    lease = log.acquire(0, "agent", 10)
    assert lease is not None
    log.commit(Commit(lease, "rules", 0, 1, [Change("ka", b"\xc1")]))

    with pytest.raises(LogDamaged, match="key `a` cannot be read"):
        Agent(log, 1_000).load(["a"])


@given(
    budget=st.integers(0, 20_000),
    batches=st.lists(st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=10), max_size=30),
    failing=st.sets(st.integers(0, 29)),
)
def test_cells_are_what_a_dict_of_all_would_be(
    budget: int, batches: list[list[tuple[int, bool]]], failing: set[int]
) -> None:
    agent = Agent(a_log(), budget)
    expected: dict[str, int] = {}
    for number, batch in enumerate(batches):
        cells = agent.load(f"{key}" for key, _ in batch)
        for key, _ in batch:
            assert cells[f"{key}"].opened == expected.get(f"{key}", 0)
        dirty = {f"{key}" for key, changed in batch if changed}
        for key in dirty:
            cells[key].opened += 1
            cells[key].rows["row"] = {"text": "x" * cells[key].opened}
        if number in failing:
            agent.cells.discard()
        else:
            agent.commit(dirty)
            expected |= {key: expected.get(key, 0) + 1 for key in dirty}


def filled(cell: Cell, number: int) -> None:
    """A cell as rules leave it: a row of four fields and a node with a pending deadline."""
    cell.clock = 1_700_000_000_000_000 + number
    cell.due = cell.clock + 1_000_000
    cell.rows["0123456789abcdef"] = {
        "amount": 12.5 + number,
        "state": "open",
        "since": f"2024-01-01T00:00:{number:07}Z",
        "n": number,
    }
    cell.nodes["fedcba9876543210"] = [[cell.due, number, f"event-{number}"]]


def only_a_clock(cell: Cell, number: int) -> None:
    cell.clock = 1_700_000_000_000_000 + number


def windows(cell: Cell, number: int) -> None:
    cell.nodes["fedcba9876543210"] = [1_700_000_000_000_000 + number * 1_000 + at for at in range(100)]
    cell.rows["0123456789abcdef"] = {f"field_{at}": at * 1.5 + number for at in range(20)}


@pytest.mark.parametrize("shape", [filled, only_a_clock, windows])
@pytest.mark.parametrize("reread", [False, True])
def test_the_estimate_of_bytes_is_within_a_factor_of_two(shape, reread: bool) -> None:
    log = a_log()
    keys = [f"customer-{number}" for number in range(1_000)]
    if reread:
        agent = Agent(log, 1 << 40)
        for number, cell in enumerate(agent.load(keys).values()):
            shape(cell, number)
        agent.commit(set(keys))
    gc.collect()
    tracemalloc.start()
    try:
        again = Agent(log, 1 << 40)
        cells = again.cells
        names = [f"customer-{number}" for number in range(1_000)]
        loaded = again.load(names)
        for number, name in enumerate(names):
            shape(loaded[name], number)
        cells.changes(set(names))
        del names
        gc.collect()
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert used / 2 < cells.bytes < used * 2, f"{cells.bytes} estimated, {used} used"


def test_memory_stays_within_the_budget_whatever_is_touched() -> None:
    budget = 400_000
    agent = Agent(a_log(), budget)
    draw = random.Random(1)
    most = 0
    for _ in range(300):
        keys = {f"{draw.randrange(5_000)}" for _ in range(20)}
        cells = agent.load(keys)
        for key in keys:
            filled(cells[key], 7)
        agent.commit(keys)
        most = max(most, agent.cells.bytes)

    assert budget / 3 < most < budget + 20 * 4_000


def test_hot_cells_survive_a_stream_of_cold_ones() -> None:
    class Counting(MemoryLog):
        read = 0

        def rows(self, partition, processor, names):
            self.asked = list(names)
            return super().rows(partition, processor, names)

    log = Counting(1, lambda: 0, LogLimits())
    agent = Agent(log, 300_000)
    hot = {f"hot{number}" for number in range(30)}
    again: set[str] = set()
    for round in range(200):
        log.asked = []
        agent.load(hot | {f"cold{round * 10 + number}" for number in range(10)})
        if round:
            again |= hot & {name[1:] for name in log.asked}
        agent.commit(set())

    assert again == set()
    assert len(agent.cells) < 2_000


def test_everything_stays_when_it_fits_into_two_thirds_of_the_budget() -> None:
    agent = Agent(a_log(), 1_000_000)
    keys = [f"{number}" for number in range(1_000)]
    for _ in range(20):
        for start in range(0, 1_000, 50):
            agent.load(keys[start : start + 50])
            agent.commit(set())

    assert len(agent.cells) == 1_000


def test_a_hit_costs_no_more_than_a_look_up() -> None:
    agent = Agent(a_log(), 1 << 30)
    keys = [f"customer-{number}" for number in range(5_000)]
    agent.load(keys)

    def best(work) -> float:
        return min(_timed(work) for _ in range(20))

    look_ups = best(lambda: [key in agent.cells._young for key in keys])
    loads = best(lambda: agent.load(keys))

    assert loads < 4 * look_ups


def _timed(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def test_an_empty_cell_has_the_dawn_as_its_clock() -> None:
    assert Agent(a_log(), 1).load(["a"])["a"].clock == DAWN
