"""Streams that outlive their connections. The same of both clients."""

import asyncio
import itertools
import json
import threading
import time

import pytest
from aiohttp import web

from orchestrator_client import Busy, Followed, NotFound, NotOurs, Retry, Row, Unreachable
from tests.client.either import Either
from tests.client.speaking import Speaking, hangs_up, html, problem, says, streams

QUICK = Retry(within=5.0, first=0.01)


def message(number: int) -> bytes:
    return f'id: 1.0.{number}\ndata: {{"id": "e{number}"}}\n\n'.encode()


def followed(number: int) -> Followed:
    return Followed(f"1.0.{number}", {"id": f"e{number}"})


def test_following_goes_on_where_the_connection_was_lost(client: Either, server: Speaking) -> None:
    server.script.extend(
        [
            streams(b": hello\n\n", message(4), message(5), message(6)[:-1], cut=True),
            hangs_up,
            problem(503, retry_after="0"),
            html(502),
            streams(message(6)),
            streams(message(7), message(8)),
        ]
    )
    found = client.follow(type="order.*", subject="A 1", partition=0, after="1.0.3", retry=QUICK)
    assert list(itertools.islice(found, 5)) == [followed(number) for number in range(4, 9)]
    assert {asked.path for asked in server.asked} == {"/v1/events?partition=0&type=order.%2A&subject=A+1"}
    assert {asked.headers["Accept"] for asked in server.asked} == {"text/event-stream"}
    assert [asked.headers.get("Last-Event-ID") for asked in server.asked] == [
        "1.0.3",
        "1.0.5",
        "1.0.5",
        "1.0.5",
        "1.0.5",
        "1.0.6",
    ]
    found.close()


def test_a_server_says_how_long_to_stay_away(client: Either, server: Speaking) -> None:
    server.script.extend([streams(b"retry: 300\n\n", message(1)), streams(message(2))])
    began = time.monotonic()
    assert list(itertools.islice(client.follow(retry=QUICK), 2)) == [followed(1), followed(2)]
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (problem(404, "there is no projection `x`"), NotFound),
        (says({"rows": []}), NotOurs),
        (html(200), NotOurs),
        (streams(b"data: no object\n\n"), NotOurs),
        (streams(b"data: [1]\n\n"), NotOurs),
    ],
)
def test_what_is_no_stream_ends_it(client: Either, server: Speaking, handler: object, expected: type) -> None:
    server.script.append(handler)  # type: ignore[arg-type]
    with pytest.raises(expected):
        next(client.follow(retry=QUICK))
    assert len(server.asked) == 1


def test_a_server_that_never_comes_back_ends_it(client: Either, server: Speaking) -> None:
    server.script.append(streams(message(1)))
    server.usual = problem(503, "the server stops", retry_after="0")
    found = client.follow(retry=Retry(within=0.5, first=0.01))
    assert next(found) == followed(1)
    with pytest.raises(Busy, match="the server stops"):
        next(found)
    server.stop()
    with pytest.raises(Unreachable):
        next(client.follow(retry=Retry(within=0.3, first=0.01)))


def test_a_row_is_watched_through_its_changes_and_its_end(client: Either, server: Speaking) -> None:
    def change(row: object, number: int) -> bytes:
        said = json.dumps({"key": "A/1", "row": row, "as_of": f"1.0.{number}"})
        return f"id: 1.0.{number}\nevent: row\ndata: {said}\n\n".encode()

    server.script.extend([streams(change({"total": 1}, 3), change({"total": 2}, 4)), streams(change(None, 5))])
    found = list(itertools.islice(client.watch("orders", "A/1", retry=QUICK), 3))
    assert found == [Row("A/1", {"total": 1}, "1.0.3"), Row("A/1", {"total": 2}, "1.0.4"), Row("A/1", None, "1.0.5")]
    assert server.asked[1].path == "/v1/projections/orders/A%2F1"
    assert server.asked[1].headers["Last-Event-ID"] == "1.0.4"


def test_rows_that_fit_are_watched(client: Either, server: Speaking) -> None:
    server.script.append(streams(b'id: 1.0.3\ndata: {"key": "A1", "row": {"total": 1}}\n\n'))
    assert next(client.watch_rows("orders", {"total__gt": 0}, retry=QUICK)) == Row("A1", {"total": 1}, "1.0.3")
    assert server.asked[0].path == "/v1/projections/orders?total__gt=0"


def test_leaving_a_stream_ends_its_connection(client: Either, server: Speaking) -> None:
    ended = threading.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await response.write(message(1))
                await asyncio.sleep(0.01)
        except ConnectionError:
            ended.set()
            raise

    server.usual = endless
    found = client.follow(retry=QUICK)
    assert [next(found) for _ in range(3)] == [followed(1)] * 3
    found.close()
    assert ended.wait(10)
