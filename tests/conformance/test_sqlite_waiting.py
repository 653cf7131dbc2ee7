"""What waits for the disk in SQLite's log and what does not, and that a power cut takes nothing but work."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.backends.open import open_log
from streams.backends.sqlite import log as sqlite_log
from streams.log import DELIVERY, Append, Code, Commit, Lease, LogUnavailable
from tests.agent.running import Running, event
from tests.conformance.backends import command, events, put
from tests.rules.compile import building as build


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were brought to the disk."""
    files: list[str] = []
    fsync = os.fsync

    def noted(file: int) -> None:
        files.append(Path(f"/proc/self/fd/{file}").resolve().name)
        fsync(file)

    monkeypatch.setattr(sqlite_log.os, "fsync", noted)
    return files


def test_all_calls_wait_for_the_disk_but_commits_that_follow_from_the_events(tmp_path: Path, synced: list[str]) -> None:
    log = open_log(f"sqlite:///{tmp_path / 'log.db'}", partitions=1, now=lambda: 0)
    lease, deliverer = log.acquire(0, "owner", 60.0), log.acquire(0, "owner", 60.0, DELIVERY)
    assert lease is not None
    assert deliverer is not None

    def commit(lease: Lease, processor: str, start: int, **more: Any) -> None:
        given = Commit(lease, processor, start, start + 1, [put("k1", b"1")], **more)
        assert log.commit(given) is Code.COMMITTED

    def append() -> None:
        log.append([Append(0, events(1, 5))])

    def waits(act: Callable[[], object]) -> bool:
        synced.clear()
        act()
        assert set(synced) <= {"log.db-wal"}
        return bool(synced)

    assert waits(append)
    assert not waits(lambda: commit(lease, "rules", 0, outputs=[command(1)]))
    assert waits(lambda: commit(deliverer, "delivery", 0))
    assert not waits(lambda: commit(lease, "rules", 1))
    assert waits(append)
    assert waits(lambda: commit(lease, "rules", 2, events=events(6, 6)))
    assert not waits(lambda: commit(lease, "rules", 3))
    assert waits(lambda: log.put_document("digest", b"body"))
    assert not waits(lambda: log.durable(0)) or log.tail(0) > 5
    log.close()


def test_a_commit_that_arrives_again_is_on_the_disk_when_it_is_done(tmp_path: Path, synced: list[str]) -> None:
    """The first answer may have been lost because the disk did not take it."""
    log = open_log(f"sqlite:///{tmp_path / 'log.db'}", partitions=1, now=lambda: 0)
    lease = log.acquire(0, "owner", 60.0, DELIVERY)
    assert lease is not None
    given = Commit(lease, "delivery", 0, 1, [put("k1", b"1")])
    assert log.commit(given) is Code.COMMITTED
    synced.clear()
    assert log.commit(given) is Code.DONE
    assert synced
    log.close()


def test_a_disk_that_fails_to_sync_leaves_it_open_what_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log(f"sqlite:///{tmp_path / 'log.db'}", partitions=1, now=lambda: 0)
    append = Append(0, events(1, 2), "producer", [1, 2])

    def failing(file: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(sqlite_log.os, "fsync", failing)
        with pytest.raises(LogUnavailable, match="did not take what was written"):
            log.append([append])
    (answer,) = log.append([append])
    assert (answer.stored, answer.known, log.tail(0)) == (0, 2, 2)
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
