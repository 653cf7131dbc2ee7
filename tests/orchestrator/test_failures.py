"""Exceptions that nobody expected are counted, logged and shown; none is swallowed, and none ends more than it must."""

import asyncio
import io
import logging
import sys
import threading
import time
from collections.abc import Callable

import pytest
import structlog
from aiohttp.http import HttpProcessingError

from orchestrator.escapes import reported
from orchestrator.health import RECENT, Health
from orchestrator.logs import configure
from orchestrator.threads import Part


class Clocked:
    def __init__(self) -> None:
        self.now = 0.0
        self.counted: list[str] = []
        self.health = Health(lambda: self.now, self.counted.append)


def wait_for(question: Callable[[], object], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.002)


def test_a_failure_is_counted_by_its_part_and_shown_for_a_while() -> None:
    clocked = Clocked()
    with structlog.testing.capture_logs() as lines:
        clocked.health.failed("api GET /x", ValueError("no"))
    assert clocked.counted == ["api"]
    assert clocked.health.problems() == ["api GET /x: ValueError: no"]
    assert (lines[0]["part"], lines[0]["error"]) == ("api GET /x", "ValueError: no")
    clocked.now += RECENT
    assert clocked.health.problems() == []


def test_what_comes_with_every_request_is_counted_each_time_and_logged_once_in_a_while() -> None:
    clocked = Clocked()
    with structlog.testing.capture_logs() as lines:
        for clocked.now in (0.0, 1.0, 2.0, RECENT + 1):
            clocked.health.repeated("log", OSError("full"))
            assert clocked.health.problems() == ["log: OSError: full"]
    assert (len(clocked.counted), len(lines)) == (4, 2)


def test_a_part_that_fails_is_reported_and_begins_again_also_if_the_report_fails() -> None:
    begun: list[int] = []
    told: list[str] = []
    working = threading.Event()

    def run(stop: threading.Event) -> None:
        begun.append(len(begun))
        if len(begun) == 1:
            raise ValueError("first")
        if len(begun) == 2:
            raise SystemExit("second")
        working.set()
        stop.wait(20)

    def failed(name: str, error: BaseException) -> None:
        told.append(f"{name} {error}")
        raise OSError("no space left for logs")

    part = Part("agent", run, failed=failed, first_pause=0.01)
    part.start()
    assert working.wait(20)
    assert told == ["agent first", "agent second"]
    assert part.failure == ""
    part.ask_to_stop()
    assert part.join(20)


def test_a_part_that_cannot_work_says_why() -> None:
    def run(stop: threading.Event) -> None:
        raise ValueError("no")

    def failed(name: str, error: BaseException) -> None:
        raise OSError("full")

    part = Part("feeder", run, failed=failed, first_pause=20)
    part.start()
    wait_for(lambda: "full" in part.failure)
    assert part.failure == "ValueError: no (which could not be logged: full)"
    part.ask_to_stop()
    assert part.join(20)


async def test_what_escapes_in_the_loop_in_threads_and_in_the_http_server_is_reported() -> None:
    failures: list[tuple[str, str]] = []

    def noted(where: str, error: BaseException) -> None:
        failures.append((where, str(error)))

    def broken(text: str) -> None:
        raise ValueError(text)

    loop = asyncio.get_running_loop()
    before = threading.excepthook
    with reported(loop, noted, noted):
        loop.call_soon(broken, "callback")
        thread = threading.Thread(target=broken, args=("thread",), name="lost")
        thread.start()
        await asyncio.to_thread(thread.join, 20)
        try:
            broken("request")
        except ValueError:
            logging.getLogger("aiohttp.server").exception("Error handling request")
        logging.getLogger("asyncio").error("no exception")
    assert sorted(failures) == [
        ("aiohttp", "request"),
        ("asyncio", "no exception"),
        ("loop", "callback"),
        ("thread lost", "thread"),
    ]
    assert threading.excepthook is before


class Full(io.StringIO):
    """A stream to a disk without room."""

    full = False

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def logging_to(monkeypatch: pytest.MonkeyPatch) -> Full:
    stream = Full()
    monkeypatch.setattr(sys, "stderr", stream)
    configure("info")
    return stream


def test_a_log_that_cannot_be_written_fails_nobody_and_says_later_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stderr = logging_to(monkeypatch)
    structlog.get_logger().info("one")
    stderr.full = True
    structlog.get_logger().info("two")
    logging.getLogger("library").error("three")
    stderr.full = False
    structlog.get_logger().info("four")
    events = [line.split('"event": "')[1].split('"')[0] for line in stderr.getvalue().splitlines()]
    assert events == ["one", "log lines were lost", "four"]
    assert '"lines": 2' in stderr.getvalue()


def test_libraries_log_in_the_same_form_and_clients_that_speak_no_http_fill_no_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stderr = logging_to(monkeypatch)
    logging.getLogger("library").warning("careful %s", "now")
    for error in (HttpProcessingError(code=400, message="no HTTP"), ValueError("ours")):
        try:
            raise error
        except Exception:
            logging.getLogger("aiohttp.server").exception("Error handling request")
    first, second = stderr.getvalue().splitlines()
    assert '"event": "careful now"' in first
    assert '"logger": "library"' in first
    assert "ValueError: ours" in second
