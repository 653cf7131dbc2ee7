"""Events listed and followed, rows and lists watched, and answers that wait for what one wrote: on a real server."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, ClientTimeout

from orchestrator import places
from orchestrator.live import Live
from streams.backends.open import open_log
from streams.log import Fork, LogInfo
from tests.crash.processes import ServerProcess, serving

RULES = """
ruleset: shop
projections:
  orders:
    index: [total]
    fold:
      order.placed: {total: event.data.total}
  customers:
    by: event.data.customer
    fold:
      order.placed: {orders: "row.orders + 1"}
    initial: {orders: 0}
rules: {}
"""
STREAM = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("live"), RULES, ORCHESTRATOR_STREAMS="3") as running:
        yield running
        assert running.end(signal.SIGTERM) == 0
        assert running.said() == ""


@pytest.fixture
async def http(server: ServerProcess) -> AsyncIterator[ClientSession]:
    async with ClientSession(server.url, timeout=ClientTimeout(total=60)) as session:
        yield session


def event(id: str, subject: str, total: int = 1, **more: Any) -> dict[str, Any]:
    data = {"total": total, "customer": f"c-{subject}"}
    return {"id": id, "source": "live", "type": "order.placed", "subject": subject, "data": data, **more}


async def publish(http: ClientSession, *events: dict[str, Any]) -> list[str]:
    async with http.post("/v1/events", json=list(events)) as answer:
        assert answer.status == 202, await answer.text()
        found: list[str] = (await answer.json())["positions"]
        return found


async def get(http: ClientSession, path: str, **query: Any) -> tuple[int, Any]:
    async with http.get(path, params=query) as answer:
        return answer.status, await answer.json()


class Messages:
    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        self._lines = lines
        self.last = ""

    async def next(self) -> tuple[str, Any]:
        """(type, data) of the next message that has data."""
        kind, data = "", None
        async with asyncio.timeout(30):
            async for line in self._lines:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "event":
                    kind = value
                elif name == "id":
                    self.last = value
                elif name == "data":
                    data = json.loads(value)
                elif not name and data is not None:
                    return kind, data
        raise AssertionError("the stream ended")


@asynccontextmanager
async def stream(http: ClientSession, path: str, last: str = "", **query: str) -> AsyncIterator[Messages]:
    headers = STREAM | ({"Last-Event-ID": last} if last else {})
    async with http.get(path, params=query, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream"), await answer.text()
        yield Messages(answer.content)


async def test_events_are_listed_newest_first_and_pages_hold_each_once(http: ClientSession) -> None:
    sent = [event(f"l{n}", f"s{n % 5}", time=f"2025-01-01T00:{n:02}:00Z", type="listed") for n in range(30)]
    await publish(http, *sent)
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        status, page = await get(http, "/v1/events", type="listed", limit=7, **cursor)
        assert status == 200
        found += [each["id"] for each in page["events"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert found == [each["id"] for each in reversed(sent)]
    _, some = await get(http, "/v1/events", subject="s3", since="2025-01-01T00:10:00Z", until="2025-01-01T00:20:00Z")
    assert [each["id"] for each in some["events"]] == ["l18", "l13"]
    shown = some["events"][0]
    assert shown["data"] == sent[18]["data"]
    _, control = await get(http, "/v1/events", type="orchestrator.rules.activated")
    assert len(control["events"]) == 4, "one in each partition; other lists leave control events out"
    _, one = await get(http, "/v1/events", partition=shown["position"].split(".")[1], type="listed", subject="s3")
    assert len(one["events"]) == 6


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("partition=9", 404, "there are 4"),
        ("since=yesterday", 400, "send RFC 3339"),
        ("cursor=x", 400, "generation.partition.offset"),
        ("cursor=9.0.1", 400, "later generation"),
        ("after=1.0.1", 400, "is of a stream"),
        ("kind=a", 400, "there is no parameter `kind`"),
    ],
)
async def test_a_question_about_events_that_makes_no_sense_is_refused(
    http: ClientSession, query: str, status: int, said: str
) -> None:
    found, answer = await get(http, f"/v1/events?{query}")
    assert found == status
    assert said in answer["detail"]


async def test_a_stream_of_events_resumes_exactly_where_it_was(http: ClientSession) -> None:
    async with stream(http, "/v1/events", type="followed") as first:
        await publish(http, *(event(f"f{n}", f"s{n}", type="followed") for n in range(20)))
        seen = [(await first.next())[1]["id"] for _ in range(8)]
        last = first.last
    await publish(http, *(event(f"f{n}", f"s{n}", type="followed") for n in range(20, 30)))
    async with stream(http, "/v1/events", last, type="followed") as again:
        seen += [(await again.next())[1]["id"] for _ in range(22)]
    assert sorted(seen) == sorted(f"f{n}" for n in range(30))


async def test_a_row_is_watched_from_its_absence_on(http: ClientSession) -> None:
    async with stream(http, "/v1/projections/orders/watched%2Fkey") as rows:
        assert await rows.next() == ("row", {"key": "watched/key", "row": None})
        for total in (5, 6):
            await publish(http, event(f"w{total}", "watched/key", total))
            assert await rows.next() == ("row", {"key": "watched/key", "row": {"total": total}})


async def test_a_list_is_watched_by_what_changes_of_it(http: ClientSession) -> None:
    positions = await publish(http, event("x1", "x1", 1001), event("x2", "x2", 1002))
    query = {"total__gt": "1000", "sort": "-total", "limit": "2", "min_position": ",".join(positions)}
    async with stream(http, "/v1/projections/orders", **query) as changes:
        first = ("rows", {"rows": [{"key": "x2", "row": {"total": 1002}}, {"key": "x1", "row": {"total": 1001}}]})
        assert await changes.next() == first
        await publish(http, event("x3", "x3", 1003))
        put = [{"key": "x3", "row": {"total": 1003}}]
        assert await changes.next() == ("changes", {"put": put, "gone": ["x1"], "keys": ["x3", "x2"]})


async def test_what_was_written_is_read_also_where_it_was_forwarded(http: ClientSession) -> None:
    for n in range(30):
        (position,) = await publish(http, event(f"m{n}", f"m{n}", n))
        status, found = await get(http, f"/v1/projections/orders/m{n}", min_position=position)
        assert (status, found["row"]) == (200, {"total": n})
        (position,) = await publish(http, event(f"n{n}", f"m{n}", n))
        status, found = await get(http, f"/v1/projections/customers/c-m{n}", min_position=position)
        assert (status, found["row"]) == (200, {"orders": 2})


async def test_a_position_that_is_not_reached_says_how_far_it_came(http: ClientSession) -> None:
    async with http.get(
        "/v1/projections/orders/m1", params={"min_position": "1.0.999999"}, headers={"Prefer": "wait=0"}
    ) as answer:
        found = await answer.json()
        assert answer.status == 504
        assert found["detail"].startswith("not yet: partition 0 is at ")
        assert int(found["as_of"].split(".")[2]) < 999_999
    assert (await get(http, "/v1/projections/orders/m1", min_position="1.9.1"))[0] == 400


async def test_there_are_only_so_many_streams_and_each_ends_with_its_reader(http: ClientSession) -> None:
    """Those of the tests before this one, too."""

    async def opened() -> list[ClientResponse]:
        async with asyncio.timeout(30):
            while True:
                streams = [await http.get("/v1/events", headers=STREAM) for _ in range(4)]
                if [each.status for each in streams] == [200, 200, 200, 503]:
                    return streams
                for each in streams:
                    each.close()
                await asyncio.sleep(1.5)

    for _ in range(2):
        streams = await opened()
        assert "Retry-After" in streams[3].headers
        for each in streams:
            each.close()


async def test_a_reader_ahead_of_the_last_look_does_not_read_again_until_tables_are_elsewhere() -> None:
    shown = {0: 100}
    failed: list[str] = []
    log = open_log("memory://", partitions=1, now=time.time_ns)
    live = Live(log, shown.__getitem__, 1, lambda where, error: failed.append(f"{where}: {error}"))
    with live.stream(), live.watching([0]):
        assert await live.moved({0: 99}, live.looks, 10), "the first look finds it beyond the reader"
        since = live.looks
        shown[0] = 105
        assert not await live.moved({0: 105}, since, 0.5), "that look found what the reader has"
        shown[0] = 90
        assert await live.moved({0: 105}, since, 10), "tables go back after a fork"
    await live.stop()
    log.close()
    assert failed == []


class _Known:
    info = LogInfo("log", 3, 4)
    forks = (Fork(2, 1, 50, 0), Fork(3, 0, 7, 0))


@pytest.mark.parametrize(
    ("text", "lost"),
    [("1.1.50", None), ("1.1.51", 2), ("2.1.51", None), ("1.0.8", 3), ("2.0.8", 3), ("3.0.8", None), ("1.2.99", None)],
)
def test_a_place_of_an_older_generation_is_good_unless_its_events_were_lost(text: str, lost: int | None) -> None:
    if lost is None:
        _, partition, offset = text.split(".")
        assert places.read(_Known(), text) == {int(partition): int(offset)}  # type: ignore[arg-type]
    else:
        with pytest.raises(places.LostPlace) as told:
            places.read(_Known(), text)  # type: ignore[arg-type]
        assert told.value.fork.generation == lost
