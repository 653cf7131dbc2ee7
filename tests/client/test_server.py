"""The client and a real server: what is published is found again, whatever its key looks like."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from orchestrator_client import Client, Conflict, Event, Invalid, NotFound, NotReached, Retry
from orchestrator_client.sse import Parser
from tests.client.either import Either, Kind
from tests.crash.processes import ServerProcess

RULES = """
ruleset: shop
projections:
  orders:
    fold:
      order.placed: {total: event.data.total, status: "'open'"}
    index: [status, total]
rules:
  big:
    on: order.placed
    when: event.data.total >= 100
    then: [{command: look-at, to: log, args: {total: "${event.data.total}"}}]
"""
KEYS = ["A1", "a/b", "..", ".", "50%", "ü ß+&=?#", "", "x" * 1000, "<b>"]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("server")
    (folder / "rules.yaml").write_text(RULES)
    (folder / "targets.yaml").write_text("targets: {}\n")
    server = ServerProcess(folder, folder / "rules.yaml", folder / "targets.yaml", 3)
    server.spawn()
    server.wait_ready()
    yield server.url
    server.end(15)


@pytest.fixture
def shop(kind: Kind, url: str) -> Either:
    return kind.client(url, retry=Retry(within=20))


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_what_is_published_under_any_key_is_found_under_it(shop: Either) -> None:
    events = [Event("order.placed", "s", key, {"total": n}, id=f"k{n}") for n, key in enumerate(KEYS)]
    answer = shop.publish(events)
    assert answer.accepted == len(KEYS) == len(set(answer.positions))
    for number, key in enumerate(KEYS):
        row = shop.row("orders", key, min_position=answer.place)
        assert (row.key, row.fields["total"]) == (key, number)
        assert next(shop.watch("orders", key))._replace(as_of="") == row._replace(as_of="")
    assert shop.row("orders", "nobody").fields is None
    with pytest.raises(NotFound, match="there is no projection `order`"):
        shop.row("order", "A1")


def test_rows_that_fit_come_from_all_pages_in_order(shop: Either) -> None:
    totals = list(range(200, 230))
    answer = shop.publish([Event("order.placed", "s", f"L{n}", {"total": n}, id=f"l{n}") for n in totals])
    where = {"status": "open", "total__gte": 200, "total__in": totals}
    found = list(shop.rows("orders", where, sort="-total", limit=7, min_position=answer.place))
    assert [row.fields["total"] for row in found] == totals[::-1]
    assert len(found[0].as_of.split(",")) == 3
    with pytest.raises(Invalid) as raised:
        shop.page("orders", {"price": 3})
    assert raised.value.field == "price"
    assert [each["name"] for each in shop.projections()] == ["orders"]


def test_commands_are_found_and_only_parked_ones_are_redriven(shop: Either) -> None:
    shop.publish([Event("order.placed", "s", f"C{n}", {"total": 100}, id=f"c{n}") for n in range(5)])
    done = [f"C{n}" for n in range(5)]

    def keys() -> list[str]:
        found = shop.commands(state="done", rule="big", limit=2)
        return sorted(each["key"] for each in found if each["key"] in done)

    eventually(lambda: keys() == done)
    id = next(iter(shop.commands(key="C1")))["id"]
    assert shop.command(id)["args"] == {"total": 100}
    with pytest.raises(Conflict):
        shop.redrive([id])
    with pytest.raises(NotFound):
        shop.command("none")
    assert [each["partition"] for each in shop.partitions()] == [0, 1, 2]


def test_one_bad_event_of_many_is_named_and_none_of_its_request_is_taken(shop: Either, kind: Kind) -> None:
    mark = f"B{kind.asynchronous}"
    events = [Event("order.placed", "s", mark, {"total": 1}) for _ in range(1500)]
    events[1200] = Event("orchestrator.tick", "s")
    with pytest.raises(Invalid, match="`type`") as raised:
        shop.publish(events)
    assert (raised.value.published, raised.value.index, raised.value.field) == (1000, 1200, "type")
    assert raised.value.request_id


def test_times_and_extensions_arrive(shop: Either) -> None:
    ahead = datetime(2999, 1, 1, tzinfo=UTC)
    with pytest.raises(Invalid) as raised:
        shop.publish(Event("order.placed", "s", "T", {"total": 1}, time=ahead))
    assert raised.value.field == "time"
    one = Event("order.placed", "s", "T1", {"total": 1}, extensions={"partitionkey": "same"})
    other = Event("order.placed", "s", "T2", {"total": 1}, extensions={"partitionkey": "same"})
    first, second = shop.publish([one, other]).positions
    assert first.rpartition(".")[0] == second.rpartition(".")[0]


def test_a_position_that_is_not_there_yet_is_told_with_how_far_it_came(shop: Either) -> None:
    position = shop.publish(Event("order.placed", "s", "P", {"total": 1})).positions[0]
    beyond = f"{position}000000"
    with pytest.raises(NotReached) as raised:
        shop.row("orders", "P", min_position=beyond, wait=1)
    assert raised.value.as_of is not None
    assert raised.value.as_of.startswith(position.rpartition(".")[0])


def test_events_are_listed_newest_first(shop: Either, kind: Kind) -> None:
    mark = f"order.marked.{kind.asynchronous}".lower()
    shop.publish([Event(mark, "s", f"E{n}", {"n": n}, time=f"2026-01-0{n}T00:00:00Z") for n in range(1, 6)])
    found = list(shop.events(type=mark, until=datetime(2026, 1, 4, tzinfo=UTC), limit=2))
    assert [each["data"]["n"] for each in found] == [3, 2, 1]
    assert all(each["position"].startswith("1.") for each in found)


def test_a_row_and_a_list_are_watched(shop: Either, kind: Kind) -> None:
    key = f"W{kind.asynchronous}"
    rows, lists = shop.watch("orders", key), shop.watch_rows("orders", {"key": key})
    assert next(rows).fields is None
    assert next(lists).rows == []
    shop.publish(Event("order.placed", "s", key, {"total": 1}))
    assert next(rows).fields == {"total": 1, "status": "open"}
    assert [(row.key, row.fields["total"]) for row in next(lists).put] == [(key, 1)]
    shop.publish(Event("order.placed", "s", key, {"total": 2}))
    assert next(rows).fields["total"] == 2
    assert [row.fields["total"] for row in next(lists).rows] == [2]
    rows.close()
    lists.close()


@pytest.mark.slow
def test_following_sees_each_event_once_over_a_server_that_is_killed(kind: Kind, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "targets.yaml").write_text("targets: {}\n")
    server = ServerProcess(tmp_path, tmp_path / "rules.yaml", tmp_path / "targets.yaml", 3)
    try:
        server.spawn()
        server.wait_ready()
        client = kind.client(server.url, retry=Retry(within=30))
        other = Client(server.url, retry=Retry(within=30))
        client.publish([Event("paid", "s", f"k{n}", id=f"{n}") for n in range(10)])
        stream = client.follow(type="paid", after="1.0.0,1.1.0,1.2.0")
        found = [next(stream) for _ in range(10)]
        for round in (1, 2):
            server.kill()
            server.spawn()
            server.wait_ready()
            other.publish([Event("paid", "s", f"k{n}", id=f"{round}{n}") for n in range(10)])
            found += [next(stream) for _ in range(10)]
        stream.close()
        again = client.follow(type="paid", after=found[14].place)
        assert {next(again).event["id"] for _ in range(15)} == {each.event["id"] for each in found[15:]}
        again.close()
        other.close()
    finally:
        server.clean_up()
    expected = [f"{n}" for n in range(10)] + [f"{round}{n}" for round in (1, 2) for n in range(10)]
    assert sorted(each.event["id"] for each in found) == sorted(expected)


def test_a_stream_says_where_it_begins_so_that_losing_it_at_once_loses_no_event(shop: Either, url: str) -> None:
    accepts = {"Accept": "text/event-stream"}
    parser = Parser()
    with httpx.stream("GET", f"{url}/v1/events", headers=accepts) as answer:
        chunks = answer.iter_bytes()
        while not parser.last_id:
            assert parser.feed(next(chunks)) == []
    missed = shop.publish(Event("order.placed", "s", "M", {"total": 1})).positions[0]
    found = shop.follow(subject="M", after=parser.last_id)
    assert next(found).position == missed
    found.close()
