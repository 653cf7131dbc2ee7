"""Several agents over one log: each holds its share, partitions move one by one, and clocks are told across."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from streams.agent import Agent
from streams.backends.limits import LogLimits
from streams.backends.memory import MemoryLog
from streams.fingerprints import CHUNK, Fingerprints
from streams.log import AGENT, Append, Fork, Log
from streams.ownership import shares
from streams.state import Change
from tests.agent.running import HOUR, SECOND, Running, counting, event
from tests.conformance.backends import Clock
from tests.rules.compile import building as build

PARTITIONS = 8


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(clock: Clock) -> Log:
    return MemoryLog(PARTITIONS, clock, LogLimits())


def rounds(clock: Clock, *agents: Agent, count: int = 12, seconds: float = 0.1) -> None:
    for _ in range(count):
        for agent in agents:
            while agent.round():
                pass
        clock.advance(seconds)


def holders(log: Log) -> list[str | None]:
    return [status.owner for status in log.status()]


def test_members_share_the_partitions_and_take_over_when_one_leaves(log: Log, clock: Clock) -> None:
    running = Running(log, counting(), clock, lease=1.0).activate()
    first, second = running.agent("first"), running.agent("second")
    rounds(clock, first)
    assert holders(log) == ["first"] * PARTITIONS

    rounds(clock, first, second)
    assert holders(log) == [shares(["first", "second"], PARTITIONS)[number] for number in range(PARTITIONS)]
    assert Counter(holders(log)) == {"first": 4, "second": 4}
    assert first.partitions + second.partitions != []

    second.leave()
    rounds(clock, first, count=5)
    assert holders(log) == ["first"] * PARTITIONS
    assert not running.failures


def test_partitions_of_a_member_that_died_are_taken_when_its_lease_is_over(log: Log, clock: Clock) -> None:
    running = Running(log, counting(), clock, lease=1.0).activate()
    first, second = running.agent("first"), running.agent("second")
    rounds(clock, first, second)
    died = clock()

    while "second" in holders(log) or None in holders(log):
        rounds(clock, first, count=1)
        assert clock() - died < 2 * SECOND
    assert holders(log) == ["first"] * PARTITIONS
    # And if it was only asleep: it is refused, and comes back for its share.
    rounds(clock, second, first, count=20)
    assert Counter(holders(log)) == {"first": 4, "second": 4}
    assert not running.failures


def test_what_is_decided_while_partitions_move_is_decided_once(log: Log, clock: Clock) -> None:
    running = Running(log, counting(), clock, lease=1.0).activate()
    agents = [running.agent(f"agent {number}") for number in range(3)]
    for turn in range(30):
        running.publish(*(event("paid", f"k{key}") for key in range(40)))
        working = agents[: 1 + turn % 3]
        rounds(clock, *working, count=2)
        if turn % 7 == 6:
            agents[2].leave()
            agents[2] = running.agent(f"agent {turn}")
    for agent in agents:
        agent.leave()
    running.settle()

    commands = running.commands()
    assert Counter(command.key for command in commands) == {f"k{key}": 1 for key in range(40)}
    assert all(running.row("totals", f"k{key}") == {"count": 30} for key in range(40))


def deadline():
    return build.compiled(build.rule("late", "opened", build.command(), after=HOUR))


def test_a_partition_ticks_only_as_far_as_those_of_other_members_are(log: Log, clock: Clock) -> None:
    running = Running(log, deadline(), clock, lease=10.0).activate()
    first, second = running.agent("first"), running.agent("second")
    rounds(clock, first, second)
    running.publish(*(event("opened", f"k{number}", clock()) for number in range(40)))
    rounds(clock, first, second)
    assert running.commands() == []

    # The second sleeps, within its lease: nothing is due for the first, because what the second has not handled
    # yet may still be forwarded to it.
    clock.advance(HOUR / SECOND)
    log.beat("second", AGENT, {}, 10_000.0)
    for partition in second.partitions:
        lease = log.acquire(partition, "second", 10_000.0)
        assert lease is not None
    rounds(clock, first)
    assert running.commands() == []

    rounds(clock, first, second, count=30)
    assert len(running.commands()) == 40
    assert not running.failures


def test_after_a_fork_everything_is_read_again(log: Log, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    running = Running(log, counting(), clock, lease=1.0).activate()
    agent = running.agent("first")
    rounds(clock, agent)
    before = [status.epoch for status in log.status()]

    monkeypatch.setattr(MemoryLog, "forks", [Fork(2, 3, 17, clock())])
    rounds(clock, agent)

    assert [status.epoch for status in log.status()] == [epoch + 1 for epoch in before]
    assert agent.partitions == list(range(PARTITIONS))
    assert not running.failures


def test_what_is_held_stays_held_while_taking_more_takes_longer_than_a_lease(
    log: Log, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = Running(log, counting(), clock, lease=1.0).activate()
    for partition in range(PARTITIONS):
        log.append([Append(partition, [event("paid", "k") for _ in range(5 * CHUNK)])])
    running.settle()
    seen: list[tuple[list[str | None], Sequence[str]]] = []
    remember = Fingerprints.remember

    def slow(fingerprints: Fingerprints, values: Sequence[int]) -> list[Change]:
        clock.advance(0.3)
        seen.append((holders(log), log.beat("", AGENT, {}, 1.0).members))
        return remember(fingerprints, values)

    monkeypatch.setattr(Fingerprints, "remember", slow)
    agent = running.agent("first")
    agent.round()

    assert agent.partitions == list(range(PARTITIONS))
    assert len(seen) == 5 * PARTITIONS
    for number, (owners, members) in enumerate(seen):
        taken = number // 5 + 1
        assert owners == ["first"] * taken + [None] * (PARTITIONS - taken)
        assert members == ["first"]
    assert not running.failures


def test_a_partition_that_another_took_meanwhile_is_not_held(
    log: Log, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = Running(log, counting(), clock, lease=1.0).activate()
    log.append([Append(3, [event("paid", "k") for _ in range(5 * CHUNK)])])
    running.settle()
    remember = Fingerprints.remember

    def frozen(fingerprints: Fingerprints, values: Sequence[int]) -> list[Change]:
        """Longer than the lease lasts, so that others take what is held and what is being taken."""
        clock.advance(1.1)
        log.acquire(0, "second", 100.0)
        log.acquire(3, "second", 100.0)
        return remember(fingerprints, values)

    monkeypatch.setattr(Fingerprints, "remember", frozen)
    agent = running.agent("first")
    agent.round()

    assert agent.partitions == [1, 2, *range(4, PARTITIONS)]
    assert [view.state for view in agent.views()] == ["waiting", *["running"] * 2, "waiting", *["running"] * 4]
    assert not running.failures


def test_what_was_being_taken_when_the_log_lost_events_is_taken_again(
    log: Log, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = Running(log, counting(), clock, lease=1.0).activate()
    log.append([Append(3, [event("paid", "k") for _ in range(2 * CHUNK)])])
    running.settle()
    before = [status.epoch for status in log.status()]
    remember = Fingerprints.remember

    def forked(fingerprints: Fingerprints, values: Sequence[int]) -> list[Change]:
        monkeypatch.setattr(MemoryLog, "forks", [Fork(5, 3, 17, clock())])
        return remember(fingerprints, values)

    monkeypatch.setattr(Fingerprints, "remember", forked)
    agent = running.agent("first")
    agent.round()
    assert agent.partitions == [4, 5, 6, 7]
    agent.round()

    assert agent.partitions == list(range(PARTITIONS))
    assert [status.epoch for status in log.status()] == [
        epoch + (2 if partition <= 3 else 1) for partition, epoch in enumerate(before)
    ]
    assert not running.failures
