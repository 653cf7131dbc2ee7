"""Commands that have ended leave the ledger after their time, and only those."""

from __future__ import annotations

from collections.abc import Callable

from adapters.ledger import CURSOR, DELIVERY
from adapters.retention import PAGE, REST, STEP
from adapters.turn import Bounds
from tests.adapters.world import DONE, FINAL, World

DAY = 86_400.0


def walk(world: World, steps: int = 1) -> None:
    for _ in range(steps):
        world.clock.advance((STEP + 1) / 1e6)
        world.turn()


def test_what_ended_long_ago_is_forgotten_and_what_is_parked_or_open_stays(make_world: Callable[..., World]) -> None:
    world = make_world(bounds=Bounds(kept=int(30 * DAY * 1e6)))
    world.decide("cancelled", "done", "open", "parked")
    world.decide("shadow", shadow=True)
    world.ask("cancel", "cancelled")
    works = {work.id: work for work in world.lease()}
    world.turn((works["done"], DONE), (works["parked"], FINAL))
    world.clock.advance(29 * DAY)
    world.turn()
    assert len(world.entries()) == 5
    world.clock.advance(2 * DAY)
    turn = world.turn()
    assert world.entries().keys() == {"open", "parked"}
    assert turn.counts["forgotten|police"] == 3
    assert CURSOR in world.log._log.rows(0, DELIVERY, [CURSOR])


def test_a_long_ledger_is_walked_in_steps_and_then_there_is_rest(make_world: Callable[..., World]) -> None:
    world = make_world(bounds=Bounds(kept=1_000_000, page=5_000, capacity=5_000))
    names = [f"c{number:05}" for number in range(PAGE + 100)]
    world.decide(*names, shadow=True)
    world.turn()
    world.clock.advance(REST / 1e6)
    walk(world)
    assert 0 < len(world.entries()) <= 101
    walk(world)
    assert world.entries() == {}
    turn = world.turn()
    assert turn.next_at == world.clock() + REST, "nothing calls before that"
    world.restart()
    assert world.turn().works == []


def test_by_default_everything_stays_and_nothing_is_walked(world: World) -> None:
    world.decide("c1")
    (work,) = world.lease()
    world.turn((work, DONE))
    world.clock.advance(10_000 * DAY)
    assert world.turn().next_at > world.clock() + int(1e15)
    assert world.entries().keys() == {"c1"}
