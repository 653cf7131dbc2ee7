"""People are told of what was parked and of a target that stays down: once, and then not again for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adapters.alarm_board import AlarmPolicy
from adapters.breaker import BreakerPolicy
from adapters.gates import GatePolicy
from streams.event import ALARM
from streams.outputs import Command, read_instead
from streams.state import NEVER
from tests.adapters.world import FINAL, POLICY, RETRY, World

Make = Callable[..., World]
MINUTE = 60_000_000


@pytest.fixture
def world(make_world: Make) -> World:
    policies = dict.fromkeys(("police", "bank", "alerts"), POLICY)
    alarms = {name: AlarmPolicy(every=10 * MINUTE, open=5 * MINUTE) for name in policies}
    breaker = GatePolicy(BreakerPolicy(failures=0.5, window=60.0, minimum=2, pause=60.0, longest=3_600.0))
    return make_world(targets=policies, alarms=alarms, gates={"police": breaker, "alerts": breaker})


def alarms(world: World) -> list[dict[str, Any]]:
    """The arguments of each alert, after a look at the rest of it."""
    found = []
    for event in world.log._log.read(0, 0, 10_000).events:
        if event.type == ALARM:
            (command,) = read_instead(event.data).outputs
            assert isinstance(command, Command)
            assert (command.command, command.to, command.key) == ("alert", "alerts", "A")
            found.append(command.args)
    return found


def park(world: World, *names: str, to: str = "police") -> None:
    world.decide(*names, to=to)
    world.turn(*((work, FINAL) for work in world.lease(to=to)))


def test_of_a_parked_command_people_are_told_at_once(world: World) -> None:
    park(world, "c1")
    assert alarms(world) == [
        {
            "text": "a command to police was parked and needs a decision: HTTP 400",
            "severity": "warning",
            "target": "police",
            "parked": 1,
        }
    ]


def test_what_follows_is_told_as_a_number_when_the_time_is_over(world: World) -> None:
    park(world, "c1")
    for number in range(2, 6):
        park(world, f"c{number}")
    park(world, "b1", to="bank")
    assert [each["target"] for each in alarms(world)] == ["police", "bank"]
    turn = world.turn()
    assert turn.next_at == world.clock() + 10 * MINUTE
    world.clock.advance(600)
    assert world.turn().next_at == NEVER
    assert alarms(world)[2]["text"] == "4 commands to police were parked and need a decision: HTTP 400"
    world.clock.advance(6_000)
    world.turn()
    assert len(alarms(world)) == 3, "nothing happened since"


def test_another_owner_knows_what_was_told_and_what_is_to_be_told(world: World) -> None:
    park(world, "c1")
    park(world, "c2")
    world.restart()
    world.turn()
    assert len(alarms(world)) == 1
    world.clock.advance(600)
    world.restart()
    world.turn()
    assert [each["parked"] for each in alarms(world)] == [1, 1]


@pytest.mark.parametrize("how", ["before", "after"])
def test_an_alarm_is_given_once_though_a_commit_fails(world: World, how: str) -> None:
    world.decide("c1")
    works = world.lease()
    world.log.commit_fails = how
    with pytest.raises(Exception, match="commit"):
        world.turn(*((work, FINAL) for work in works))
    world.turn()
    assert [each["parked"] for each in alarms(world)] == [1]


def test_alerts_that_are_parked_or_whose_target_is_down_make_no_alarm(world: World) -> None:
    park(world, "a1", to="alerts")
    world.decide("a2", "a3", to="alerts")
    for _ in range(8):
        world.turn(*((work, RETRY) for work in world.lease(to="alerts")))
        world.clock.advance(3_600)
    assert alarms(world) == []


def test_of_a_breaker_that_stays_open_people_are_told_and_not_of_one_that_closes_soon(world: World) -> None:
    world.decide("c1", "c2", "c3", "c4")
    world.turn(*((work, RETRY) for work in world.lease(2)))
    told = []
    for pause in (60, 120, 240, 480):
        world.clock.advance(pause)
        world.turn(*((work, RETRY) for work in world.lease(1)))
        told.append(len(alarms(world)))
    assert told == [0, 0, 1, 1], "after one, three, seven and fifteen minutes"
    alarm = alarms(world)[0]
    assert alarm["text"] == "target police has not answered for 7 min, and its commands wait: busy"
    assert alarm["severity"] == "critical"
