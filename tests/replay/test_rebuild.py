"""A rebuild makes the query tables that feeding made, says how far it is, and works beside everything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from projections.store import QueryStoreBusy, QueryStoreError
from projections.stores.redis import store as redis
from projections.stores.redis.layout import COMMANDS, command_value, unit
from projections.table import CommandRow
from replay.rebuild import Progress, rebuild
from tests.projections.conftest import FINES, World, decode_command, summary, url_of
from tests.projections.dump import entries_of


@pytest.fixture(params=["sqlite", "redis"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    made = World(tmp_path, url_of(request.param, tmp_path))
    for number in range(40):
        made.put(f"K{number}", fines={"n": number}, **({"classes": {"c": 1}} if number % 2 else {}))
        made.decide(f"c{number}", partition=number % 3)
    made.feeder.catch_up()
    yield made  # type: ignore[misc]
    made.close()


def test_tables_that_were_made_again_are_those_that_were_fed(world: World) -> None:
    before = world.shown()
    result = rebuild(world.log, world.store, decode_command)
    assert world.shown() == before
    assert (result.tables, result.commands, result.read) == ({"fines": 40, "classes": 20}, 40, 40 + 40 + 3)
    assert json.loads(json.dumps(result.document()))["rows_per_second"] > 0
    assert "fines 40" in result.text()


def test_what_was_wrong_in_the_tables_is_right_again(world: World) -> None:
    before = world.shown()
    if isinstance(world.store, redis.QueryStore):
        spoil_redis(world, world.store)
    else:
        spoil_file(world)
    assert world.shown() != before
    rebuild(world.log, world.store, decode_command)
    assert world.shown() == before


def spoil_file(world: World) -> None:
    with world.file._transaction() as db:
        db.execute("DELETE FROM rows_aaa1 WHERE key = 'K3'")
        db.execute("UPDATE rows_aaa1 SET row = '{}' WHERE key = 'K4'")
        db.execute("INSERT INTO rows_aaa1 VALUES (0, 'INVENTED', 1, '{}')")
        db.execute("UPDATE commands SET state = 'parked' WHERE id = 'c1'")
        db.execute(
            "INSERT INTO commands SELECT 'x', 0, number, state, target, rule, key, at, '{}' FROM commands LIMIT 1"
        )
        db.execute("DELETE FROM counts")
        db.execute(
            "INSERT INTO counts SELECT partition, target, state, count(*) FROM commands "
            "WHERE state NOT IN ('done', 'shadow') GROUP BY partition, target, state"
        )


def spoil_redis(world: World, store: redis.QueryStore) -> None:
    rows = {key: store._layout.rows(world.partition(key), unit(FINES)) for key in ("K3", "K4", "INVENTED")}
    commands = store._layout.rows(1, COMMANDS)
    for key, call in (
        ("K3", ("HDEL", rows["K3"], "K3")),
        ("K3", ("ZREM", f"{rows['K3']}:i", "kK3")),
        ("K4", ("HSET", rows["K4"], "K4", "{}")),
        ("INVENTED", ("HSET", rows["INVENTED"], "INVENTED", "{}")),
        ("INVENTED", ("ZADD", f"{rows['INVENTED']}:i", 0, "kINVENTED")),
    ):
        store._partitions.ask(world.partition(key), call)
    value = command_value(decoded("c1"))
    store._partitions.ask(1, ("HDEL", commands, "c1"))
    store._partitions.ask(1, ("ZREM", f"{commands}:i", *entries_of("c1", value)))
    if store._partitions.ask(1, ("HINCRBY", f"{commands}:n", value[9:41], -1)) == 0:
        store._partitions.ask(1, ("HDEL", f"{commands}:n", value[9:41]))


def decoded(id: str) -> CommandRow:
    command = decode_command(id, summary(id))
    assert command is not None
    return command


def test_progress_grows_to_what_was_read(world: World) -> None:
    told: list[Progress] = []
    result = rebuild(world.log, world.store, decode_command, told.append)
    assert [progress.rows for progress in told] == sorted(progress.rows for progress in told)
    assert told[-1].rows == result.read
    assert all(progress.rows <= progress.estimate for progress in told)


def test_an_interrupted_rebuild_leaves_every_partition_whole(world: World) -> None:
    before = world.shown()

    def interrupt(progress: Progress) -> None:
        if progress.partition == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(world.log, world.store, decode_command, interrupt)
    assert world.shown() == before
    world.put("K1", fines={"n": "new"})
    world.feeder.catch_up()
    assert world.queries.row("fines", "K1").row == {"n": "new"}


def test_queries_see_the_old_rows_until_the_new_ones_are_there(world: World) -> None:
    seen: list[object] = []
    rebuild(world.log, world.store, decode_command, lambda progress: seen.append(world.queries.row("fines", "K5").row))
    assert seen
    assert all(row == {"n": 5} for row in seen)


def test_what_somebody_else_is_writing_for_long_is_named(world: World) -> None:
    other = world.open()
    if isinstance(other, redis.QueryStore):
        with world.store.replace(1, "delivery") as replacement:
            with pytest.raises(QueryStoreBusy, match="repeat"):
                rebuild(world.log, other, decode_command)
            replacement.position = 0
    else:
        other._writer.execute("PRAGMA busy_timeout = 50")  # type: ignore[attr-defined]
        with world.file._transaction(), pytest.raises(QueryStoreBusy, match="repeat"):
            rebuild(world.log, other, decode_command)


def test_closed_tables_cannot_be_made_again(world: World) -> None:
    world.store.close()
    with pytest.raises(QueryStoreError, match="closed"):
        rebuild(world.log, world.store, decode_command)
