"""What a server measures: the names that are promised, series that nobody can multiply, times that are true."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.api.requests import GONE, Requests
from orchestrator.decision_time import DecisionTime
from orchestrator.measures import BY_NAME, MEASURES
from orchestrator.metrics import Metrics, Watched
from orchestrator.timed_log import TimedLog
from projections.query import Queries
from projections.stores.sqlite.store import QueryStore
from streams.backends.open import open_log
from streams.log import AGENT, Append, Code, Commit, Log, LogFull, LogUnavailable, PartitionStatus
from tests.conformance.backends import event, events, owned
from tests.orchestrator.test_server import Running

RULES = """
ruleset: shop
events:
  order.placed: {total: number}
projections:
  orders:
    fold:
      order.placed: {total: event.data.total}
rules:
  big:
    on: order.placed
    when: event.data.total > 100
    then: [{command: look-at, to: log}]
  burst:
    on: order.placed
    over: 10m
    having: count() >= 3
    then: [{command: burst, to: log}]
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path, RULES)
    wait_for(lambda: all(each.value for each in families(running)["orchestrator_partition_running"].samples))
    yield running
    running.stop()


def families(server: Running) -> dict[str, Metric]:
    with urllib.request.urlopen(server.addresses["metrics"], timeout=20) as answer:
        return {each.name: each for each in text_string_to_metric_families(answer.read().decode())}


def series(found: dict[str, Metric]) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    """But for what is saved now and then, whatever is sent."""
    return {
        (sample.name, tuple(sorted(sample.labels.items())))
        for each in found.values()
        for sample in each.samples
        if sample.labels.get("processor") != "forward"
    }


def value(found: dict[str, Metric], name: str, **labels: str) -> float:
    (sample,) = [
        sample
        for each in found.values()
        for sample in each.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return sample.value


def wait_for(question: Callable[[], Any]) -> Any:
    until = time.monotonic() + 30
    while not (found := question()):
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)
    return found


def publish(server: Running, count: int, name: str) -> None:
    """Orders of as many keys, of which every tenth is of a strange kind or does not fit its schema."""
    sent = []
    for number in range(count):
        kind = f"{name}.{number}" if number % 10 == 9 else "order.placed"
        total: Any = "much" if number % 10 == 8 else number * 50
        key = {"id": f"{name}{number}", "source": name, "subject": f"{name}-{number // 4}"}
        sent.append({**key, "type": kind, "data": {"total": total}})
    for body in (sent, sent[:1]):
        request = urllib.request.Request(
            f"{server.url}/v1/events", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=20).close()


def visit(server: Running, name: str) -> None:
    """Pages that are there and that are not, asked for in ways that are known and are not."""
    parts = urlsplit(server.url)
    for verb, path in (
        ("GET", "/health"),
        ("GET", f"/v1/projections/orders/{name}"),
        ("GET", f"/v1/commands/{name}"),
        ("GET", f"/{name}/{name}"),
        ("GET", f"/v1/projections/{name}/%FF"),
        ("DELETE", "/v1/events"),
        (name.upper(), "/health"),
    ):
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        connection.request(verb, path)
        connection.getresponse().read()
        connection.close()


def settled(server: Running, count: int) -> dict[str, Metric]:
    """Metrics once so many events are evaluated and shown, and their commands delivered."""

    def look() -> dict[str, Metric] | None:
        found = families(server)
        if value(found, "orchestrator_events_total") < count:
            return None
        if any(sample.value for sample in found["orchestrator_undelivered_commands"].samples):
            return None
        return None if any(sample.value for sample in found["orchestrator_query_lag_events"].samples) else found

    found: dict[str, Metric] = wait_for(look)
    return found


def test_everything_a_server_does_is_measured_under_names_that_are_documented(server: Running) -> None:
    publish(server, 40, "a")
    visit(server, "a")
    found = settled(server, 41)
    for family in found.values():
        measure = BY_NAME[f"{family.name}_total" if family.type == "counter" else family.name]
        assert (family.type, family.documentation) == (measure.kind, measure.meaning)
        for sample in family.samples:
            assert sample.labels.keys() - {"le"} == set(measure.labels), sample
    assert set(found) == {each.family for each in MEASURES if not each.of_parent}
    assert value(found, "orchestrator_events_appended_total") == 41
    assert value(found, "orchestrator_duplicate_events_total") == 1
    assert value(found, "orchestrator_schema_mismatches_total", type="order.placed") == 4
    assert value(found, "orchestrator_rule_not_evaluated_total", rule="big") == 4
    fired = value(found, "orchestrator_rule_firings_total", rule="big")
    assert fired > 20
    assert value(found, "orchestrator_deliveries_total", what="done", target="log") >= fired
    assert value(found, "orchestrator_delivery_attempt_seconds_count", target="log", verdict="done") >= fired
    assert value(found, "orchestrator_parked_commands") == 0
    assert value(found, "orchestrator_commit_seconds_count", processor="rules") > 0
    assert value(found, "orchestrator_append_seconds_count") > 0
    decided = value(found, "orchestrator_decision_seconds_count")
    assert 1 <= decided <= 6
    assert 0 < value(found, "orchestrator_decision_seconds_sum") < 20 * decided
    assert value(found, "orchestrator_http_requests_total", method="POST", route="/v1/events", status="202") == 2
    assert value(found, "orchestrator_http_request_seconds_count", method="POST", route="/v1/events") == 2
    rows = {"method": "GET", "route": "/v1/projections/{name}/{key}"}
    assert value(found, "orchestrator_http_requests_total", **rows, status="404") == 1
    assert value(found, "orchestrator_http_requests_total", **rows, status="400") == 1
    assert value(found, "orchestrator_http_requests_total", method="GET", route="none", status="404") == 1
    assert value(found, "orchestrator_http_requests_total", method="DELETE", route="none", status="405") == 1
    assert value(found, "orchestrator_log_up") == 1
    assert value(found, "process_resident_memory_bytes") > 10e6


def test_what_comes_from_outside_makes_no_new_series(server: Running) -> None:
    publish(server, 40, "a")
    visit(server, "a")
    before = series(settled(server, 41))
    for name in ("b", "c", "d"):
        publish(server, 400, name)
        visit(server, name)
    assert series(settled(server, 41 + 3 * 401)) == before


def test_parked_commands_are_counted_while_they_are_parked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "targets.yaml").write_text(
        "targets: {office: {kind: webhook, url: 'http://127.0.0.1:9/', alarm: off}}\n"
    )
    monkeypatch.setenv("ORCHESTRATOR_TARGETS", str(tmp_path / "targets.yaml"))
    server = Running(tmp_path, RULES.replace("to: log", "to: office"))
    try:
        publish(server, 4, "a")
        # The guard refuses the address, for good: what is sent there is parked at once.
        wait_for(lambda: value(families(server), "orchestrator_parked_commands") == 3)
        assert value(families(server), "orchestrator_deliveries_total", what="parked", target="office") == 3
    finally:
        server.stop()
    parked = [json.loads(line) for line in (tmp_path / "errors.txt").read_text().splitlines() if "parked" in line]
    assert [(each["event"], each["level"], each["target"]) for each in parked] == [
        ("command parked", "warning", "office")
    ] * 3
    assert all(len(each["command_id"]) == 32 and each["reason"].startswith("refused") for each in parked)


def test_where_the_log_gives_no_answer_its_numbers_are_absent(tmp_path: Path) -> None:
    log = open_log("memory://", partitions=2, now=lambda: 0)
    store = QueryStore(tmp_path / "query.db", log.info, [], notice=print)

    class Silent:
        def status(self) -> list[PartitionStatus]:
            raise LogUnavailable("nobody answers")

    for seen, up in ((log, 1), (Silent(), 0)):
        metrics = Metrics()
        metrics.watch(
            Watched(
                seen,  # type: ignore[arg-type]
                Queries(store),
                views=list,
                waiting=lambda: 0,
                deliveries=dict,
                disarmed=lambda: False,
                held=dict,
                outside=dict,
                stalled=lambda partition: False,
                shown=lambda partition: 0,
            )
        )
        found = {each.name: each for each in metrics.registry.collect()}
        assert value(found, "orchestrator_log_up") == up
        assert len(found["orchestrator_partition_lag_events"].samples) == 2 * up
    store.close()
    log.close()


# -- decisions


class Heard:
    def __init__(self) -> None:
        self.decisions: list[float] = []
        self.commits: list[str] = []
        self.appends: list[int] = []
        self.told: list[Commit] = []

    def appended(self, events: int, seconds: float) -> None:
        self.appends.append(events)

    def committed(self, processor: str, seconds: float) -> None:
        self.commits.append(processor)


@pytest.fixture
def log() -> Iterator[Log]:
    log = open_log("memory://", partitions=2, now=lambda: 1)
    yield log
    log.close()


def timed(log: Log, heard: Heard) -> TimedLog:
    refused: list[LogFull] = []
    return TimedLog(log, heard, DecisionTime(heard.decisions.append), heard.told.append, refused.append)


def test_a_decision_takes_from_the_append_to_the_commit_that_has_passed_the_event(log: Log) -> None:
    heard = Heard()
    watched = timed(log, heard)
    lease = watched.acquire(0, "me", 10.0)
    assert lease is not None
    watched.append([Append(0, events(1, 3)), Append(1, [event(9)])])
    time.sleep(0.05)
    watched.commit(Commit(lease, "rules", 0, 2))
    assert heard.decisions == [], "the last one is not decided"
    watched.append([Append(0, [event(4)])])
    assert watched.together([Commit(lease, "rules", 2, 4)]) == [Code.COMMITTED]
    (seconds,) = heard.decisions
    assert 0.05 <= seconds < 5
    assert heard.appends == [4, 1]
    assert [each.end for each in heard.told] == [2, 4]


def test_what_another_process_evaluates_is_not_measured_nor_what_it_did_after_a_handover(log: Log) -> None:
    heard = Heard()
    watched = timed(log, heard)
    watched.append([Append(0, [event(1)])])
    lease = watched.acquire(0, "me", 10.0)
    assert lease is not None
    watched.commit(Commit(lease, "rules", 0, 1))
    assert heard.decisions == [], "it was appended before this process evaluated"
    watched.append([Append(0, [event(2)])])
    log.release(lease)
    other = owned(log)
    assert watched.commit(Commit(lease, "rules", 1, 2)) is Code.FENCED
    log.commit(Commit(other, "rules", 1, 2))
    log.release(other)
    mine = watched.acquire(0, "me", 10.0, AGENT)
    assert mine is not None
    watched.append([Append(0, [event(3)])])
    watched.commit(Commit(mine, "rules", 2, 3))
    assert len(heard.decisions) == 1
    watched.release(mine)
    watched.append([Append(0, [event(4)])])
    assert len(heard.decisions) == 1


def test_what_is_decided_before_its_appender_hears_of_it_counts_at_once() -> None:
    observed: list[float] = []
    decisions = DecisionTime(observed.append)
    decisions.held(0)
    decisions.committed(0, 7)
    decisions.appended(0, 7, time.perf_counter())
    assert len(observed) == 1


# -- requests


async def test_a_client_that_went_away_is_counted_as_gone_and_a_failure_as_500() -> None:
    requests = Requests()

    async def slow(request: web.Request) -> web.Response:
        raise asyncio.CancelledError

    async def broken(request: web.Request) -> web.Response:
        raise RuntimeError

    app = web.Application(middlewares=[requests.middleware()])
    app.router.add_get("/slow", slow)
    app.router.add_get("/broken", broken)
    async with TestClient(TestServer(app)) as client:
        with pytest.raises(Exception, match="disconnected"):
            await client.get("/slow")
        assert (await client.get("/broken")).status == 500
    counts = {tuple(sample.labels.values()): sample.value for sample in next(requests.families()).samples}
    assert counts == {("GET", "/slow", str(GONE)): 1, ("GET", "/broken", "500"): 1}
