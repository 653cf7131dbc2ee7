"""What queries answer, and how lists of commands are paged."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections.query import CommandFilter, Queries, QueryError
from projections.refill import refill
from projections.stores.redis import store as redis
from streams.state import Change
from tests.projections.conftest import World, decode_command, url_of

ALL = CommandFilter()


def ids(world: World, filter: CommandFilter = ALL, limit: int = 100) -> list[str]:
    """Over all pages."""
    found: list[str] = []
    cursor = None
    while True:
        page = world.queries.commands(filter, limit, cursor)
        assert len(page.commands) <= limit
        found += [command["id"] for command in page.commands]
        if page.next is None:
            return found
        assert len(page.commands) == limit
        cursor = page.next


def test_an_absent_row_has_a_position_too(world: World) -> None:
    end = world.put("A", 5, fines={"n": 1})
    world.feeder.catch_up()
    partition = world.partition("A")
    absent = next(key for key in map(str, range(100)) if world.partition(key) == partition)
    row = world.queries.row("fines", absent)
    assert (row.key, row.row, str(row.as_of)) == (absent, None, f"1.{partition}.{end}")


def test_a_position_stands_for_the_partition_of_the_key(world: World) -> None:
    world.put("A", fines={"n": 1})
    world.feeder.catch_up()
    other = next(key for key in map(str, range(100)) if world.partition(key) != world.partition("A"))
    assert world.queries.row("fines", other).as_of == (1, world.partition(other), 0)


def test_positions_carry_the_generation_that_the_log_has_now(world: World) -> None:
    generation = 1
    queries = Queries(world.store, lambda: generation)
    world.put("A", fines={"n": 1})
    world.feeder.catch_up()
    assert str(queries.row("fines", "A").as_of) == f"1.{world.partition('A')}.1"
    generation = 2
    assert str(queries.row("fines", "A").as_of) == f"2.{world.partition('A')}.1"


@pytest.mark.parametrize("key", ["", "ä", "\0", "a/b", "'; DROP TABLE commands --", "x" * 10_000])
def test_any_key_can_be_asked_for(world: World, key: str) -> None:
    world.put(key, fines={"n": 1})
    world.feeder.catch_up()
    assert world.queries.row("fines", key).row == {"n": 1}


def test_questions_that_make_no_sense_are_refused(world: World) -> None:
    queries = world.queries
    with pytest.raises(QueryError, match="no projection `other`; there are: classes, fines"):
        queries.row("other", "A")
    with pytest.raises(QueryError, match="surrogate"):
        queries.row("fines", "\ud800")
    with pytest.raises(QueryError, match="surrogate"):
        queries.commands(CommandFilter(key="\ud800"))
    assert queries.command("\ud800") is None
    for limit in (0, -1, 1001):
        with pytest.raises(QueryError, match="limit"):
            queries.commands(ALL, limit)


@pytest.mark.parametrize(
    "cursor", ["", "x", "ä", "W10", "WzEsMl0", "WzFlOTksICJhIl0", "WzEsImEiXQ" + "=" * 9, "!!!!", "A" * 5000]
)
def test_a_cursor_that_is_none_of_ours_is_refused(world: World, cursor: str) -> None:
    with pytest.raises(QueryError, match="cursor"):
        world.queries.commands(ALL, 10, cursor)


def test_commands_are_listed_newest_first(world: World) -> None:
    for at, id in ((3, "a"), (1, "b"), (3, "c"), (2, "d")):
        world.decide(id, at=at)
    world.feeder.catch_up()
    assert ids(world) == ["c", "a", "d", "b"]


def test_a_command_decided_between_two_pages_makes_none_appear_twice_or_not_at_all(world: World) -> None:
    for number in range(6):
        world.decide(f"c{number}", at=number)
    world.feeder.catch_up()
    first = world.queries.commands(ALL, 3)
    world.decide("new", at=100)
    world.decide("old", at=0)
    world.feeder.catch_up()
    second = world.queries.commands(ALL, 10, first.next)
    assert [command["id"] for command in first.commands] == ["c5", "c4", "c3"]
    assert [command["id"] for command in second.commands] == ["c2", "c1", "old", "c0"]


def test_what_is_not_settled_is_counted_by_target_and_state(world: World) -> None:
    def counted() -> dict[str, dict[str, int]]:
        world.feeder.catch_up()
        return world.queries.count_open(["police", "mail", "nobody"], ["pending", "parked"])

    assert counted() == {target: {"pending": 0, "parked": 0} for target in ("police", "mail", "nobody")}
    for number in range(6):
        world.decide(f"c{number}", number % 3, at=number, to="mail" if number == 5 else "police")
    assert counted()["police"] == {"pending": 5, "parked": 0}
    for number, state in enumerate(["parked", "done", "pending", "shadow", "parked"]):
        world.decide(f"c{number}", number % 3, at=number, state=state)
    assert counted()["police"] == {"pending": 1, "parked": 2}
    world.decide("c0", 0, at=0, state="pending")
    world.decide("c1", 1, at=1, state="parked")
    world.commit(1, "delivery", [Change("c4", None)])
    refill(world.log, world.store, 0, "delivery", decode_command)
    assert counted() == {
        "police": {"pending": 2, "parked": 1},
        "mail": {"pending": 1, "parked": 0},
        "nobody": {"pending": 0, "parked": 0},
    }
    world.shown()


fields = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["pending", "done", "parked", "shadow"]),
        "to": st.sampled_from(["police", "mail"]),
        "rule": st.sampled_from(["r1", "r2"]),
        "key": st.sampled_from(["A", "B"]),
        "at": st.integers(-3, 3),
    }
)


@pytest.mark.parametrize("kind", ["memory", "redis"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(fields, max_size=30), st.integers(1, 5), st.data())
def test_pages_put_together_are_the_filtered_list(
    kind: str, commands: list[dict[str, Any]], limit: int, draw: st.DataObject
) -> None:
    folder = Path(tempfile.mkdtemp())
    world = World(folder, url_of(kind, folder), partitions=3)
    try:
        for number, each in enumerate(commands):
            world.decide(f"c{number:02d}", number % 3, **each)
        world.feeder.catch_up()
        chosen = {
            name: draw.draw(st.none() | st.sampled_from(values))
            for name, values in (
                ("state", ["pending", "done", "parked", "shadow"]),
                ("to", ["police", "mail"]),
                ("rule", ["r1", "r2"]),
                ("key", ["A", "B"]),
            )
        }
        since, until = (draw.draw(st.none() | st.integers(-4, 5)) for _ in range(2))
        looks = draw.draw(st.sampled_from([2, redis.LOOKS]))
        expected = [
            (each["at"], f"c{number:02d}")
            for number, each in enumerate(commands)
            if all(value is None or each[name] == value for name, value in chosen.items())
            and (since is None or each["at"] >= since)
            and (until is None or each["at"] < until)
        ]
        with patch.object(redis, "LOOKS", looks):
            found = ids(world, CommandFilter(**chosen, since=since, until=until), limit)
        assert found == [id for _, id in sorted(expected, reverse=True)]
        counts = world.queries.count_open(["police"], ["pending", "parked"])["police"]
        assert counts == {
            state: sum((each["to"], each["state"]) == ("police", state) for each in commands) for state in counts
        }
    finally:
        world.close()
        shutil.rmtree(folder)


def test_closed_tables_say_so(world: World) -> None:
    queries = world.queries
    world.store.close()
    with pytest.raises(Exception, match="closed"):
        queries.row("fines", "A")
