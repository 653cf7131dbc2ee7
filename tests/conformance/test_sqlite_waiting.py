"""What waits for the disk in SQLite's log and what does not, and that a power cut takes nothing but work."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.backends import sqlite_log
from streams.backends.open import open_log
from streams.log import Append, Code, Commit, Lease
from tests.agent.running import Running, event
from tests.conformance.backends import command, events, put
from tests.rules.compile import building as build


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What SQLite was told to do by the connections of a log, after they were set up."""
    statements: list[str] = []
    connect = sqlite_log.connect

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        db = connect(*arguments, **options)
        db.set_trace_callback(statements.append)
        return db

    monkeypatch.setattr(sqlite_log, "connect", traced)
    return statements


def waits(told: list[str], act: Callable[[], object]) -> list[bool]:
    """For each transaction of `act`, whether it waits for the disk."""
    level = next((each for each in reversed(told) if each.startswith("PRAGMA synchronous=")), "full")
    told.clear()
    act()
    found = []
    for statement in told:
        if statement.startswith("PRAGMA synchronous="):
            level = statement
        elif statement == "BEGIN IMMEDIATE":
            found.append(level.endswith("full"))
    told.insert(0, level)
    return found


def test_all_calls_wait_for_the_disk_but_commits_that_follow_from_the_events(tmp_path: Path, told: list[str]) -> None:
    log = open_log(f"sqlite:///{tmp_path / 'log.db'}", partitions=1, now=lambda: 0)
    lease = log.acquire(0, "owner", 60.0)
    assert lease is not None

    def commit(lease: Lease, processor: str, start: int, **more: Any) -> None:
        given = Commit(lease, processor, start, start + 1, [put("k1", b"1")], **more)
        assert log.commit(given) is Code.COMMITTED

    def append() -> None:
        log.append([Append(0, events(1, 5))])

    assert waits(told, append) == [True]
    assert waits(told, lambda: commit(lease, "rules", 0, outputs=[command(1)])) == [False]
    assert waits(told, lambda: commit(lease, "delivery", 0)) == [True]
    assert waits(told, lambda: commit(lease, "rules", 1)) == [False]
    assert waits(told, append) == [True]
    assert waits(told, lambda: commit(lease, "rules", 2, events=events(6, 6))) == [True]
    assert waits(told, lambda: commit(lease, "rules", 3)) == [False]
    assert waits(told, lambda: log.put_document("digest", b"body")) == [True]
    log.close()


def test_what_a_power_cut_takes_of_the_rules_work_is_made_again(tmp_path: Path) -> None:
    rules = build.compiled(
        build.projection("totals", {"paid": {"sum": "row.sum + event.data.amount"}}, initial={"sum": "0"}),
        build.rule("large", "paid", build.command(sum="totals.sum"), when="totals.sum > 20"),
    )

    def opened(folder: Path) -> Running:
        return Running(open_log(f"sqlite:///{folder / 'log.db'}", partitions=3, now=lambda: 0), rules, lambda: 0)

    before = tmp_path / "before"
    before.mkdir()
    running = opened(before).activate()
    running.publish(*(event("paid", f"k{number % 7}", number, amount=number) for number in range(30))).settle()
    running.publish(*(event("paid", f"k{number % 7}", number, amount=number) for number in range(30, 60)))
    after = tmp_path / "after"
    shutil.copytree(before, after)  # what is on the disk when the last append was answered
    running.settle()
    cut = opened(after)
    assert [each.positions["rules"] for each in cut.log.status()] != [each.tail for each in cut.log.status()]
    cut.settle()
    assert [each.document() for each in cut.commands()] == [each.document() for each in running.commands()]
    assert len(cut.commands()) > 20
    for number in range(7):
        assert cut.row("totals", f"k{number}") == running.row("totals", f"k{number}")
    running.log.close()
    cut.log.close()
