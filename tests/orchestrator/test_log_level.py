"""How much is logged changes while a server runs, of all its workers, and lines carry the ids of what they tell of."""

import asyncio
import json
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from orchestrator import logs
from orchestrator.failure_fields import fields
from orchestrator.log_level import LogLevels
from orchestrator.telling import LONGEST, MOST, told
from streams.event import RESULT, Event
from streams.log import DELIVERY, Commit, Lease
from streams.outputs import Decision
from tests.orchestrator.serving import api
from tests.orchestrator.test_server import Running

LEASE = Lease(3, "me", 1)
LEVELS = ("error", "warning", "info", "debug")


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def said(lines: Callable[[], list[dict[str, Any]]]) -> list[str]:
    """The levels at which something is logged."""
    lines()
    log = structlog.get_logger()
    for level in LEVELS:
        getattr(log, level)("text")
    found = [line["level"] for line in lines()]
    assert logs.debugging() == ("debug" in found)
    return found


async def test_each_step_logs_more_and_back_is_what_was_configured(lines: Callable[[], list[dict[str, Any]]]) -> None:
    logs.configure("warning")
    levels = LogLevels("warning")
    assert said(lines) == ["error", "warning"]
    levels.more()
    assert said(lines) == ["error", "warning", "info"]
    levels.more()
    levels.more()
    assert said(lines) == list(LEVELS)
    levels.back()
    assert said(lines) == ["error", "warning"]
    levels.choose("error", None)
    assert said(lines) == ["error"]
    assert (levels.level, levels.configured) == ("error", "warning")


async def test_a_level_for_a_while_ends_by_itself_unless_another_is_chosen(
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    logs.configure("info")
    levels = LogLevels("info")
    back = asyncio.Event()
    levels.choose("debug", time.time() + 0.1)
    levels.changed = back.set
    assert levels.level == "debug"
    async with asyncio.timeout(20):
        await back.wait()
    assert (levels.level, levels.until) == ("info", None)
    levels.choose("debug", time.time() + 0.05)
    levels.choose("error", None)
    await asyncio.sleep(0.1)
    assert levels.level == "error"
    changes = [(line["chosen"], line["until"] is None) for line in lines()]
    assert changes == [("debug", False), ("info", True), ("debug", False), ("error", True)]


async def test_the_api_shows_and_changes_it_and_asks_for_all_workers() -> None:
    logs.configure("info")
    asked: list[tuple[str, float | None]] = []
    levels = LogLevels("info", lambda level, until: asked.append((level, until)))
    async with api(log_levels=levels) as (client, _):
        answer = await client.put("/v1/log-level", json={"level": "debug", "for": 600})
        found = await answer.json()
        assert (answer.status, found["level"], found["configured"]) == (200, "debug", "info")
        assert found["until"].endswith("Z")
        assert await (await client.get("/v1/log-level")).json() == found
        answer = await client.put("/v1/log-level", json={"level": "info"})
        assert await answer.json() == {"level": "info", "configured": "info", "until": None}
    (first, until), second = asked
    assert first == "debug"
    assert until is not None
    assert until > time.time() + 500
    assert second == ("info", None)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "`level` is missing"),
        ({"level": "loud"}, "choose debug, info, warning or error"),
        ({"level": "debug", "for": 0}, "choose more than 0"),
        ({"level": "debug", "for": 1e9}, "choose at most 86400"),
        ({"level": "debug", "seconds": 5}, "there is no field `seconds`: use level, for"),
    ],
)
async def test_what_is_no_level_is_refused_and_changes_nothing(body: dict[str, Any], says: str) -> None:
    levels = LogLevels("info")
    async with api(log_levels=levels) as (client, _):
        answer = await client.put("/v1/log-level", json=body)
        assert answer.status == 400
        assert says in (await answer.json())["detail"]
    assert levels.level == "info"


# -- a server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.stop()


def logged(folder: Path, event: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (folder / "errors.txt").read_text().splitlines()]
    return [line for line in found if line["event"] == event]


def wait_for(question: Callable[[], Any]) -> Any:
    until = time.monotonic() + 30
    while not (found := question()):
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)
    return found


def publish(server: Running, id: str) -> None:
    event = {"id": id, "source": "s", "type": "order.placed", "subject": "A", "time": "2020-01-01T00:00:00Z"}
    body = json.dumps({**event, "data": {"total": 1}}).encode()
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(f"{server.url}/v1/events", body, headers), timeout=20).close()


def test_signals_log_more_and_back_and_lines_of_debug_have_the_ids(server: Running) -> None:
    publish(server, "1")
    assert not logged(server.folder, "request")
    server.process.send_signal(signal.SIGUSR1)
    assert wait_for(lambda: logged(server.folder, "log level"))[0]["chosen"] == "debug"
    publish(server, "2")
    (request,) = wait_for(lambda: logged(server.folder, "request"))
    assert (request["method"], request["route"], request["status"]) == ("POST", "/v1/events", 202)
    committed = wait_for(lambda: [line for line in logged(server.folder, "committed") if line["processor"] == "rules"])
    assert committed[-1]["start"] < committed[-1]["end"]
    attempts = wait_for(lambda: logged(server.folder, "attempt"))
    assert {(line["target"], line["verdict"]) for line in attempts} == {("log", "done")}
    assert {line["command_id"] for line in attempts} <= {line["id"] for line in logged(server.folder, "command")}
    assert {line["partition"] for line in attempts} <= {line["partition"] for line in committed}
    server.process.send_signal(signal.SIGUSR2)
    wait_for(lambda: len(logged(server.folder, "log level")) == 2)
    before = len(logged(server.folder, "request"))
    publish(server, "3")
    assert len(logged(server.folder, "request")) == before


# -- what is told


def test_a_place_is_told_as_fields() -> None:
    assert fields("delivery of partition 3") == {"part": "delivery of partition 3", "partition": 3}
    assert fields("target bank") == {"part": "target bank", "target": "bank"}
    assert fields("feeder") == {"part": "feeder"}


def test_events_that_are_not_evaluated_and_commands_that_are_parked_are_told_with_their_ids(
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    logs.configure("info")
    told(Commit(LEASE, "rules", 4, 8, outputs=[Decision("parked", 7, "A1", "shop", "e7", "x" * 2000)]))
    data = {"id": "c1", "command": "look", "to": "bank", "rule": "big", "attempts": 3, "reason": "HTTP 400"}
    raw = msgspec.Raw(msgspec.json.encode(data))
    parked = Event("orchestrator.command.parked", 1, "A1", "A1", "orchestrator", "c1.parked.1", 1, raw, RESULT)
    told(Commit(LEASE._replace(role=DELIVERY), DELIVERY, 1, 2, events=[parked]))
    event, command = lines()
    del event["timestamp"], command["timestamp"]
    assert event.pop("reason") == "x" * LONGEST
    assert event == {
        "event": "event parked",
        "level": "warning",
        "partition": 3,
        "offset": 7,
        "event_id": "e7",
        "source": "shop",
        "key": "A1",
    }
    assert command == {
        "event": "command parked",
        "level": "warning",
        "partition": 3,
        "command_id": "c1",
        "command": "look",
        "target": "bank",
        "rule": "big",
        "attempts": 3,
        "reason": "HTTP 400",
    }


def test_a_flood_of_what_cannot_be_evaluated_does_not_fill_the_log(lines: Callable[[], list[dict[str, Any]]]) -> None:
    logs.configure("info")
    told(Commit(LEASE, "rules", 0, 5000, outputs=[Decision("parked", n, "", "", "", "bad") for n in range(1, 5001)]))
    found = lines()
    assert len(found) == MOST + 1
    assert (found[-1]["event"], found[-1]["lines"]) == ("more was parked", 5000 - MOST)
