"""What outlives the process: everything that was answered, wherever a row lay when the log was closed or killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from streams.log import Append, Appended, Code, Log
from tests.conformance.backends import Backend, Clock, Writer, command, event, events, gone, ids, put


def test_everything_is_there_again_after_reopening(persistent: Backend, opened) -> None:
    log: Log = opened()
    info = log.info
    log.append([Append(0, events(1, 5), "p", range(5)), Append(1, events(6, 7))])
    log.put_document("digest", b"body")
    expected: dict[str, bytes] = {}
    for round in range(8):
        writer = Writer(log, owner=f"owner{round}")
        for number in range(9):
            name = f"k{random.Random(round * 100 + number).randrange(30)}"
            writer.commit(put(name, b"%d.%d" % (round, number), number), outputs=[command(number)])
            expected[name] = b"%d.%d" % (round, number)
        log.close()
        log = opened()
        assert dict(log.scan(0, "rules", "", "", 100)) == expected
        assert log.position(0, "rules") == 9 * (round + 1)

    assert log.info == info
    assert ids(log.read(0, 0, 100).events) == ["e1", "e2", "e3", "e4", "e5"]
    assert log.append([Append(0, events(4, 6), "p", (3, 4, 5))]) == [Appended(6, 1, 2)]
    assert log.outputs(0, 70, 10) == (71, [command(7), command(8)])
    assert log.document("digest") == b"body"
    assert [one.end for one in log.feed(0, "rules", 70, 100) or []] == [71, 72]
    assert log.acquire(0, "new", 10) is not None
    assert log.status()[0].epoch == 9


WORKER = textwrap.dedent(
    """
    import sys, time
    from streams.backends.limits import LogLimits
    from streams.backends.open import open_log
    from tests.conformance.backends import Writer
    from tests.conformance.test_durability import work

    log = open_log(sys.argv[1], partitions=3, now=lambda: time.time_ns() // 1000,
                   limits=LogLimits(overlay_rows=40, flush_rows=3, feed_bytes=20_000, min_free_bytes=0))
    lease = log.acquire(0, sys.argv[2], 3600.0)
    if lease is None:
        print("held", flush=True)
        sys.exit(3)
    log.release(lease)
    writer = Writer(log, owner=sys.argv[2])
    print("ready", writer.position, flush=True)
    while True:
        changes, outputs, events = work(writer.position)
        code = writer.commit(*changes, outputs=outputs, events=events)
        assert code == "committed", code
        print(writer.position, flush=True)
    """
)


def work(position: int):
    """What the commit from this position writes: a function of it alone, so that anybody can say what must be there."""
    draw = random.Random(position)
    changes = [
        gone(f"k{draw.randrange(200)}")
        if draw.random() < 0.1
        else put(f"k{draw.randrange(200)}", b"%d" % position, draw.choice((2**62, draw.randrange(1_000))))
        for _ in range(draw.randrange(12))
    ]
    return changes, [command(position)] * draw.randrange(3), [event(position)] * draw.randrange(2)


def expected_at(position: int):
    rows: dict[str, tuple[bytes, int]] = {}
    outputs = tail = 0
    for at in range(position):
        changes, written, appended = work(at)
        for change in changes:
            rows.pop(change.name, None)
            if change.value is not None:
                rows[change.name] = (change.value, change.due)
        outputs += len(written)
        tail += len(appended)
    return rows, outputs, tail


@pytest.fixture
def start(backend: Backend, tmp_path: Path):
    started: list[subprocess.Popen[str]] = []

    def start(owner: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, backend.url(tmp_path), owner], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def lines_until(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(count)]


def test_killing_the_process_at_any_moment_leaves_whole_commits_and_right_rows(
    start, persistent: Backend, tmp_path: Path, clock: Clock
) -> None:
    draw = random.Random(4)
    position = 0
    if persistent.remote:
        clock.advance(100 * 365 * 86_400)  # nobody knows that the owner died, until its lease has run out
    for round in range(6):
        process = start(f"owner{round}")
        assert lines_until(process, 1) == [f"ready {position}"]
        last = lines_until(process, draw.randrange(20, 150))[-1]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

        log = persistent.open(tmp_path, clock)
        position = log.position(0, "rules")
        rows, outputs, tail = expected_at(position)
        assert position >= int(last)
        for view in ("as somebody who owns nothing", "as the owner"):
            assert dict(log.scan(0, "rules", "", "", 1_000)) == {name: row[0] for name, row in rows.items()}, view
            due = sorted((row[1], name) for name, row in rows.items() if row[1] < 2**62)
            assert log.due(0, "rules", (-1, ""), 1_000) == due, view
            assert log.rows(0, "rules", [f"k{n}" for n in range(200)]) == {name: row[0] for name, row in rows.items()}
            lease = log.acquire(0, f"checker{round}", 10)
            assert lease is not None, "the killed owner's lease must not be waited for"
        log.release(lease)
        assert (log.status()[0].outputs, log.tail(0)) == (outputs, tail)
        assert [text for text in log.check() if "beyond the tail" not in text] == []
        log.close()


def test_a_living_process_keeps_its_lease_and_a_killed_one_loses_it_at_once(start, local: Backend) -> None:
    owner = start("owner")
    lines_until(owner, 5)
    rival = start("rival")
    assert lines_until(rival, 1) == ["held"]
    assert rival.wait(timeout=30) == 3

    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()

    successor = start("successor")
    assert lines_until(successor, 1)[0].startswith("ready ")


def test_a_commit_whose_answer_was_lost_is_done(persistent: Backend, opened) -> None:
    log: Log = opened()
    writer = Writer(log)
    commit = writer.next(put("k", b"1"), outputs=[command(1)], events=[event(1)])
    assert log.commit(commit) is Code.COMMITTED
    log.close()

    log = opened()
    again = Writer(log)
    assert log.commit(replace(commit, lease=again.lease)) is Code.DONE
    assert (log.tail(0), log.status()[0].outputs) == (1, 1)
    assert log.rows(0, "rules", ["k"]) == {"k": b"1"}
