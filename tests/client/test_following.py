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
    said = json.dumps({"position": f"1.0.{number}", "id": f"e{number}"})
    return f"event: event\nid: 1.0.{number},1.1.2\ndata: {said}\n\n".encode()


def followed(number: int) -> Followed:
    return Followed(f"1.0.{number}", {"id": f"e{number}"}, f"1.0.{number},1.1.2")


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
        "1.0.5,1.1.2",
        "1.0.5,1.1.2",
        "1.0.5,1.1.2",
        "1.0.5,1.1.2",
        "1.0.6,1.1.2",
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


def test_a_row_is_watched_through_its_changes_and_its_end_and_what_is_told_again_is_no_news(
    client: Either, server: Speaking
) -> None:
    def change(row: object, number: int) -> bytes:
        return f"id: 1.0.{number}\nevent: row\ndata: {json.dumps({'key': 'A/1', 'row': row})}\n\n".encode()

    server.script.append(streams(change({"total": 1}, 3), change({"total": 2}, 4)))
    server.script.append(streams(change({"total": 2}, 5), change(None, 6)))
    server.script.append(streams(change(None, 6), change({"total": 3}, 7)))
    assert list(itertools.islice(client.watch("orders", "A/1", retry=QUICK), 4)) == [
        Row("A/1", {"total": 1}, "1.0.3"),
        Row("A/1", {"total": 2}, "1.0.4"),
        Row("A/1", None, "1.0.6"),
        Row("A/1", {"total": 3}, "1.0.7"),
    ]
    assert {asked.path for asked in server.asked} == {"/v1/projections/orders/A%2F1"}


def test_a_list_is_watched_and_what_changed_between_two_connections_is_told(client: Either, server: Speaking) -> None:
    def said(kind: str, number: int, **data: object) -> bytes:
        return f"event: {kind}\nid: 1.0.{number},1.1.9\ndata: {json.dumps(data)}\n\n".encode()

    def rows(**found: int) -> list[dict[str, object]]:
        return [{"key": key, "row": {"n": n}} for key, n in found.items()]

    server.script.append(
        streams(
            said("rows", 1, rows=rows(a=1, b=2)),
            said("changes", 2, put=rows(c=0, b=3), gone=["a"], keys=["c", "b"]),
        )
    )
    server.script.append(streams(said("rows", 2, rows=rows(c=0, b=3))))
    moved = said("changes", 4, put=[], gone=[], keys=["c", "d"])
    server.script.append(streams(said("rows", 3, rows=rows(d=5, c=0)), moved))
    found = itertools.islice(client.watch_rows("orders", {"n__gt": 0}, sort="-n", limit=5, retry=QUICK), 4)
    first, second, third, fourth = [
        ([(row.key, row.fields["n"]) for row in each.rows], [row.key for row in each.put], each.gone, each.as_of)
        for each in found
    ]
    assert first == ([("a", 1), ("b", 2)], ["a", "b"], [], "1.0.1,1.1.9")
    assert second == ([("c", 0), ("b", 3)], ["c", "b"], ["a"], "1.0.2,1.1.9")
    assert third == ([("d", 5), ("c", 0)], ["d"], ["b"], "1.0.3,1.1.9")
    assert fourth == ([("c", 0), ("d", 5)], [], [], "1.0.4,1.1.9")
    assert {asked.path for asked in server.asked} == {"/v1/projections/orders?n__gt=0&sort=-n&limit=5"}


@pytest.mark.parametrize("data", [b"{}", b'{"put": [], "gone": [], "keys": ["x"]}', b'{"put": 3, "keys": []}'])
def test_a_change_that_makes_no_sense_is_none_of_ours(client: Either, server: Speaking, data: bytes) -> None:
    server.usual = streams(b"event: changes\nid: 1.0.1\ndata: " + data + b"\n\n")
    with pytest.raises(NotOurs):
        next(client.watch_rows("orders", retry=QUICK))
    if data == b"{}":
        with pytest.raises(NotOurs):
            next(client.watch("orders", "A1", retry=QUICK))


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
