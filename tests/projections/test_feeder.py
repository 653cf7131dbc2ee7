"""The feeder shows what was committed: all of it, once, in the end, whatever happens in between."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import PropertyMock, patch

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections.feeder import Bounds, Feeder
from projections.refill import refill
from projections.store import Write
from projections.table import RowChange
from streams.backends.limits import LogLimits
from streams.log import Fork, LogDamaged, LogUnavailable
from streams.state import Change, decode_cell
from tests.projections.conftest import CLASSES, FINES, World, decode_command, summary, url_of


def test_a_row_is_shown_after_its_commit(world: World) -> None:
    end = world.put("A", fines={"amount": 1.5, "status": "open"})
    world.feeder.catch_up()
    row = world.queries.row("fines", "A")
    assert row.row == {"amount": 1.5, "status": "open"}
    assert row.as_of == (1, world.partition("A"), end)


def test_a_row_shows_what_its_last_commit_made_of_it(world: World) -> None:
    for amount in range(5):
        world.put("A", fines={"amount": amount})
    world.feeder.catch_up()
    world.put("A", fines={"amount": 9})
    world.feeder.catch_up()
    assert world.queries.row("fines", "A").row == {"amount": 9}


def test_a_row_goes_with_its_cell_and_when_its_projection_deletes_it(world: World) -> None:
    world.put("A", fines={"a": 1}, classes={"n": 1})
    world.put("B", fines={"b": 1})
    world.feeder.catch_up()
    world.put("A", classes={"n": 2})
    world.drop("B")
    world.feeder.catch_up()
    queries = world.queries
    assert queries.row("fines", "A").row is None
    assert queries.row("classes", "A").row == {"n": 2}
    assert queries.row("fines", "B").row is None


def test_rows_of_other_projections_and_rows_that_are_no_cells_are_not_shown(world: World) -> None:
    world.put("A", fines={"a": 1}, cccc3={"old": 1})
    world.commit(world.partition("A"), "rules", [Change("p", b"x"), Change("bA", b"y"), Change("d000001", b"z")])
    world.feeder.catch_up()
    shown = world.shown()
    assert [row[1] for row in shown["fines"]] == ["A"]
    assert shown["classes"] == []


def test_commands_are_shown_with_their_newest_state_and_go_when_delivery_drops_them(world: World) -> None:
    world.decide("c1")
    world.decide("c1", state="in_flight")
    world.decide("c2", partition=1)
    world.feeder.catch_up()
    assert world.queries.command("c1")["state"] == "in_flight"  # type: ignore[index]
    world.decide("c1", state="done")
    world.commit(1, "delivery", [Change("c2", None)])
    world.feeder.catch_up()
    assert world.queries.command("c1")["state"] == "done"  # type: ignore[index]
    assert world.queries.command("c2") is None


def test_the_log_may_forget_what_is_shown(world: World) -> None:
    world.put("A", fines={"a": 1})
    told: list[tuple[int, str, int]] = []
    forget = world.log.forget
    world.log.forget = lambda *args: (told.append(args), forget(*args))[1]  # type: ignore[method-assign]
    world.feeder.catch_up()
    assert told == [(world.partition("A"), "rules", 1)]


def test_what_the_log_forgot_is_made_anew_from_state(make_world: Callable[..., World]) -> None:
    limits = LogLimits(feed_bytes=2_000, overlay_rows=10, flush_rows=5)
    world = make_world(limits=limits)
    for number in range(300):
        world.put(f"K{number % 50}", fines={"n": number})
    assert None in [world.log.feed(partition, "rules", 0, 10) for partition in range(3)], "nothing was forgotten"
    world.feeder.catch_up()
    assert world.feeder.status.refills > 0
    assert {row[1]: row[2] for row in world.shown()["fines"]} == {
        f"K{number % 50}": f'{{"n":{number}}}' for number in range(250, 300)
    }


def test_rows_that_went_while_the_log_forgot_are_not_shown(make_world: Callable[..., World]) -> None:
    world = make_world(limits=LogLimits(feed_bytes=2_000, overlay_rows=10, flush_rows=5))
    world.put("GONE", fines={"n": 1})
    world.feeder.catch_up()
    world.drop("GONE")
    for number in range(300):
        world.put(f"K{number % 50}", fines={"n": number})
    world.feeder.catch_up()
    assert world.queries.row("fines", "GONE").row is None


def test_one_gathering_is_bounded(world: World) -> None:
    for number in range(20):
        world.put("A", fines={"n": number})
        world.put("B", fines={"n": number})
    feeder = world.make_feeder(gather_rows=1, page_rows=1)
    rounds = 0
    while feeder.round():
        rounds += 1
    assert rounds >= 20
    assert world.queries.row("fines", "A").row == {"n": 19}


# ------------------------------------------------------------ crashes and rivals


class Crash(BaseException):
    pass


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_whatever_is_committed_and_wherever_it_crashes_the_tables_show_the_state(
    kind: str, draw: st.DataObject
) -> None:
    """Commits and feeding in any order; a feeder dies before its write, after it, or before the log may forget; another
    process rebuilds; the log forgets. In the end the tables are those that a scan of the state gives."""
    folder = Path(tempfile.mkdtemp())
    limits = LogLimits(feed_bytes=draw.draw(st.sampled_from([600, 1 << 20])), overlay_rows=4, flush_rows=2)
    world = World(folder, url_of(kind, folder), partitions=2, limits=limits)
    keys = st.sampled_from("ABCDE")
    rows = st.none() | st.dictionaries(
        st.sampled_from("xy"), st.integers(-(2**63), 2**63) | st.text(max_size=3), max_size=2
    )
    feeder = world.make_feeder(page_rows=draw.draw(st.integers(1, 4)), gather_rows=draw.draw(st.integers(1, 6)))
    apply, forget = world.store.apply, world.log.forget
    try:
        for _ in range(draw.draw(st.integers(1, 25))):
            match draw.draw(st.sampled_from(["put", "drop", "decide", "feed", "feed", "crash", "rebuild", "restart"])):
                case "put":
                    shown = {"fines": draw.draw(rows), "classes": draw.draw(rows)}
                    world.put(
                        draw.draw(keys),
                        draw.draw(st.integers(1, 3)),
                        **{name: row for name, row in shown.items() if row is not None},
                    )
                case "drop":
                    world.drop(draw.draw(keys))
                case "decide":
                    state = draw.draw(st.sampled_from(["pending", "done", "parked"]))
                    world.decide(draw.draw(st.sampled_from(["c1", "c2", "c3"])), state=state)
                case "feed":
                    feeder.round()
                case "rebuild":
                    refill(
                        world.log,
                        world.store,
                        draw.draw(st.integers(0, 1)),
                        draw.draw(st.sampled_from(["rules", "delivery"])),
                        decode_command,
                    )
                case "restart":
                    feeder = world.make_feeder()
                case "crash":
                    place = draw.draw(st.sampled_from(["before the write", "after the write", "before forgetting"]))

                    def dying_apply(*args: Any, place: str = place) -> list[bool]:
                        if place == "before the write":
                            raise Crash
                        done = apply(*args)
                        if place == "after the write":
                            raise Crash
                        return done

                    def dying_forget(*args: Any) -> None:
                        raise Crash

                    world.store.apply = dying_apply  # type: ignore[method-assign]
                    world.log.forget = dying_forget  # type: ignore[method-assign]
                    try:
                        while feeder.round():
                            pass
                    except Crash:
                        feeder = world.make_feeder()
                    finally:
                        world.store.apply = apply  # type: ignore[method-assign]
                        world.log.forget = forget  # type: ignore[method-assign]
            for partition, _, position in world.shown()["positions"]:
                assert position <= max(world._ends.get((partition, p), 0) for p in ("rules", "delivery"))
        feeder.catch_up()
        assert world.shown() == scanned(world)
    finally:
        world.close()
        shutil.rmtree(folder)


def scanned(world: World) -> dict[str, Any]:
    """What the tables must show, straight from the state."""
    found: dict[str, Any] = {"fines": [], "classes": [], "commands": []}
    positions = []
    for partition in range(world.partitions):
        for name, value in world.log.scan(partition, "rules", "k", "", 10**6):
            for table in (FINES, CLASSES):
                row = decode_cell(value).rows.get(table.id)
                if row is not None:
                    found[table.name].append((partition, name[1:], msgspec.json.encode(row).decode()))
        delivery = world.log.scan(partition, "delivery", "", "", 10**6)
        decoded = [command for name, value in delivery if (command := decode_command(name, value)) is not None]
        found["commands"] += [(command.id, partition, command.state, command.summary) for command in decoded]
        ends = {processor: world.log.position(partition, processor) for processor in ("delivery", "rules")}
        positions += [(partition, processor, end) for processor, end in ends.items() if end]
    for table in (FINES, CLASSES):
        found[table.name].sort(key=lambda row: row[1])
    found["commands"].sort()
    return {**found, "positions": positions}


def test_two_feeders_of_two_processes_cannot_mix(world: World) -> None:
    first, second = world.make_feeder(), world.make_feeder(world.open())
    world.put("A", fines={"n": 1})
    first.catch_up()
    second.catch_up()
    world.put("A", fines={"n": 2})
    second.catch_up()
    world.put("A", fines={"n": 3})
    first.catch_up()
    assert world.queries.row("fines", "A").row == {"n": 3}
    assert world.shown() == scanned(world)


def test_a_partition_that_lost_events_is_made_anew(world: World) -> None:
    world.put("A", fines={"n": 1})
    world.feeder.catch_up()
    partition = world.partition("A")
    lost = Fork(2, partition, 0, 1)
    with patch.object(type(world.log), "forks", new_callable=PropertyMock, return_value=[lost]):
        world.feeder.catch_up()
    assert world.feeder.status.refills == 2, "its rows and its commands"
    assert world.shown() == scanned(world)


def test_what_is_shown_beyond_the_log_is_made_anew(world: World) -> None:
    """A log that was put back, beside tables that were not."""
    partition = world.partition("A")
    world.put("A", fines={"n": 1})
    invented = RowChange(FINES, "B", "{}", 7)
    assert world.store.apply([Write(partition, "rules", 0, 7, [invented])]) == [True]
    world.feeder.catch_up()
    assert world.feeder.status.refills == 1
    assert world.shown() == scanned(world)


def test_a_feeder_feeds_the_partitions_that_are_its_own_now(world: World) -> None:
    owned: list[set[int]] = [{world.partition("A")}]
    feeder = world.make_feeder(partitions=lambda: owned[0])
    elsewhere = next(key for key in map(str, range(100)) if world.partition(key) != world.partition("A"))
    world.put("A", fines={"n": 1})
    world.put(elsewhere, fines={"n": 1})
    feeder.catch_up()
    assert [world.queries.row("fines", key).row for key in ("A", elsewhere)] == [{"n": 1}, None]

    # The partitions change hands, and back: whoever had one meanwhile moved its position.
    other = world.make_feeder(world.open(), partitions=lambda: {0, 1, 2} - owned[0])
    owned[0] = {world.partition(elsewhere)}
    world.put("A", fines={"n": 2})
    feeder.catch_up()
    other.catch_up()
    world.put("A", fines={"n": 3})
    other.catch_up()
    owned[0] = {world.partition("A"), world.partition(elsewhere)}
    world.put("A", fines={"n": 4})
    feeder.catch_up()
    assert not feeder.status.refills
    assert world.shown() == scanned(world)


def test_a_write_from_a_position_that_is_no_more_changes_nothing(world: World) -> None:
    partition = world.partition("A")
    world.put("A", fines={"n": 1})
    world.feeder.catch_up()
    before = world.shown()
    assert world.store.apply([Write(partition, "rules", 0, 7)]) == [False]
    assert world.shown() == before


def test_a_write_of_many_rows_and_commands_is_shown_whole(world: World) -> None:
    partition = world.partition("A")
    names = [name for name in (f"K{number}" for number in range(15_000)) if world.partition(name) == partition]
    rows = [RowChange(FINES, name, f'{{"n":{number}}}', 1) for number, name in enumerate(names)]
    decoded = [decode_command(f"c{number}", summary(f"c{number}", at=number)) for number in range(4_500)]
    commands = [command for command in decoded if command is not None]
    store = world.store
    assert store.apply([Write(partition, "rules", 0, 1, rows), Write(partition, "delivery", 0, 1, (), commands)]) == [
        True,
        True,
    ]
    assert (store.count(FINES), store.count_commands()) == (len(rows), len(commands))
    gone = [RowChange(FINES, name, None, 2) for name in names[10:]]
    done = [command._replace(state="done") for command in commands]
    assert all(
        store.apply(
            [
                Write(partition, "rules", 1, 2, gone),
                Write(partition, "delivery", 1, 2, (), done[:10], [command.id for command in commands[10:]]),
            ]
        )
    )
    shown = world.shown()
    assert sorted(row[1] for row in shown["fines"]) == sorted(names[:10])
    assert sorted(command[0] for command in shown["commands"]) == [f"c{number}" for number in range(10)]


# ------------------------------------------------------------ the running thread


class Running:
    def __init__(self, world: World, **bounds: Any) -> None:
        self.world = world
        self.feeder = world.make_feeder(**bounds)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.feeder.run, args=(self.stop,), daemon=True)
        self.thread.start()

    def until(self, holds: Callable[[], bool], seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, self.feeder.status
            time.sleep(0.005)

    def end(self) -> None:
        self.stop.set()
        self.feeder.notify()
        self.thread.join(timeout=5)
        assert not self.thread.is_alive()


@pytest.fixture
def running(world: World) -> Any:
    made: list[Running] = []

    def make(**bounds: Any) -> Running:
        made.append(Running(world, **bounds))
        return made[-1]

    yield make
    for each in made:
        each.end()


def test_a_notified_feeder_shows_a_commit_at_once(world: World, running: Callable[..., Running]) -> None:
    thread = running(idle=60.0)
    time.sleep(0.05)
    world.put("A", fines={"n": 1})
    thread.feeder.notify()
    thread.until(lambda: world.queries.row("fines", "A").row == {"n": 1}, seconds=5)


def test_without_a_notice_a_commit_is_shown_after_a_while(world: World, running: Callable[..., Running]) -> None:
    thread = running(idle=0.05)
    world.put("A", fines={"n": 1})
    thread.until(lambda: world.queries.row("fines", "A").row == {"n": 1})


def test_an_idle_feeder_does_not_ask_again_and_again(world: World, running: Callable[..., Running]) -> None:
    asked = 0
    status = world.log.status

    def counted() -> Any:
        nonlocal asked
        asked += 1
        return status()

    world.log.status = counted  # type: ignore[method-assign]
    running(idle=60.0)
    time.sleep(0.3)
    assert asked == 1


@pytest.mark.parametrize(("busy", "below", "waits"), [(True, 1_000, 1.0), (True, 5, 0.25), (False, 1_000, 0.25)])
def test_a_feeder_leaves_the_process_to_who_commits_unless_it_falls_behind(
    make_world: Callable[..., World], busy: bool, below: int, waits: float
) -> None:
    """A round takes half a second here, and shows one of twenty commits."""
    world = make_world()
    clock = iter(number / 2 for number in range(1_000_000))
    bounds = Bounds(gather_rows=1, page_rows=1, pause=0.25, yielding=2.0, yielding_below=below)
    feeder = Feeder(
        world.log,
        world.store,
        decode_command,
        apart=False,
        monotonic=lambda: next(clock),
        failed=world.failures.append,
        bounds=bounds,
    )
    for number in range(20):
        world.put("A", fines={"n": number})
    waited: list[float] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout or 0.0)
            self.set()
            return True

    forget = world.log.forget

    def forget_and_commit(*args: Any) -> None:
        forget(*args)
        if busy:
            feeder.notify()

    with patch.object(world.log, "forget", forget_and_commit):
        feeder.run(Stop())
    assert waited == [waits]
    assert not world.failures


def test_a_failure_is_told_waited_out_and_over(world: World, running: Callable[..., Running]) -> None:
    feed = world.log.feed
    fails = True

    def failing(*args: Any) -> Any:
        if fails:
            raise LogUnavailable("the log is away")
        return feed(*args)

    world.log.feed = failing  # type: ignore[method-assign]
    world.put("A", fines={"n": 1})
    thread = running(first_retry=0.01, last_retry=0.02)
    thread.until(lambda: thread.feeder.status.failures >= 3)
    assert thread.feeder.status.failure == "the log is away"
    assert all(isinstance(error, LogUnavailable) for error in world.failures)
    fails = False
    thread.until(lambda: thread.feeder.status.failures == 0 and world.queries.row("fines", "A").row == {"n": 1})
    assert thread.feeder.status.failure == ""


def test_a_cell_that_cannot_be_read_is_told_by_its_key(world: World) -> None:
    world.commit(world.partition("A"), "rules", [Change("kA", b"\xc1")])
    with pytest.raises(LogDamaged, match="key `A`"):
        world.feeder.catch_up()


def test_a_rebuild_beside_a_running_feeder_loses_nothing(world: World, running: Callable[..., Running]) -> None:
    thread = running(pause=0.0, idle=0.01)
    errors: list[BaseException] = []
    done = threading.Event()

    def rebuild_again_and_again() -> None:
        try:
            other = world.open()
            while not done.is_set():
                for partition in range(world.partitions):
                    refill(world.log, other, partition, "rules", decode_command)
                    refill(world.log, other, partition, "delivery", decode_command)
        except BaseException as error:
            errors.append(error)

    rebuilder = threading.Thread(target=rebuild_again_and_again)
    rebuilder.start()
    seen = {f"K{number}": -1 for number in range(10)}
    for number in range(300):
        world.put(f"K{number % 10}", fines={"n": number})
        world.decide(f"c{number % 7}", state="pending" if number % 2 else "done")
        thread.feeder.notify()
        row = world.queries.row("fines", f"K{number % 10}").row
        if row is not None:
            assert row["n"] >= seen[f"K{number % 10}"], "an answer went back in time"
            seen[f"K{number % 10}"] = row["n"]
    done.set()
    rebuilder.join(timeout=30)
    thread.until(lambda: world.shown() == scanned(world), seconds=20)
    assert not errors
    assert not world.failures


def test_two_feeders_at_once_show_everything_once(world: World, running: Callable[..., Running]) -> None:
    """As where a process does not know yet that a partition is another's."""
    first, second = running(pause=0.0, idle=0.01), running(pause=0.0, idle=0.01)
    for number in range(200):
        world.put(f"K{number % 10}", fines={"n": number})
        world.decide(f"c{number % 7}", state="pending" if number % 2 else "done")
        first.feeder.notify()
        second.feeder.notify()
    first.until(lambda: world.shown() == scanned(world), seconds=20)
    assert not world.failures


def test_summaries_are_shown_as_they_are(world: World) -> None:
    world.decide("c1", extra={"ü": [1, None]})
    world.feeder.catch_up()
    assert world.queries.command("c1")["extra"] == {"ü": [1, None]}  # type: ignore[index]


def test_tables_go_on_after_a_restart(world: World) -> None:
    world.put("A", fines={"n": 1})
    world.feeder.catch_up()
    before = world.shown()
    world.store = world.open()
    assert world.shown() == before
    assert not world.notices
