"""Query tables in Redis: rule sets side by side, replacements that die, servers that are full or away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from projections.query import Queries
from projections.refill import refill
from projections.store import QueryStoreBusy, QueryStoreError, QueryStoreUnavailable, Write
from projections.stores.redis import store as tables
from projections.stores.redis.layout import unit
from projections.stores.redis.store import QueryStore
from projections.table import QueryTable, RowChange
from streams.backends.redis.url import parse
from streams.log import LogInfo
from tests.conformance.redis_servers import Servers
from tests.projections.conftest import CLASSES, FINES, World, decode_command, url_of
from tests.projections.dump import redis_hash
from tests.projections.test_feeder import scanned

EDITED = QueryTable("fines", "eee5")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, url_of("redis", tmp_path))
    yield made
    made.close()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    made = Servers(tmp_path / "servers")
    yield made
    made.stop()


def redis_of(store: Any) -> QueryStore:
    assert isinstance(store, QueryStore)
    return store


def keys(world: World) -> set[str]:
    """Of the query tables of all partitions, without what is before `:q`."""
    store = redis_of(world.store)
    found: set[str] = set()
    for partition in range(world.partitions):
        head = store._layout.head(partition)
        names = store._partitions.ask(partition, ("KEYS", f"{head}*"))
        found |= {name.decode().removeprefix(head) for name in names}
    return found


# ------------------------------------------------------------ rule sets


def test_an_edited_projection_is_a_table_beside_the_old_one(world: World) -> None:
    world.put("A", fines={"n": 1}, classes={"c": 1}, eee5={"e": 1})
    world.feeder.catch_up()
    newer = world.open((EDITED, CLASSES))
    queries = Queries(newer)
    assert (queries.row("fines", "A").row, queries.row("fines", "A").as_of.offset) == (None, 0)
    assert queries.row("classes", "A").row == {"c": 1}, "what both rule sets have is shared"

    world.make_feeder(newer).catch_up()
    assert queries.row("fines", "A").row == {"e": 1}
    assert world.queries.row("fines", "A").row == {"n": 1}
    world.put("A", fines={"n": 2}, classes={"c": 2}, eee5={"e": 2})
    world.make_feeder(newer).catch_up()
    assert world.queries.row("fines", "A").as_of.offset == 1, "nobody feeds it any more"
    assert world.queries.row("classes", "A").as_of.offset == 2
    world.feeder.catch_up()
    assert world.shown() == scanned(world)


def test_a_table_that_nobody_wrote_for_a_week_goes_with_the_next_replacement(world: World) -> None:
    world.put("A", fines={"n": 1}, eee5={"e": 1})
    world.decide("c1", world.partition("A"))
    world.feeder.catch_up()
    newer = world.open((EDITED, CLASSES))
    refill(world.log, newer, world.partition("A"), "rules", decode_command)
    assert f":{unit(FINES)}" in keys(world)
    with patch.object(tables, "UNUSED", -1):
        refill(world.log, newer, world.partition("A"), "rules", decode_command)
    assert f":{unit(FINES)}" not in keys(world)
    assert Queries(newer).row("fines", "A").row == {"e": 1}
    assert world.queries.command("c1"), "commands stay, however quiet a partition is"
    world.make_feeder().catch_up()
    assert world.queries.row("fines", "A").row == {"n": 1}, "whoever needs it makes it again"


def test_rules_without_projections_let_the_log_forget(world: World) -> None:
    world.put("A", fines={"n": 1})
    store = world.open(())
    world.make_feeder(store).catch_up()
    assert store.position(world.partition("A"), "rules") == 1
    assert world.log.feed(world.partition("A"), "rules", 0, 10) is None


# ------------------------------------------------------------ replacements


def test_nobody_else_writes_while_something_is_replaced(world: World) -> None:
    partition = world.partition("A")
    world.put("A", fines={"n": 1})
    world.feeder.catch_up()
    other = world.open()
    with world.store.replace(partition, "rules") as replacement:
        world.put("A", fines={"n": 2})
        assert other.apply([Write(partition, "rules", 1, 2)]) == [False]
        with pytest.raises(QueryStoreBusy, match="repeat"), other.replace(partition, "rules"):
            pass
        world.decide("c1", partition)
        world.make_feeder(other).catch_up()
        assert world.queries.command("c1"), "the other processor is fed meanwhile"
        assert world.queries.row("fines", "A").row == {"n": 1}
        replacement.add([RowChange(FINES, "A", '{"n":1}', 1)])
        replacement.position = 1
    world.make_feeder(other).catch_up()
    assert world.shown() == scanned(world)


def test_a_replacement_that_failed_leaves_what_was_shown_and_nothing_else(world: World) -> None:
    partition = world.partition("A")
    world.put("A", fines={"n": 1})
    world.feeder.catch_up()
    before, there = world.shown(), keys(world)
    closed = redis_of(world.open())
    closed.close()
    with pytest.raises(QueryStoreError, match="closed"):
        fail_after_adding(world, closed)
    with pytest.raises(QueryStoreError, match="ends with its position"), world.store.replace(partition, "rules"):
        pass
    assert (world.shown(), keys(world)) == (before, there)


def fail_after_adding(world: World, closed: QueryStore) -> None:
    with world.store.replace(world.partition("A"), "rules") as replacement:
        replacement.add([RowChange(FINES, "B", "{}", 1)])
        closed.count_commands()


def test_a_builder_that_died_is_waited_for_and_what_it_left_goes(world: World) -> None:
    partition = world.partition("A")
    world.put("A", fines={"n": 1})
    world.feeder.catch_up()
    with patch.object(tables, "_SILENCE", 400):
        dead = tables.Replacement(redis_of(world.store), partition, "rules")
        dead.add([RowChange(FINES, "B", "{}", 1)])
    world.put("A", fines={"n": 2})
    world.feeder.catch_up()
    assert world.queries.row("fines", "A").row == {"n": 1}, "it may be alive"
    left = f":b:{unit(FINES)}"
    assert left in keys(world)
    wait_until_gone(world, ":held:rules")
    world.feeder.catch_up()
    assert world.queries.row("fines", "A").row == {"n": 2}
    with pytest.raises(QueryStoreUnavailable, match="others may write again"):
        dead.finish(1)
    wait_until_gone(world, left)
    assert world.shown() == scanned(world)


def wait_until_gone(world: World, name: str) -> None:
    store = redis_of(world.store)
    for partition in range(world.partitions):
        key = store._layout.head(partition) + name
        left: int = store._partitions.ask(partition, ("PTTL", key))
        assert left < 5_000, "it would stay"
        # Redis ends what has run out when it is asked for.
        while store._partitions.ask(partition, ("EXISTS", key)):
            time.sleep(0.01)


def test_a_builder_that_was_silent_too_long_changes_nothing(world: World) -> None:
    partition = world.partition("A")
    world.put("A", fines={"n": 1})
    world.feeder.catch_up()
    with patch.object(tables, "_SILENCE", 50):
        slow = tables.Replacement(redis_of(world.store), partition, "rules")
        wait_until_gone(world, ":held:rules")
        refill(world.log, world.open(), partition, "rules", decode_command)
        with pytest.raises(QueryStoreUnavailable, match="others may write again"):
            slow.add([RowChange(FINES, "B", "{}", 1)])
    assert world.shown() == scanned(world)


def test_a_builder_that_finds_nothing_to_show_is_not_silent(world: World) -> None:
    store = redis_of(world.store)
    held = store._layout.held(0, "rules")
    with store.replace(0, "rules") as replacement:
        store._partitions.ask(0, ("PEXPIRE", held, 5_000))
        replacement.add()
        assert store._partitions.ask(0, ("PTTL", held)) > 5_000
        replacement.position = 1


def test_a_large_replacement_is_added_in_steps(world: World) -> None:
    partition = world.partition("A")
    names = [name for name in (f"K{number}" for number in range(20_000)) if world.partition(name) == partition]
    with patch.object(tables, "STEP", 100), world.store.replace(partition, "rules") as replacement:
        replacement.add([RowChange(FINES, name, "{}", 1) for name in names])
        replacement.position = 5
    assert world.store.count(FINES) == len(names)
    assert set(redis_hash(redis_of(world.store), partition, unit(FINES))) == set(names)
    assert world.store.position(partition, "rules") == 5
    assert not [name for name in keys(world) if name.startswith((":b:", ":held:"))]
    left = redis_of(world.store)._partitions.ask(
        partition, ("PTTL", redis_of(world.store)._layout.rows(partition, unit(FINES)))
    )
    assert left == -1, "what is shown stays"


# ------------------------------------------------------------ servers


def test_in_a_full_memory_what_was_committed_is_still_shown_but_nothing_is_made_anew(servers: Servers) -> None:
    with closing(QueryStore(parse(servers.url()), LogInfo("x", 1, 2), [FINES])) as store, servers.client() as client:
        client.config_set("maxmemory", "1mb")
        change = RowChange(FINES, "A", "{}", 1)
        assert store.apply([Write(0, "rules", 0, 1, [change])]) == [True]
        with pytest.raises(QueryStoreUnavailable, match="raise its maxmemory"), store.replace(0, "rules"):
            pass
        assert store.row(FINES, 0, "A") == ("{}", 1)


def test_what_was_read_before_a_server_began_a_new_run_is_read_again(servers: Servers) -> None:
    """Its commits may be others: a failover takes some back, and the same positions are reached anew."""
    with closing(QueryStore(parse(servers.url()), LogInfo("x", 1, 2), [FINES])) as store:
        gathered = Write(0, "rules", 0, 1, [RowChange(FINES, "A", "{}", 1)])
        assert store.position(0, "rules") == 0
        assert store.apply([gathered]) == [True]
        replacement = tables.Replacement(store, 0, "rules")
        replacement.add([RowChange(FINES, "B", "{}", 1)])
        servers.kill(servers.port)
        servers.start()
        with pytest.raises(QueryStoreUnavailable, match="repeat"):
            replacement.finish(2)
        assert store.row(FINES, 0, "B") == (None, 1)
        stale, again = (Write(0, "rules", 1, 2, [RowChange(FINES, "B", text, 2)]) for text in ("{}", '{"n":1}'))
        assert store.apply([stale]) == [False]
        assert store.position(0, "rules") == 1
        assert store.apply([again]) == [True]
        assert store.row(FINES, 0, "B") == ('{"n":1}', 2)


def test_servers_that_are_away_are_waited_for_as_long_as_was_said(servers: Servers) -> None:
    url = f"{servers.url()}&timeout=0.5&connect_timeout=0.2"
    with closing(QueryStore(parse(url), LogInfo("x", 1, 2), [FINES])) as store:
        assert store.apply([Write(0, "rules", 0, 1, [RowChange(FINES, "A", "{}", 1)])]) == [True]
        servers.kill(servers.port)
        for ask in (
            lambda: store.row(FINES, 0, "A"),
            lambda: store.command("c"),
            lambda: store.apply([Write(0, "rules", 1, 2)]),
            lambda: store.replace(0, "rules").__enter__(),
        ):
            with pytest.raises(QueryStoreUnavailable, match="query tables"):
                ask()
        servers.start()
        assert store.row(FINES, 0, "A") == ("{}", 1)
