"""POST /v1/events: every form of CloudEvents, and clear refusals that store nothing."""

import asyncio
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest

from orchestrator.appends import Appends
from streams.backends.open import open_log
from streams.event import Event
from streams.log import Append, Appended, Log, LogFull
from tests.orchestrator.serving import api, now

EVENT = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "subject": "A", "data": {"n": 1}}
PLAIN = {"Content-Type": "application/json"}


def stored(log: Log) -> list[Event]:
    return [event for p in range(log.info.partitions) for event in log.read(p, 0, 1000).events]


@pytest.mark.parametrize(
    ("headers", "body", "count"),
    [
        (PLAIN, json.dumps(EVENT), 1),
        (PLAIN, json.dumps([EVENT, EVENT | {"id": "2", "subject": "B"}]), 2),
        ({"Content-Type": "application/cloudevents+json; charset=utf-8"}, json.dumps(EVENT), 1),
        ({"Content-Type": "application/cloudevents-batch+json"}, json.dumps([EVENT, EVENT | {"id": "2"}]), 2),
        ({"Content-Type": "application/cloudevents-batch+json"}, "[]", 0),
        (
            PLAIN | {"ce-id": "1", "ce-source": "s", "ce-type": "t", "ce-subject": "A", "ce-specversion": "1.0"},
            '{"n": 1}',
            1,
        ),
    ],
)
async def test_each_form_is_stored_and_answered_with_positions(headers: dict[str, str], body: str, count: int) -> None:
    async with api() as (client, log):
        answer = await client.post("/v1/events", data=body.encode(), headers=headers)
        found = await answer.json()
        assert answer.status == 202, found
        assert found["accepted"] == count == len(found["positions"])
        events = stored(log)
        assert len(events) == count
        for event in events:
            assert event.payload() == {"n": 1}
        for event, position in zip([EVENT][:count], found["positions"], strict=False):
            generation, partition, offset = map(int, position.split("."))
            assert generation == log.info.generation
            assert log.fetch(partition, [offset])[0].id == event["id"]


async def test_binary_headers_are_percent_decoded() -> None:
    headers = PLAIN | {"ce-id": "1", "ce-source": "s", "ce-type": "t", "ce-subject": "Gr%C3%BC%C3%9Fe"}
    async with api() as (client, log):
        assert (await client.post("/v1/events", data=b"1", headers=headers)).status == 202
        assert stored(log)[0].key == "Grüße"


@pytest.mark.parametrize(
    ("headers", "body", "status", "field"),
    [
        (PLAIN, b"{", 400, ""),
        (PLAIN, b"", 400, ""),
        (PLAIN, b"[1]", 400, ""),
        (PLAIN, b'{"id": "1", "source": "s", "type": "\xff"}', 400, ""),
        (PLAIN, json.dumps(EVENT | {"id": None}).encode(), 400, "id"),
        (PLAIN, json.dumps(EVENT | {"id": "\ud800"}).encode(), 400, "id"),
        (PLAIN, json.dumps(EVENT | {"type": 7}).encode(), 400, "type"),
        (PLAIN, json.dumps(EVENT | {"type": "orchestrator.tick"}).encode(), 400, "type"),
        (PLAIN, json.dumps(EVENT | {"time": "2099-01-01T00:00:00Z"}).encode(), 400, "time"),
        (PLAIN | {"ce-id": "1"}, b"1", 400, "source"),
        (PLAIN | {"ce-id": "%FF", "ce-source": "s", "ce-type": "t"}, b"1", 400, "id"),
        (PLAIN | {"ce-id": "1", "ce-source": "s", "ce-type": "t"}, b"{", 400, "data"),
        ({"Content-Type": "text/plain"}, b"hello", 415, None),
        ({"Content-Type": "application/json; charset=latin-1"}, b"{}", 415, None),
        (PLAIN | {"Content-Encoding": "br"}, b"{}", 415, None),
        (PLAIN, b" " * (10 << 20), 413, None),
    ],
)
async def test_bad_input_is_a_problem_that_names_the_field(
    headers: dict[str, str], body: bytes, status: int, field: str | None
) -> None:
    async with api() as (client, log):
        answer = await client.post("/v1/events", data=io.BytesIO(body), headers=headers)
        found = await answer.json()
        assert answer.status == status, found
        assert answer.content_type == "application/problem+json"
        assert found["status"] == status
        assert found["detail"]
        assert found.get("field") == field
        assert not stored(log)
        assert (await client.post("/v1/events", json=EVENT)).status == 202


async def test_one_bad_event_of_a_batch_stores_none_and_is_named() -> None:
    async with api() as (client, log):
        answer = await client.post("/v1/events", json=[EVENT, EVENT | {"id": ""}])
        assert answer.status == 400
        assert (await answer.json())["index"] == 1
        assert not stored(log)


async def test_unknown_places_and_methods_are_problems_too() -> None:
    async with api() as (client, _):
        for answer, status in ((await client.get("/v1/nothing"), 404), (await client.put("/v1/events"), 405)):
            assert answer.status == status
            assert answer.content_type == "application/problem+json"


class Watched:
    """A log whose appends are counted, can be slowed down and can fail."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.calls: list[int] = []
        self.fails: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def append(self, appends: Sequence[Append]) -> list[Appended]:
        self.calls.append(sum(len(append.events) for append in appends))
        if self.fails is not None:
            self.fails(appends)
        return self._log.append(appends)


async def test_concurrent_requests_share_appends_and_each_learns_its_own_positions() -> None:
    log = Watched(open_log("memory://", partitions=3, now=now))
    async with api(log) as (client, _):  # type: ignore[arg-type]
        bodies = [EVENT | {"id": str(n), "subject": f"k{n % 7}"} for n in range(200)]
        answers = await asyncio.gather(*(client.post("/v1/events", json=body) for body in bodies))
        for body, answer in zip(bodies, answers, strict=True):
            (position,) = (await answer.json())["positions"]
            _, partition, offset = map(int, position.split("."))
            assert log.fetch(partition, [offset])[0].id == body["id"]
    assert sum(log.calls) == 200
    assert len(log.calls) < 200


async def test_what_the_log_cannot_take_is_answered_with_429_and_others_go_on() -> None:
    log = Watched(open_log("memory://", partitions=2, now=now))

    def full(appends: Sequence[Append]) -> None:
        if any(event.id == "full" for append in appends for event in append.events):
            raise LogFull("partition 0 is full", 3.0)

    log.fails = full
    async with api(log) as (client, _):  # type: ignore[arg-type]
        answers = await asyncio.gather(
            *(client.post("/v1/events", json=EVENT | {"id": id}) for id in ("1", "full", "2", "3"))
        )
        assert [answer.status for answer in answers] == [202, 429, 202, 202]
        assert answers[1].headers["Retry-After"] == "3"


async def test_a_full_queue_is_answered_at_once() -> None:
    log = Watched(open_log("memory://", partitions=1, now=now))
    appends = Appends(log, 10)  # type: ignore[arg-type]
    event = Event("t", 0, "A", "A", "s", "1", 1, b"null")  # type: ignore[arg-type]
    first = asyncio.ensure_future(appends.events([event] * 8))
    await asyncio.sleep(0)
    with pytest.raises(LogFull):
        await appends.events([event] * 3)
    assert len(await first) == 8
    assert appends.waiting == 0
    await appends.close()


async def test_an_unexpected_failure_is_500_and_reported_and_the_next_request_is_served() -> None:
    log = Watched(open_log("memory://", partitions=1, now=now))
    failures: list[tuple[str, BaseException]] = []

    def broken(appends: Sequence[Append]) -> None:
        log.fails = None
        raise RuntimeError("disk on fire")

    log.fails = broken
    async with api(log, failures=failures) as (client, _):  # type: ignore[arg-type]
        answer = await client.post("/v1/events", json=EVENT)
        assert answer.status == 500
        assert "fire" not in await answer.text()
        assert [str(error) for _, error in failures] == ["disk on fire"]
        assert (await client.post("/v1/events", json=EVENT)).status == 202
