"""What stands still though work waits is told, and shown until it moves."""

import asyncio
import threading
from typing import Any, NamedTuple

import pytest
import structlog

from orchestrator import watchdog
from orchestrator.watchdog import Stalled, Watchdog
from streams.log import PartitionStatus
from streams.worker import RULES


class View(NamedTuple):
    partition: int
    state: str = "running"
    reason: str = ""


class Watched:
    """A watchdog whose clock, log and views a test moves by hand."""

    def __init__(self) -> None:
        self.clock = 0.0
        self.state = "running"
        self.failures: list[tuple[str, BaseException]] = []
        self.dog = Watchdog(
            self,  # type: ignore[arg-type]
            lambda: [View(0, self.state), View(1, self.state)],  # type: ignore[list-item]
            lambda partition: 0,
            monotonic=lambda: self.clock,
            failed=lambda where, error: self.failures.append((where, error)),
        )

    def look(self, after: float, position: int, tail: int, shown: int | None = None, owner: str | None = "me") -> None:
        """The other partition is at its end."""
        self.clock += after
        statuses = [
            PartitionStatus(0, owner, 1, tail, 0, {RULES: position}, 0),
            PartitionStatus(1, "me", 1, 5, 0, {RULES: 5}, 0),
        ]
        self.dog.look(statuses, {0: position if shown is None else shown, 1: 5})

    def status(self) -> Any:
        raise NotImplementedError


def test_a_position_that_stands_while_events_wait_is_told_once_and_shown_until_it_moves() -> None:
    watched = Watched()
    for _ in range(4):
        watched.look(30, 7, 9)
    ((where, error),) = watched.failures
    assert where == "evaluation of partition 0"
    assert isinstance(error, Stalled)
    assert watched.dog.problems() == ["evaluation of partition 0: stands at 7 for 90 s though 2 wait"]
    assert (watched.dog.stalled(0), watched.dog.stalled(1)) == (True, False)
    watched.look(1, 8, 9)
    assert watched.dog.problems() == []
    assert not watched.dog.stalled(0)
    watched.look(61, 8, 9)
    assert len(watched.failures) == 2, "another stall is another error"


def test_query_tables_that_fall_behind_are_told_too() -> None:
    watched = Watched()
    for _ in range(3):
        watched.look(40, 9, 9, shown=3)
    assert [where for where, _ in watched.failures] == ["query-tables of partition 0"]
    assert "though 6 wait" in watched.dog.problems()[0]


def test_query_tables_that_another_process_feeds_are_its_to_watch() -> None:
    watched = Watched()
    for _ in range(3):
        watched.clock += 40
        watched.dog.look([PartitionStatus(0, "another", 1, 9, 0, {RULES: 9}, 0)], {0: None})
    assert (watched.failures, watched.dog.problems()) == ([], [])


def test_a_partition_that_nobody_owns_is_told_and_no_reason_to_start_this_process_again() -> None:
    watched = Watched()
    watched.state = "waiting"
    for _ in range(3):
        watched.look(40, 7, 9, owner=None)
    assert [where for where, _ in watched.failures] == ["ownership of partition 0"]
    assert watched.dog.problems() == [
        "ownership of partition 0: nobody owns it, and it stands at 7 for 80 s though 2 wait"
    ]
    assert watched.dog.stalled(0)
    assert watched.dog.hangs() == []
    watched.look(1, 7, 9, owner="another")
    assert watched.dog.problems() == []


@pytest.mark.parametrize(
    "positions",
    [
        [(7, 7), (7, 7), (7, 7)],
        [(7, 9), (8, 10), (9, 11)],
        [(7, 9), (9, 9), (9, 11)],
    ],
)
def test_what_moves_or_has_nothing_to_do_is_left_alone(positions: list[tuple[int, int]]) -> None:
    watched = Watched()
    for position, tail in positions:
        watched.look(50, position, tail)
    assert (watched.failures, watched.dog.problems()) == ([], [])


def test_partitions_of_others_and_failures_that_are_known_are_not_the_watchdogs() -> None:
    watched = Watched()
    for watched.state in ("waiting", "failed"):
        for _ in range(3):
            watched.look(60, 7, 9)
    assert watched.failures == []


def test_partitions_that_change_state_together_are_one_line_of_the_log() -> None:
    watched = Watched()
    watched.dog._logger = structlog.get_logger()
    with structlog.testing.capture_logs() as lines:
        watched.look(1, 7, 7)
        watched.look(1, 7, 7)
        watched.state = "waiting"
        watched.look(1, 7, 7)
    assert [(line["state"], line["partitions"]) for line in lines] == [("running", [0, 1]), ("waiting", [0, 1])]


async def test_a_log_that_gives_no_answer_is_told_and_what_keeps_it_from_answering_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watchdog, "EVERY", 0.001)
    monkeypatch.setattr(watchdog, "SILENCE", 0.01)
    watched = Watched()
    answer = threading.Event()

    def status() -> Any:
        assert answer.wait(20)
        raise OSError("disk on fire")

    watched.status = status  # type: ignore[method-assign]
    told = asyncio.Queue[str]()
    watched.dog._failed = lambda where, error: told.put_nowait(where)
    running = asyncio.create_task(watched.dog.run())
    async with asyncio.timeout(20):
        assert await told.get() == "log"
        await asyncio.sleep(0)
        assert "gives no answer" in watched.dog.problems()[0]
        answer.set()
        assert await told.get() == "watchdog"
    running.cancel()
    assert watched.dog.problems() == []
