"""Query tables in a file: whose it is, what does not fit is made anew, and which indexes serve lists."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from projections.query import CommandFilter
from projections.stores.sqlite.store import QueryStore
from projections.table import QueryTable
from streams.backends.open import open_log
from tests.projections.conftest import CLASSES, FINES, World, url_of

ALL = CommandFilter()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, url_of("sqlite", tmp_path))
    yield made
    made.close()


def test_a_file_of_another_log_is_emptied_with_a_notice_and_filled_again(world: World, tmp_path: Path) -> None:
    other = open_log(f"sqlite:///{tmp_path}/other.db", partitions=3, now=lambda: 1)
    world.put("A", fines={"n": 1})
    world.feeder.catch_up()
    taken = world.open(log=other)
    other.close()
    assert "another log" in world.notices[0]
    assert isinstance(taken, QueryStore)
    with taken.reading() as db:
        assert db.execute("SELECT count(*) FROM rows_aaa1").fetchone() == (0,)
    world.put("A", fines={"n": 2})
    with pytest.raises(Exception, match="taken over by another process"):
        world.feeder.catch_up()
    world.store = world.open()
    world.make_feeder().catch_up()
    assert world.queries.row("fines", "A").row == {"n": 2}


def test_when_projections_change_their_tables_are_made_anew_and_the_others_stay(world: World) -> None:
    end = world.put("A", fines={"n": 1}, classes={"c": 1}, eee5={"e": 1})
    world.decide("c1")
    world.feeder.catch_up()
    edited = QueryTable("fines", "eee5")
    world.store = world.open((edited, CLASSES))
    assert "`fines` changed, the others stay" in world.notices[0]
    assert (world.queries.row("fines", "A").row, world.queries.row("fines", "A").as_of.offset) == (None, 0)
    assert (world.queries.row("classes", "A").row, world.queries.row("classes", "A").as_of.offset) == ({"c": 1}, end)
    assert world.queries.command("c1")
    world.put("A", classes={"c": 2}, eee5={"e": 2})
    world.make_feeder().catch_up()
    assert world.queries.row("fines", "A").row == {"e": 2}
    assert world.queries.row("classes", "A").row == {"c": 2}


def test_what_stayed_does_not_go_back_while_a_new_table_is_filled(world: World) -> None:
    for number in range(10):
        world.put("A", classes={"c": number}, eee5={"e": number})
    world.feeder.catch_up()
    world.store = world.open((QueryTable("fines", "eee5"), CLASSES))
    feeder = world.make_feeder(gather_rows=1, page_rows=1)
    seen = []
    while feeder.round():
        assert world.queries.row("classes", "A").row == {"c": 9}
        seen.append(world.queries.row("fines", "A").row)
    assert seen[-1] == {"e": 9}
    assert world.queries.row("classes", "A").as_of == world.queries.row("fines", "A").as_of


def test_a_changed_index_makes_its_table_anew(world: World) -> None:
    world.put("A", fines={"n": 1}, classes={"c": 1})
    world.feeder.catch_up()
    world.store = world.open((replace(FINES, index=("n",)), CLASSES))
    world.make_feeder().catch_up()
    assert [row.key for row in world.queries.rows("fines", [("n__gte", "1")]).rows] == ["A"]
    world.store = world.open()
    assert world.queries.row("classes", "A").row == {"c": 1}
    world.make_feeder().catch_up()
    assert world.queries.row("fines", "A").row == {"n": 1}
    assert world.queries.row("classes", "A").row == {"c": 1}


def test_a_database_that_is_none_of_ours_is_left_alone(world: World) -> None:
    path = world.folder / "query.db"
    world.file.close()
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE precious (x)")
    db.commit()
    with pytest.raises(Exception, match="holds no query tables"):
        world.open()
    assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("precious",)]
    db.close()


def test_a_file_that_is_no_database_is_named_with_a_remedy(world: World) -> None:
    world.file.close()
    path = world.folder / "query.db"
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(Exception, match="delete the file"):
        world.open()


def test_an_id_that_could_be_more_than_a_name_never_reaches_a_statement(world: World) -> None:
    with pytest.raises(ValueError, match="is not an id"):
        world.open((QueryTable("x", "a; DROP TABLE commands"),))


@pytest.mark.parametrize(
    "filter",
    [
        ALL,
        CommandFilter(state="parked"),
        CommandFilter(to="x"),
        CommandFilter(rule="x"),
        CommandFilter(key="x"),
        CommandFilter(since=1, until=2),
        CommandFilter(state="parked", until=2),
        CommandFilter(rule="x", since=1),
    ],
)
def test_every_list_is_read_from_an_index_in_its_order(world: World, filter: CommandFilter) -> None:
    with world.file.reading() as db:
        statements: list[str] = []
        db.set_trace_callback(statements.append)
    world.queries.commands(filter, 10)
    with world.file.reading() as db:
        db.set_trace_callback(None)
        select = next(statement for statement in statements if statement.startswith("SELECT at"))
        plan = " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {select}"))
    assert "USING INDEX commands_by_" in plan
    assert "TEMP B-TREE" not in plan
