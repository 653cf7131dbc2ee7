"""What is SQLite's own: the file and its URL, query plans, damage, full disks, and what lies where."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from streams import event as event_module
from streams.backends.limits import LogLimits
from streams.backends.open import open_log
from streams.backends.sqlite import entries as sqlite_entries
from streams.backends.sqlite import flush as sqlite_flush
from streams.backends.sqlite import reads as sqlite_reads
from streams.backends.sqlite import rows as sqlite_rows
from streams.event import UNDECODABLE, Event
from streams.log import Append, Code, Log, LogDamaged, LogError, LogFull, LogUnavailable
from tests.conformance.backends import BACKENDS, SMALL, Clock, Writer, command, event, events, gone, ids, owned, put

SQLITE = next(backend for backend in BACKENDS if backend.name == "sqlite")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def open_sqlite(tmp_path: Path, clock: Clock):
    logs: list[Log] = []

    def opened(limits: LogLimits = SMALL, **options) -> Log:
        logs.append(SQLITE.open(tmp_path, clock, limits=limits, **options))
        return logs[-1]

    yield opened
    for log in logs:
        log.close()


def raw(path: Path, statement: str, *values: object) -> list[tuple]:
    db = sqlite3.connect(path, isolation_level=None)
    try:
        return db.execute(statement, values).fetchall()
    finally:
        db.close()


# -- the file and its URL


def test_a_path_with_three_slashes_is_relative(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_log("sqlite:///deep/down/my%20log.db", now=clock, partitions=2).close()

    assert (tmp_path / "deep/down/my log.db").exists()
    again = open_log(f"sqlite:///{tmp_path}/deep/down/my%20log.db", now=clock, create=False)
    assert again.info.partitions == 2
    again.close()


def test_a_new_log_has_eight_partitions_and_an_id_of_its_own(tmp_path: Path, clock: Clock) -> None:
    logs = [open_log(f"sqlite:///{tmp_path}/{name}.db", now=clock) for name in "ab"]

    assert [log.info.partitions for log in logs] == [8, 8]
    assert [log.info.generation for log in logs] == [1, 1]
    assert logs[0].info.id != logs[1].info.id
    for log in logs:
        log.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgres://x/y", "write memory://, sqlite"),
        ("nonsense", "write memory://, sqlite"),
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite://log.db", "sqlite:///relative/path.db"),
        ("sqlite:///:memory:", "memory:// for a log in memory"),
        ("sqlite:///.", "is a folder: add a file name"),
        ("sqlite:///log.db?synchronous=off", "write full"),
        ("sqlite:///log.db?sync=full", "unknown option sync"),
        ("memory://x", "write memory://"),
    ],
)
def test_a_url_that_does_not_fit_is_refused_with_the_remedy(
    url: str, says: str, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LogError, match=says):
        open_log(url, now=clock)
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_must_exist_is_not_made(path: Path, clock: Clock) -> None:
    with pytest.raises(LogError, match="there is no log at"):
        open_log(f"sqlite:///{path}", now=clock, create=False)
    assert not path.exists()
    path.touch()
    with pytest.raises(LogError, match="holds no log"):
        open_log(f"sqlite:///{path}", now=clock, create=False)


@pytest.mark.parametrize("partitions", [0, -1, 1025])
def test_an_impossible_number_of_partitions_is_refused(partitions: int, clock: Clock) -> None:
    with pytest.raises(LogError, match="choose 1 to 1024"):
        open_log("memory://", now=clock, partitions=partitions)


def test_another_number_of_partitions_than_stored_is_refused(open_sqlite, path: Path) -> None:
    open_sqlite(partitions=3)

    with pytest.raises(LogError, match="has 3 partitions, not 4: ask for 3"):
        open_sqlite(partitions=4)


def test_other_files_are_not_taken_for_a_log(open_sqlite, path: Path) -> None:
    raw(path, "CREATE TABLE something (x)")
    with pytest.raises(LogError, match="not a log"):
        open_sqlite()
    path.unlink()
    path.write_bytes(b"no database at all, " * 100)
    with pytest.raises(LogDamaged, match="is no SQLite database"):
        open_sqlite()


def test_a_newer_format_is_refused(open_sqlite, path: Path) -> None:
    open_sqlite().close()
    raw(path, "UPDATE meta SET value = 99 WHERE name = 'format'")

    with pytest.raises(LogError, match="format 99"):
        open_sqlite()


def test_a_closed_log_says_so(open_sqlite) -> None:
    log = open_sqlite()
    log.close()
    log.close()

    for call in (lambda: log.read(0, 0, 1), lambda: log.append([Append(0, events(1, 1))]), lambda: owned(log)):
        with pytest.raises(LogUnavailable, match="closed"):
            call()


def test_another_process_that_holds_the_file_too_long_is_reported(open_sqlite, path: Path) -> None:
    log = open_sqlite(replace(SMALL, busy_timeout=0.1))
    writer = Writer(log)
    writer.commit(put("k", b"1"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    for call in (lambda: log.append([Append(0, events(1, 1))]), lambda: writer.commit(put("k", b"2"))):
        with pytest.raises(LogUnavailable, match="in use by another process"):
            call()
    assert log.rows(0, "rules", ["k"]) == {"k": b"1"}, "reading goes on"
    other.execute("ROLLBACK")
    other.close()
    assert writer.commit(put("k", b"2")) is Code.COMMITTED
    assert log.rows(0, "rules", ["k"]) == {"k": b"2"}


# -- what lies where


@pytest.mark.parametrize(
    ("statement", "values", "plan"),
    [
        (sqlite_reads.READ_EVENTS, (0, 9), "SEARCH entries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (sqlite_reads.READ_OUTPUTS, (0, 9), "SEARCH outputs USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (sqlite_reads.READ_DELTAS, (0, 9), "SEARCH deltas USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (sqlite_reads.TAIL, (0, 9), "SEARCH entries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (sqlite_rows.SCAN, (1, "a", "b"), "SEARCH rows USING PRIMARY KEY (slot=? AND name>?)"),
        (sqlite_rows.DUE, (1, 5, "b"), "SEARCH dues USING PRIMARY KEY (slot=? AND (due,name)>(?,?))"),
        (sqlite_rows.look_up_statement(3), (1, "a", "b", "c"), "SEARCH rows USING PRIMARY KEY (slot=? AND name=?)"),
        (
            sqlite_flush.old_dues_statement(3),
            (1, "a", "b", "c"),
            "SEARCH rows USING PRIMARY KEY (slot=? AND name=?)",
        ),
    ],
)
def test_every_hot_query_is_one_range_of_one_table(
    open_sqlite, path: Path, statement: str, values: tuple[object, ...], plan: str
) -> None:
    open_sqlite()

    found = [row[3] for row in raw(path, f"EXPLAIN QUERY PLAN {statement}", *values)]

    assert found == [plan]


def test_an_append_is_one_row_and_small_appends_are_joined(open_sqlite, path: Path) -> None:
    log = open_sqlite()
    log.append([Append(0, [event(n)]) for n in range(50)] + [Append(1, events(1, 3), "p", (1, 2, 3))])
    log.append([Append(0, events(1, 2_500))])

    rows = raw(path, "SELECT id >> 44, id & ((1 << 44) - 1), count FROM entries ORDER BY id")
    assert rows == [(0, 50, 50), (0, 1_050, 1_000), (0, 2_050, 1_000), (0, 2_550, 500), (1, 3, 3)]


def test_an_entry_of_large_events_is_divided(open_sqlite, path: Path) -> None:
    log = open_sqlite()
    large = event(1, data=b'"' + b"x" * (sqlite_entries.ENTRY_BYTES // 3) + b'"')
    log.append([Append(0, [large] * 10)])

    assert max(size for (size,) in raw(path, "SELECT length(body) FROM entries")) <= sqlite_entries.ENTRY_BYTES
    assert log.read(0, 0, 100).events == [large] * 10


def test_a_commit_writes_one_delta_and_one_batch_of_outputs_and_no_rows(open_sqlite, path: Path) -> None:
    log = open_sqlite(LogLimits(min_free_bytes=0))
    writer = Writer(log)
    for _ in range(3):
        writer.commit(*(put(f"k{n}", b"v", n) for n in range(50)), outputs=[command(n) for n in range(9)])

    counts = [raw(path, f"SELECT count(*) FROM {table}")[0][0] for table in ("deltas", "outputs", "rows", "dues")]
    assert counts == [3, 3, 0, 0]


def test_rows_reach_their_table_and_what_nobody_needs_is_deleted(open_sqlite, path: Path) -> None:
    log = open_sqlite()
    writer = Writer(log)
    for number in range(500):
        writer.commit(put(f"k{number % 40}", b"%d" % number, number if number % 2 else 2**62), gone(f"g{number}"))
        log.forget(0, "rules", number)

    assert raw(path, "SELECT count(*) FROM rows")[0][0] == 40
    assert 0 < raw(path, "SELECT count(*) FROM dues")[0][0] <= 20
    assert raw(path, "SELECT count(*) FROM deltas")[0][0] < 200


@pytest.mark.parametrize("steps", range(1, 30, 2))
def test_a_flush_that_did_not_end_changes_nothing_that_is_seen(open_sqlite, steps: int) -> None:
    """The log is left open, as a killed process leaves it, after every number of steps into its flushes."""
    log = open_sqlite(replace(SMALL, overlay_rows=30, flush_rows=2))
    writer = Writer(log)
    expected: dict[str, tuple[int, bytes]] = {}
    for number in range(60 + steps):
        names = {f"k{number * 7 % 23}", f"k{number * 5 % 31}"}
        expected |= dict.fromkeys(names, (number * 3 % 50, b"%d" % number))
        writer.commit(*(put(name, b"%d" % number, number * 3 % 50) for name in names))

    for round in range(2):
        log = open_sqlite(replace(SMALL, overlay_rows=30, flush_rows=2))
        writer = Writer(log)
        for more in range(steps):
            assert dict(log.scan(0, "rules", "", "", 100)) == {name: value for name, (_, value) in expected.items()}
            assert log.due(0, "rules", (-1, ""), 100) == sorted((due, name) for name, (due, _) in expected.items())
            expected[f"k{more}"] = (round, b"%d" % more)
            writer.commit(put(f"k{more}", b"%d" % more, round))


# -- damage


def test_a_damaged_event_is_shown_as_such_and_hides_no_neighbour(open_sqlite, path: Path) -> None:
    log = open_sqlite()
    log.append([Append(0, events(1, 3))])
    (body,) = raw(path, "SELECT body FROM entries")[0]
    raw(path, "UPDATE entries SET body = ?", body.replace(b'"e2"', b'"e2'))

    found = log.read(0, 0, 10).events

    assert [one.id for one in (found[0], found[2])] == ["e1", "e3"]
    assert found[1].type == UNDECODABLE
    assert [text for text in log.check() if "only 2 can be read" in text]


def test_an_entry_that_lost_a_line_is_damage(open_sqlite, path: Path) -> None:
    log = open_sqlite()
    log.append([Append(0, events(1, 3))])
    (body,) = raw(path, "SELECT body FROM entries")[0]
    raw(path, "UPDATE entries SET body = ?", body[body.index(b"\n") + 1 :])

    with pytest.raises(LogDamaged, match="offsets 1…3 holds 2 lines"):
        log.read(0, 0, 10)


def test_damaged_outputs_and_deltas_are_named(open_sqlite, path: Path) -> None:
    log = open_sqlite()
    writer = Writer(log)
    writer.commit(put("k", b"1"), outputs=[command(1)])
    raw(path, "UPDATE outputs SET body = x'ff'")
    raw(path, "UPDATE deltas SET body = x'ff'")

    with pytest.raises(LogDamaged, match="outputs up to number 1"):
        log.outputs(0, 0, 10)
    with pytest.raises(LogDamaged, match="rules's commit to position 1"):
        log.feed(0, "rules", 0, 10)
    assert len([text for text in log.check() if "cannot be read" in text]) == 2
    again = open_sqlite()
    with pytest.raises(LogDamaged, match="rules's commit to position 1"):
        again.rows(0, "rules", ["k"])


def test_check_finds_missing_entries_and_positions_beyond_the_tail(open_sqlite, path: Path) -> None:
    log = open_sqlite()
    for first in (1, 4, 7):
        log.append([Append(0, events(first, first + 2))])
    writer = Writer(log)
    for number in range(3):
        writer.commit(outputs=[command(number)])
    assert list(log.check()) == []

    raw(path, "DELETE FROM entries WHERE id = 6")
    raw(path, "DELETE FROM outputs WHERE id IN (1, 3)")
    raw(path, "UPDATE slots SET position = 99")

    problems = "\n".join(log.check())
    assert "events 4…6 are missing" in problems
    assert "outputs 1…1 are missing" in problems
    assert "3 outputs were committed, the last one stored is 2" in problems
    assert "the position of rules is 99, beyond the tail 9" in problems
    assert "its last commit stored led to 3" in problems


def test_a_file_with_a_damaged_page_is_reported_by_check_and_by_reading(open_sqlite, path: Path) -> None:
    log = open_sqlite()
    for first in range(0, 3_000, 500):
        log.append([Append(0, events(first + 1, first + 500))])
    log.close()
    content = bytearray(path.read_bytes())
    (page,) = raw(path, "SELECT rootpage FROM sqlite_master WHERE name = 'entries'")[0]
    content[(page - 1) * 8192 : (page - 1) * 8192 + 64] = b"\xff" * 64
    path.write_bytes(content)

    log = open_sqlite()
    with pytest.raises(LogDamaged, match=r"\.recover"):
        log.read(0, 0, 10)
    assert list(log.check()) != []


# -- pressure


def test_a_file_at_its_limit_takes_commits_but_no_appends(open_sqlite) -> None:
    log = open_sqlite(replace(SMALL, max_bytes=1 << 20))
    large = event(1, data=b'"' + b"x" * 20_000 + b'"')

    def fill() -> None:
        for _ in range(200):
            log.append([Append(0, [large])])

    with pytest.raises(LogFull, match="nearly as large as its limit") as full:
        fill()
    assert full.value.retry_after > 1
    tail = log.tail(0)
    assert tail > 20

    writer = Writer(log)
    assert writer.commit(put("k", b"1"), outputs=[command(1)], events=[event(2)]) is Code.COMMITTED
    assert log.tail(0) == tail + 1


def test_a_commit_that_finds_the_file_full_leaves_nothing_behind(open_sqlite) -> None:
    log = open_sqlite(replace(SMALL, max_bytes=1 << 20))
    writer = Writer(log)
    writer.commit(put("k", b"1"))

    with pytest.raises(LogUnavailable, match="full"):
        writer.commit(put("k", bytes(2 << 20)), outputs=[command(1)])
    with pytest.raises(LogFull, match="full"):
        log.append([Append(0, [event(1, data=b'"' + b"x" * (2 << 20) + b'"')])])

    assert (log.tail(0), log.status()[0].outputs, log.position(0, "rules")) == (0, 0, 1)
    assert log.rows(0, "rules", ["k"]) == {"k": b"1"}
    assert writer.commit(put("k", b"2")) is Code.COMMITTED
    assert log.rows(0, "rules", ["k"]) == {"k": b"2"}


def test_append_leaves_room_on_the_disk(open_sqlite) -> None:
    log = open_sqlite(replace(SMALL, min_free_bytes=1 << 60))

    with pytest.raises(LogFull, match="free some space"):
        log.append([Append(0, events(1, 1))])
    assert Writer(log).commit(put("k", b"1"), events=[event(1)]) is Code.COMMITTED


def test_what_cannot_be_written_is_refused_and_nothing_is_stored(open_sqlite) -> None:
    log = open_sqlite()
    broken = Event("t", 1, "\ud800", "s", "/s", "i", 1, event_module.NULL)

    with pytest.raises((ValueError, msgspec.MsgspecError)):
        log.append([Append(0, [event(1)]), Append(0, [event(2), broken])])
    assert log.tail(0) == 0


def test_lock_files_do_not_outlive_their_processes(open_sqlite, tmp_path: Path) -> None:
    for round in range(3):
        log = open_sqlite()
        owned(log, owner=f"owner{round}")
        assert len(list(tmp_path.glob("*.lock"))) == 1
        log.close()
    assert list(tmp_path.glob("*.lock")) == []
    assert ids(open_sqlite().read(0, 0, 1).events) == []
