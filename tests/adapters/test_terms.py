"""What a command's terms say is done in delivery: an attempt's time, and when it is too late."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from adapters.ledger import State
from adapters.retry import RetryPolicy
from adapters.work import Outcome
from streams import rfc3339
from streams.event import DERIVED, OURSELVES, Event
from streams.outputs import Command, Derived, Terms, decode, encode
from streams.state import NEVER
from tests.adapters.world import DONE, FINAL, RETRY, RETURNED, World, ids
from tests.conformance.backends import Clock

SECOND = 1_000_000


def decide(world: World, name: str, *, lives: float = 0.0, timeout: float = 0.0, to: str = "police") -> Command:
    """Fired just now."""
    terms = Terms(timeout=int(timeout * SECOND), expires=int(lives * SECOND))
    at = world.clock()
    command = Command(name, "do", to, "rule", "A", at, "e1", {"n": name}, "digest", terms=terms)
    world.decided[name] = command
    world.decide(name)
    return command


def test_a_command_without_terms_takes_four_bytes_for_it_and_one_from_before_terms_is_read() -> None:
    command = Command("c1", "do", "police", "rule", "A", 5, "e1", {}, "digest")
    text = encode([command])
    assert text.endswith(b",null]\n")
    assert decode(text.replace(b",null]", b"]")) == [command]
    assert command.expires_at == NEVER


def test_terms_come_through_the_log_whole(world: World) -> None:
    inner = Command("c2", "call", "bank", "rule", "A", 5, "e1", {"x": [1]}, "digest", terms=Terms(expires=7))
    command = Command("c1", "do", "police", "rule", "A", 5, "e1", {}, "digest", terms=Terms(1, 2, True, (inner,)))
    assert decode(encode([command])) == [command]
    world.decided["c1"] = command
    world.decide("c1")
    world.turn()
    assert world.entry("c1").command == command


def test_what_has_not_succeeded_in_time_expires_and_rules_are_told(world: World) -> None:
    command = decide(world, "c1", lives=10)
    (work,) = world.lease()
    world.turn((work, RETRY))
    world.clock.advance(9.9)
    assert world.turn().next_at <= command.expires_at
    world.clock.advance(0.1)
    world.turn()
    assert world.state("c1") is State.EXPIRED
    (event,) = world.results()
    assert (event.type, event.key, event.id, event.time) == (
        "orchestrator.command.expired",
        "A",
        "c1.expired",
        world.clock(),
    )
    reason = f"it had to succeed by {rfc3339.format(command.expires_at)}; the last: busy"
    assert event.payload() | {"reason": reason} == event.payload()
    assert world.entry("c1").last_error == reason
    assert world.lease() == []


def test_it_expires_though_nobody_asks_for_work_and_the_turn_says_when_to_come_again(world: World) -> None:
    command = decide(world, "c1", lives=10)
    assert world.turn().next_at == command.expires_at
    world.clock.advance(10)
    turn = world.turn()
    assert world.state("c1") is State.EXPIRED
    assert turn.counts["expired|police"] == 1
    assert turn.next_at == NEVER


def test_what_is_dated_so_long_ago_that_it_is_too_late_is_never_sent(world: World) -> None:
    decide(world, "c1", lives=10)
    world.clock.advance(60)
    decide(world, "c2", lives=60)
    assert ids(world.lease()) == ["c2"]
    assert world.told() == [("expired", "c1")]


def test_it_counts_from_the_firing_time_also_where_that_lies_ahead(world: World) -> None:
    command = decide(world, "c1", lives=10)
    world.clock.advance(-20)
    world.turn()
    world.clock.advance(29)
    assert ids(world.lease()) == ["c1"]
    assert world.clock() < command.expires_at


def test_what_is_being_sent_when_its_time_ends_may_still_succeed(world: World) -> None:
    decide(world, "c1", lives=10)
    (work,) = world.lease()
    world.clock.advance(11)
    world.turn()
    assert world.state("c1") is State.IN_FLIGHT
    world.turn((work, DONE))
    assert world.told() == [("succeeded", "c1")]


@pytest.mark.parametrize(
    ("outcome", "told"), [(RETRY, "expired"), (RETURNED, "expired"), (FINAL, "parked")], ids=["retry", "returned", "no"]
)
def test_what_was_being_sent_when_its_time_ended_is_not_sent_again(world: World, outcome: Outcome, told: str) -> None:
    decide(world, "c1", lives=10)
    (work,) = world.lease()
    world.clock.advance(11)
    world.turn((work, outcome))
    assert world.told() == [(told, "c1")]


def test_a_lease_that_runs_out_after_the_time_expires_the_command(world: World) -> None:
    decide(world, "c1", lives=10)
    world.lease(ttl=20)
    world.clock.advance(20)
    world.turn()
    assert world.told() == [("expired", "c1")]


def test_a_new_owner_does_not_send_what_expired_while_the_one_before_sent_it(world: World) -> None:
    decide(world, "c1", lives=10)
    world.lease()
    world.restart()
    world.clock.advance(11)
    assert world.lease() == []
    assert world.told() == [("expired", "c1")]


def test_after_a_restart_what_waits_still_expires_in_time(world: World) -> None:
    decide(world, "c1", lives=10)
    (work,) = world.lease()
    world.turn((work, RETRY))
    world.restart()
    world.clock.advance(10)
    world.turn()
    assert world.told() == [("expired", "c1")]


def test_a_command_that_was_parked_stays_so_and_is_not_sent_when_it_is_redriven_too_late(world: World) -> None:
    decide(world, "c1", lives=10)
    (work,) = world.lease()
    world.turn((work, FINAL))
    world.clock.advance(60)
    world.turn()
    assert world.state("c1") is State.PARKED
    world.ask("redrive", "c1")
    assert world.lease() == []
    assert world.told() == [("parked", "c1"), ("expired", "c1")]


def test_a_shadow_never_expires(world: World) -> None:
    command = Command("c1", "do", "police", "rule", "A", 0, "e1", {}, "digest", shadow=True, terms=Terms(expires=1))
    world.decided["c1"] = command
    world.decide("c1")
    world.turn()
    assert world.state("c1") is State.SHADOW
    assert world.told() == []


def test_those_beyond_memory_expire_too_each_once(world: World) -> None:
    names = [f"c{number:02}" for number in range(20)]
    for name in names:
        decide(world, name, lives=10)
    while world.turn().more:
        pass
    world.clock.advance(10)
    for _ in range(20):
        world.turn()
    assert sorted(world.told()) == [("expired", name) for name in names]


def test_a_retry_that_would_come_too_late_ends_when_the_time_does(log: Any, clock: Clock) -> None:
    slow = RetryPolicy(initial=3_600, factor=1, max=3_600, attempts=4, elapsed=86_400)
    world = World(log, clock, {"police": slow})
    decide(world, "c1", lives=10)
    (work,) = world.lease()
    world.turn((work, RETRY))
    world.restart()  # nothing is known but what is stored
    assert world.turn().next_at == world.decided["c1"].expires_at
    world.clock.advance(10)
    assert world.lease() == []
    assert world.told() == [("expired", "c1")]


def test_the_time_of_an_attempt_goes_with_the_work_and_the_lease_lasts_as_much_longer(world: World) -> None:
    decide(world, "c1", timeout=90)
    decide(world, "c2")
    first, second = world.lease(ttl=60)
    assert (first.timeout, first.deadline) == (90.0, world.clock() + 150 * SECOND)
    assert (second.timeout, second.deadline) == (0.0, world.clock() + 60 * SECOND)


def test_views_show_the_terms_and_the_line_that_targets_get_does_not(world: World) -> None:
    at = world.clock()
    inner = Command("c2", "call", "bank", "rule", "A", at, "e1", {"x": 1}, "digest")
    event = Event("asked", 5, "A", "A", OURSELVES, "d1", 1, msgspec.Raw(b'{"y":1}'), DERIVED)
    terms = Terms(2_500_000, 10 * SECOND, True, (inner, Derived("rule", event)))
    world.decided["c1"] = Command("c1", "do", "police", "rule", "A", at, "e1", {}, "digest", terms=terms)
    world.decide("c1")
    (work,) = world.lease()
    assert b"timeout" not in work.body
    shown = world.entry("c1").summary()
    assert shown["timeout"] == 2.5
    assert shown["expires_at"] == rfc3339.format(at + 10 * SECOND)
    assert shown["order"] == "key"
    assert shown["fallback"] == [inner.document(), {"id": "d1", "emit": "asked", "subject": "A", "data": {"y": 1}}]
