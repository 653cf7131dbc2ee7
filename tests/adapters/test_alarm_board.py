"""Of a target people are told once for all partitions of a process, and whatever fails, nothing that was parked is left
out.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.alarm_board import AlarmBoard, AlarmPolicy, Noted, Teller
from adapters.alarms import ROW
from adapters.ledger import DELIVERY
from adapters.work import Work
from streams.backends.open import open_log
from streams.event import ALARM
from streams.log import Log, LogUnavailable
from streams.outputs import Command, read_instead
from streams.state import NEVER
from tests.adapters.delivering import Adapter, decide, engine, names, until
from tests.adapters.world import FINAL, World
from tests.conformance.backends import SMALL, Clock

MINUTE = 60_000_000
ALARMS = {"police": AlarmPolicy(every=10 * MINUTE), "bank": AlarmPolicy(every=10 * MINUTE)}


class Process:
    """Delivers from some partitions of the log, one world for each."""

    def __init__(self, log: Log, clock: Clock, partitions: Sequence[int] = range(3)) -> None:
        self.log = log
        self.clock = clock
        self.partitions = partitions
        self.names = map("c{}".format, itertools.count())
        self.start()

    def start(self) -> None:
        """Again, with nothing in memory."""
        self.looking = False
        self.board = AlarmBoard(ALARMS, self._look)
        self.worlds = {p: World(self.log, self.clock, board=self.board, partition=p) for p in self.partitions}

    def _look(self) -> None:
        self.looking = True

    def park(self, partition: int, count: int = 1) -> None:
        world = self.worlds[partition]
        world.decide(*(next(self.names) for _ in range(count)))
        world.turn(*((work, FINAL) for work in world.lease()))

    def turns(self) -> int:
        """Of every partition, until nobody is to look again; when something is to be told later."""
        self.looking = True
        while self.looking:
            self.looking = False
            found = min(world.turn().next_at for world in self.worlds.values())
        return found


def told(log: Log) -> list[tuple[int, int]]:
    """(when, how many were parked) of each alarm, in order of time."""
    return sorted(
        (event.time, args(event.data).get("parked", 0))
        for partition in range(log.info.partitions)
        for event in log.read(partition, 0, 10_000).events
        if event.type == ALARM
    )


def noted(log: Log, partition: int) -> Noted:
    """What a partition has stored of police."""
    return msgspec.json.decode(log.rows(partition, DELIVERY, [f"{ROW}police"])[f"{ROW}police"], type=Noted)


def args(data: Any) -> dict[str, Any]:
    (command,) = read_instead(data).outputs
    assert isinstance(command, Command)
    return command.args


@pytest.fixture
def process(log: Log, clock: Clock) -> Process:
    return Process(log, clock)


def test_what_all_partitions_parked_is_told_at_once_and_then_as_one_number(process: Process) -> None:
    for partition in (0, 1, 2, 2, 0):
        process.park(partition)
    began = process.clock()
    assert told(process.log) == [(began, 1)]
    assert process.turns() == began + 10 * MINUTE
    process.clock.advance(600)
    assert process.turns() == NEVER
    assert told(process.log) == [(began, 1), (process.clock(), 4)]
    process.clock.advance(6_000)
    process.turns()
    assert len(told(process.log)) == 2, "nothing happened since"


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_commit_that_fails_tells_it_once_all_the_same(process: Process, how: str) -> None:
    for partition in (0, 1, 2):
        process.park(partition)
    process.clock.advance(600)
    process.worlds[1].log.commit_fails = how
    with pytest.raises(LogUnavailable):
        process.worlds[1].turn()
    process.worlds[2].turn()
    assert process.turns() == NEVER
    assert [count for _, count in told(process.log)] == [1, 2]


def test_a_process_that_dies_before_the_others_took_it_off_leaves_nothing_out(process: Process) -> None:
    process.park(0)
    process.park(1, 3)
    process.park(2, 5)
    process.clock.advance(600)
    process.worlds[1].turn()
    assert [count for _, count in told(process.log)] == [1, 8]
    process.start()
    process.turns()
    assert [count for _, count in told(process.log)] == [1, 8], "partition 1 knows that people were told"
    process.clock.advance(600)
    process.turns()
    assert [count for _, count in told(process.log)] == [1, 8, 5], "partition 2 does not"


def test_a_partition_that_leaves_while_it_tells_does_not_silence_the_others(process: Process) -> None:
    process.park(0)
    process.park(1)
    process.park(2)
    process.clock.advance(600)
    process.worlds[1].log.commit_fails = "before"
    with pytest.raises(LogUnavailable):
        process.worlds[1].turn()
    process.board.leave(1)
    del process.worlds[1]
    process.turns()
    assert [count for _, count in told(process.log)] == [1, 1], "who has partition 1 now tells what it parked"


def test_who_hangs_while_it_tells_is_not_waited_for_for_long() -> None:
    board = AlarmBoard(ALARMS)
    one, two = Teller(1), Teller(2)
    for teller in (one, two):
        board.restore(teller, {"police": Noted(0, 1, "A", "c1", "HTTP 400")})
    assert board.claim(one, "police", 5) is not None
    assert board.claim(two, "police", 6) is None
    assert board.due("police", 6) == 5 + MINUTE
    assert board.claim(two, "police", 5 + MINUTE) is not None
    board.stored(one, "police", Noted(5), None)
    assert board.taken(two) == {}, "it tells that itself by now"


STEPS = st.lists(
    st.tuples(st.just("park"), st.integers(0, 2))
    | st.tuples(st.just("pass"), st.sampled_from([1, 300, 600, 900]))
    | st.tuples(st.sampled_from(["turn", "turn", "before", "after", "outputs"]), st.integers(0, 2))
    | st.tuples(st.just("die"), st.just(0)),
    max_size=25,
)


@given(STEPS)
def test_in_any_order_of_events_all_that_was_parked_is_told(steps: list[tuple[str, int]]) -> None:
    clock = Clock()
    log = open_log("memory://", partitions=3, now=clock, limits=SMALL)
    process = Process(log, clock)
    parked, trouble = 0, False
    for what, number in steps:
        if what == "park":
            process.park(number)
            parked += 1
        elif what == "pass":
            clock.advance(number)
        elif what == "die":
            process.start()
            trouble = True
        else:
            world = process.worlds[number]
            world.log.commit_fails = what if what in ("before", "after") else ""
            world.log.reading_fails = what if what == "outputs" else ""
            try:
                world.turn()
            except LogUnavailable:
                trouble = True
            world.log.commit_fails = world.log.reading_fails = ""
    while (at := process.turns()) < NEVER:
        clock.now = max(clock.now, at)
    found = told(log)
    assert sum(count for _, count in found) >= parked
    if not trouble:
        assert sum(count for _, count in found) == parked
        assert all(later - at >= 10 * MINUTE for (at, _), (later, _) in itertools.pairwise(found))
    log.close()


async def test_an_engine_tells_of_three_partitions_with_one_alarm(log: Log, clock: Clock) -> None:
    async def refuse(work: Work) -> Any:
        return FINAL

    leases = [decide(log, *names(f"p{p}-", 20), partition=p) for p in range(3)]
    async with engine(log, Adapter(refuse).target(alarm=ALARMS["police"]), clock=clock, leases=leases) as delivery:
        await until(lambda: delivery.counts["parked|police"] == 60)
        assert len(told(log)) == 1
        clock.advance(600)
        for partition in range(3):
            delivery.notify(partition)
        await until(lambda: all(not noted(log, p).untold for p in range(3)))
    assert [count for _, count in told(log)] == [told(log)[0][1], 60 - told(log)[0][1]]
