"""Query tables in a file: whose it is, what does not fit is made anew, and which indexes serve lists."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.query import CommandFilter
from projections.stores.sqlite.store import QueryStore
from projections.table import QueryTable
from streams.backends.open import open_log
from tests.projections.conftest import CLASSES, World, url_of

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


def test_when_projections_change_their_tables_are_made_anew(world: World) -> None:
    world.put("A", fines={"n": 1}, classes={"c": 1}, eee5={"e": 1})
    world.feeder.catch_up()
    edited = QueryTable("fines", "eee5")
    world.store = world.open((edited, CLASSES))
    assert "projections of the rule set have changed" in world.notices[0]
    assert world.queries.row("fines", "A").row is None
    world.make_feeder().catch_up()
    assert world.queries.row("fines", "A").row == {"e": 1}
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
    [ALL, CommandFilter(state="parked"), CommandFilter(to="x"), CommandFilter(rule="x"), CommandFilter(key="x")],
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
