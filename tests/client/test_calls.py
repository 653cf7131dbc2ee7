"""Calls over a real socket: repeated where that helps, typed where it does not. The same of both clients."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator_client import (
    ONCE,
    Busy,
    ClientError,
    Conflict,
    Event,
    Invalid,
    NotFound,
    NotOurs,
    NotReached,
    Problem,
    Published,
    Retry,
    Row,
    Unreachable,
)
from tests.client.either import Either, Kind
from tests.client.speaking import Speaking, hangs_up, html, problem, says, takes

EVENTS = [Event("t", "s", id=f"e{n}") for n in range(3)]


def test_events_are_published_in_one_request_and_answered_with_positions(client: Either, server: Speaking) -> None:
    assert client.publish(EVENTS) == (3, ["1.0.1", "1.0.2", "1.0.3"])
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/v1/events")
    assert asked.headers["Content-Type"] == "application/cloudevents-batch+json"
    assert asked.ids == ["e0", "e1", "e2"]


def test_one_event_is_published_by_itself_and_so_is_a_mapping(client: Either, server: Speaking) -> None:
    assert client.publish(EVENTS[0]).accepted == 1
    assert client.publish({"id": "m", "source": "s", "type": "t"}).accepted == 1
    assert [asked.ids for asked in server.asked] == [["e0"], ["m"]]


def test_a_lost_answer_is_asked_for_again_with_the_same_events(client: Either, server: Speaking) -> None:
    server.script.extend([hangs_up, hangs_up])
    assert client.publish(EVENTS).accepted == 3
    assert len(server.asked) == 3
    assert len({asked.body for asked in server.asked}) == 1


def test_a_server_without_room_is_waited_for_as_long_as_it_says(client: Either, server: Speaking) -> None:
    server.script.extend([problem(429, retry_after="1"), problem(503), html(502)])
    began = time.monotonic()
    assert client.publish(EVENTS).accepted == 3
    assert 1.0 <= time.monotonic() - began < 4.0


def test_a_server_that_stays_away_is_given_up_within_the_limit(kind: Kind, server: Speaking) -> None:
    client = kind.client(server.url, retry=Retry(within=0.5, first=0.01))
    server.stop()
    began = time.monotonic()
    with pytest.raises(Unreachable, match="cannot be reached") as raised:
        client.publish(EVENTS)
    assert time.monotonic() - began < 2.0
    assert "given up after" in raised.value.__notes__[0]


def test_a_server_that_does_not_answer_is_given_up_within_the_limit(kind: Kind, server: Speaking) -> None:
    async def silent(request: Any) -> Any:
        import asyncio

        await asyncio.sleep(5)

    server.usual = silent
    client = kind.client(server.url, retry=Retry(within=0.5, first=0.01))
    began = time.monotonic()
    with pytest.raises(Unreachable):
        client.row("orders", "A1")
    assert time.monotonic() - began < 2.0


@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, Invalid), (404, NotFound), (409, Conflict), (413, Invalid), (415, Invalid), (401, Problem), (500, Problem)],
)
def test_a_problem_is_an_error_of_its_kind_with_all_that_it_says(
    client: Either, server: Speaking, status: int, expected: type[Problem]
) -> None:
    server.usual = problem(status, "event 1: `type` is missing", field="type", index=1, line=4)
    with pytest.raises(expected) as raised:
        client.publish(EVENTS)
    error = raised.value
    assert type(error) is expected
    assert (error.status, error.detail, error.field, error.index) == (status, "event 1: `type` is missing", "type", 1)
    assert error.document["line"] == 4
    assert error.request_id == "r1"
    assert len(server.asked) == 1


def test_many_events_go_in_several_requests_and_the_place_of_a_bad_one_is_that_in_the_call(
    client: Either, server: Speaking
) -> None:
    server.script.extend([takes, takes, problem(400, "event 7: no", index=7)])
    with pytest.raises(Invalid) as raised:
        client.publish([Event("t", "s", id=str(n)) for n in range(2500)])
    assert [len(asked.ids) for asked in server.asked] == [1000, 1000, 500]
    assert raised.value.published == 2000
    assert raised.value.index == 2007


def test_large_events_go_in_smaller_requests(client: Either, server: Speaking) -> None:
    assert client.publish([Event("t", "s", data="x" * 900_000) for _ in range(5)]).accepted == 5
    assert [len(asked.ids) for asked in server.asked] == [2, 2, 1]


@pytest.mark.parametrize("status", [200, 404, 418])
def test_something_else_that_answers_is_told_apart(client: Either, server: Speaking, status: int) -> None:
    server.usual = html(status)
    with pytest.raises(NotOurs, match="is it an orchestrator"):
        client.row("orders", "A1")


@pytest.mark.parametrize("document", [{}, {"positions": 3}])
def test_an_answer_without_what_was_asked_for_is_none_of_ours(
    client: Either, server: Speaking, document: dict[str, Any]
) -> None:
    server.usual = says(document)
    for call in (lambda: client.publish(EVENTS), lambda: client.row("a", "b"), lambda: client.page("a")):
        with pytest.raises(NotOurs):
            call()


def test_a_row_and_its_absence_are_answers_a_missing_projection_is_an_error(client: Either, server: Speaking) -> None:
    server.script.append(says({"key": "A1", "row": {"total": 3}, "as_of": "1.0.4"}))
    assert client.row("orders", "A1") == Row("A1", {"total": 3}, "1.0.4")
    server.script.append(problem(404, "`orders` has no row of `A2`", as_of="1.0.5"))
    assert client.row("orders", "A2") == Row("A2", None, "1.0.5")
    server.script.append(problem(404, "there is no projection `order`"))
    with pytest.raises(NotFound, match="no projection"):
        client.row("order", "A2")


def test_a_position_that_is_not_reached_is_not_asked_for_again(client: Either, server: Speaking) -> None:
    server.usual = problem(504, "1.0.9 is not reached yet", retry_after="1", as_of="1.0.5")
    with pytest.raises(NotReached) as raised:
        client.row("orders", "A1", min_position="1.0.9")
    assert raised.value.as_of == "1.0.5"
    assert [asked.path for asked in server.asked] == ["/v1/projections/orders/A1?min_position=1.0.9"]


def test_rows_are_asked_for_page_by_page(client: Either, server: Speaking) -> None:
    pages = [["a", "b"], ["c", "d"], ["e"]]
    for number, keys in enumerate(pages):
        more = f"p{number + 1}" if number < 2 else None
        rows = [{"key": key, "row": {"n": number}} for key in keys]
        server.script.append(says({"rows": rows, "next": more, "as_of": ["1.0.7", "1.1.3"]}))
    where = {"status": "open", "amount__gt": 10.5, "late": True, "note": "a&b=c"}
    found = list(client.rows("orders", where, sort="-amount", limit=2, min_position="1.0.7"))
    assert [row.key for row in found] == ["a", "b", "c", "d", "e"]
    assert found[0].as_of == "1.0.7,1.1.3"
    asked = "/v1/projections/orders?status=open&amount__gt=10.5&late=true&note=a%26b%3Dc&sort=-amount&limit=2"
    assert [each.path for each in server.asked] == [
        f"{asked}&min_position=1.0.7",
        f"{asked}&cursor=p1",
        f"{asked}&cursor=p2",
    ]


def test_commands_are_asked_for_page_by_page(client: Either, server: Speaking) -> None:
    server.script.append(says({"commands": [{"id": "1"}, {"id": "2"}], "next": "x"}))
    server.script.append(says({"commands": [{"id": "3"}], "next": None}))
    assert [each["id"] for each in client.commands(state="parked", limit=2)] == ["1", "2", "3"]
    assert [each.path for each in server.asked] == [
        "/v1/commands?state=parked&limit=2",
        "/v1/commands?state=parked&limit=2&cursor=x",
    ]


def test_events_are_asked_for_page_by_page_also_where_a_page_is_empty(client: Either, server: Speaking) -> None:
    server.script.append(says({"events": [{"id": "1"}], "next": "x", "looked": 50_000}))
    server.script.append(says({"events": [], "next": "y", "looked": 50_000}))
    server.script.append(says({"events": [{"id": "2"}], "next": None, "looked": 3}))
    since = datetime(2026, 1, 1, tzinfo=UTC)
    assert [each["id"] for each in client.events(type="paid", since=since, limit=5)] == ["1", "2"]
    assert server.asked[2].path == "/v1/events?type=paid&since=2026-01-01T00%3A00%3A00%2B00%3A00&limit=5&cursor=y"


def test_what_was_published_is_at_one_place_with_a_position_for_each_partition() -> None:
    assert Published(4, ["1.0.9", "1.2.4", "1.0.10", "1.2.3"]).place == "1.0.10,1.2.4"
    assert Published(0, []).place == ""


def test_a_redrive_is_not_repeated_by_itself(client: Either, server: Speaking) -> None:
    server.script.append(hangs_up)
    with pytest.raises(Unreachable):
        client.redrive(["a"])
    server.script.append(problem(504, "it is asked for, and will be done", retry_after="60"))
    with pytest.raises(Busy, match="will be done"):
        client.redrive(["a"])
    server.script.append(says({"redriven": 2}))
    assert client.redrive(["a", "b"]) == 2
    assert [json.loads(each.body) for each in server.asked] == [{"ids": ["a"]}, {"ids": ["a"]}, {"ids": ["a", "b"]}]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        ("", ""),
        ("50%", "50%25"),
        ("ü\n?#", "%C3%BC%0A%3F%23"),
        ("a+b c", "a%2Bb%20c"),
    ],
)
def test_keys_of_any_kind_stay_one_segment_of_the_path(client: Either, server: Speaking, key: str, path: str) -> None:
    server.usual = says({"key": key, "row": {}, "as_of": "1.0.1"})
    assert client.row("orders", key).key == key
    assert server.asked[0].path == f"/v1/projections/orders/{path}"


def test_routes_without_a_method_of_their_own_can_be_asked(client: Either, server: Speaking) -> None:
    server.script.extend([problem(503), says({"ready": True})])
    assert client.request("GET", "/ready", asked={"verbose": None, "n": 1}) == {"ready": True}
    assert server.asked[1].path == "/ready?n=1"
    server.script.append(problem(503, "not yet"))
    with pytest.raises(Busy, match="not yet"):
        client.request("GET", "/ready", retry=ONCE)


def test_headers_of_the_house_go_with_every_request(kind: Kind, server: Speaking) -> None:
    kind.client(server.url, headers={"X-Gateway": "secret"}).publish(EVENTS)
    assert server.asked[0].headers["X-Gateway"] == "secret"


def test_a_path_before_the_servers_own_is_kept(kind: Kind, server: Speaking) -> None:
    kind.client(server.url + "/rules/").publish(EVENTS)
    assert server.asked[0].path == "/rules/v1/events"


@pytest.mark.parametrize("url", ["", "ftp://x", "127.0.0.1:8000", "http://", "http://x:port", "http://x?a=b"])
def test_an_address_that_is_none_is_refused_at_once(kind: Kind, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_URL", "nowhere")
    with pytest.raises(ValueError):
        kind.client(url)


def test_without_an_address_it_is_that_of_the_environment(
    kind: Kind, server: Speaking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_URL", server.url)
    assert kind.client(None).publish(EVENTS).accepted == 3


def test_every_error_is_a_client_error() -> None:
    assert issubclass(Problem, ClientError)
    assert issubclass(Unreachable, ClientError)
