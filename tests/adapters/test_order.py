"""Commands with `order: key` are delivered one after the other, in the order of decision; others pass them by."""

from __future__ import annotations

from adapters.lanes import PREFIX
from adapters.ledger import DELIVERY, State
from streams.outputs import Command, Terms
from tests.adapters.world import DONE, FINAL, RETRY, World, ids


def decide(world: World, *names: str, to: str = "police", key: str = "A", lives: int = 0, order: bool = True) -> None:
    terms = Terms(order=order, expires=lives * 1_000_000)
    for name in names:
        command = Command(name, "do", to, "rule", key, world.clock(), "e1", {"n": name}, "digest", terms=terms)
        world.decided[name] = command
    world.decide(*names)


def lanes(world: World) -> int:
    return len(world.log._log.scan(0, DELIVERY, PREFIX, "", 100))


def test_the_next_is_sent_when_the_one_before_is_done(world: World) -> None:
    decide(world, "c1", "c2", "c3")
    for name in ("c1", "c2", "c3"):
        (work,) = world.lease()
        assert work.id == name
        world.turn((work, DONE))
    assert lanes(world) == 0


def test_what_is_tried_again_holds_back_what_stands_behind_it_and_nothing_else(world: World) -> None:
    decide(world, "c1", "c2")
    decide(world, "free", order=False)
    decide(world, "other-key", key="B")
    decide(world, "other-target", to="bank")
    first, *others = world.lease()
    assert [first.id, *ids(others)] == ["c1", "free", "other-key"]
    assert ids(world.lease(to="bank")) == ["other-target"]
    world.turn((first, RETRY))
    assert world.lease() == []
    assert world.entry("c2").summary()["waits_for"] == "c1"
    assert world.entry("c2").summary()["next_at"] is None
    world.clock.advance(1.0)
    (again,) = world.lease()
    assert again.id == "c1"
    world.turn((again, DONE))
    assert ids(world.lease()) == ["c2"]


def test_whatever_ends_the_first_lets_the_next_go(world: World) -> None:
    decide(world, "parked", "cancelled", "last")
    (work,) = world.lease()
    world.turn((work, FINAL))
    (work,) = world.lease()
    assert work.id == "cancelled"
    world.turn((work, RETRY))
    world.ask("cancel", "cancelled")
    assert ids(world.lease()) == ["last"]


def test_one_that_waits_is_cancelled_or_expires_in_its_place(world: World) -> None:
    decide(world, "c1", "c2")
    decide(world, "c3", lives=5)
    decide(world, "c4")
    (work,) = world.lease()
    world.ask("cancel", "c2")
    world.turn()
    world.clock.advance(5.0)
    world.turn()
    assert [world.state(name) for name in ("c2", "c3")] == [State.CANCELLED, State.EXPIRED]
    assert world.entry("c4").before == "c1"
    world.turn((work, DONE))
    assert ids(world.lease()) == ["c4"]


def test_what_is_redriven_stands_at_the_end(world: World) -> None:
    decide(world, "c1", "c2")
    (work,) = world.lease()
    world.turn((work, FINAL))
    (second,) = world.lease()
    decide(world, "c3")
    world.ask("redrive", "c1")
    world.turn((second, DONE))
    (work,) = world.lease()
    assert work.id == "c3"
    world.turn((work, DONE))
    assert ids(world.lease()) == ["c1"]


def test_the_line_is_the_same_for_another_owner_and_takes_no_memory(world: World) -> None:
    names = [f"c{number:03}" for number in range(40)]
    decide(world, *names)
    for name in names:
        world.restart()
        (work,) = world.lease()
        assert work.id == name
        world.turn((work, DONE))
    assert lanes(world) == 0
