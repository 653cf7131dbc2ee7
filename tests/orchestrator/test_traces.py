"""Traces arrive at a real collector, joined to those of whoever calls and of whoever is called."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer, unused_port
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from orchestrator.settings import SettingsError
from orchestrator.traces.commits import MOST_DECIDED, Decided
from orchestrator.traces.context import of_event
from orchestrator.traces.open import open_traces
from tests.crash.processes import WorkerProcess
from tests.orchestrator.test_server import Running

RULES = """
ruleset: shop
rules:
  big:
    on: order.placed
    then: [{command: look-at, to: office, args: {order: "${key}"}}]
"""
CALLER = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
ORDER = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


def traceparent(ids: tuple[str, str]) -> str:
    return f"00-{ids[0]}-{ids[1]}-01"


def ids(span: Any) -> tuple[str, str]:
    """Of a span, or of a link."""
    return span.trace_id.hex(), span.span_id.hex()


def attributes(span: Span) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "") for each in span.attributes}


class Collector:
    """Takes OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resources: list[dict[str, str]] = []
        self.calls: list[dict[str, str]] = []
        """Headers of what targets were sent."""

    async def export(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/x-protobuf"
        for each in ExportTraceServiceRequest.FromString(await request.read()).resource_spans:
            self.resources.append({one.key: one.value.string_value for one in each.resource.attributes})
            for scope in each.scope_spans:
                self.spans.extend(scope.spans)
        return web.Response(content_type="application/x-protobuf")

    async def called(self, request: web.Request) -> web.Response:
        self.calls.append({name.lower(): value for name, value in request.headers.items()})
        return web.Response(status=200 if len(self.calls) > 1 else 503)

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


@asynccontextmanager
async def collecting() -> AsyncIterator[tuple[Collector, TestServer]]:
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.export)
    app.router.add_post("/office", collector.called)
    async with TestServer(app) as server:
        yield collector, server


async def happens(question: Callable[[], Any]) -> Any:
    async with asyncio.timeout(60):
        while not (found := question()):  # noqa: ASYNC110 - another process makes it true
            await asyncio.sleep(0.05)
    return found


async def publish(url: str, headers: dict[str, str], **more: str) -> int:
    event = {"id": "1", "source": "shop", "type": "order.placed", "subject": "A1", "data": {}, **more}
    async with ClientSession() as session, session.post(f"{url}/v1/events", json=event, headers=headers) as answer:
        return answer.status


async def test_a_request_a_commit_and_an_attempt_are_spans_that_are_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collecting() as (collector, there):
        office = {"kind": "webhook", "url": str(there.make_url("/office")), "allow": ["127.0.0.1/32"]}
        (tmp_path / "targets.yaml").write_text(json.dumps({"targets": {"office": {**office, "retry": QUICK}}}))
        monkeypatch.setenv("ORCHESTRATOR_TARGETS", str(tmp_path / "targets.yaml"))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{there.port}/")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        server = await asyncio.to_thread(Running, tmp_path, RULES)
        try:
            called = {"traceparent": traceparent(CALLER)}
            assert await publish(server.url, called, traceparent=traceparent(ORDER)) == 202
            assert await publish(server.url, {"traceparent": "nonsense"}, type="") == 400
            await happens(lambda: len(collector.named("deliver office")) == 2)
        finally:
            await asyncio.to_thread(server.stop)
    taken, refused = collector.named("POST /v1/events")
    assert (taken.trace_id.hex(), taken.parent_span_id.hex()) == CALLER
    assert taken.kind == Span.SPAN_KIND_SERVER
    assert attributes(taken)["http.response.status_code"] == 202
    assert attributes(refused)["http.response.status_code"] == 400
    assert refused.parent_span_id == b""
    (decided,) = [span for span in collector.named("evaluate") if span.links]
    assert [ids(link) for link in decided.links] == [ORDER]
    assert attributes(decided)["orchestrator.outputs"] == 1
    assert attributes(decided)["orchestrator.commit"] == "committed"
    assert decided.start_time_unix_nano < decided.end_time_unix_nano
    first, second = collector.named("deliver office")
    assert [ids(link) for span in (first, second) for link in span.links] == [ids(decided)] * 2
    assert [attributes(span)["orchestrator.verdict"] for span in (first, second)] == ["retry", "done"]
    assert (first.status.code, first.status.message) == (2, "HTTP 503")
    assert second.status.code == 0
    sent = [call["traceparent"].split("-")[1:3] for call in collector.calls]
    assert sent == [list(ids(span)) for span in (first, second)]
    assert {call["webhook-id"] for call in collector.calls} == {attributes(first)["orchestrator.command.id"]}
    resource = collector.resources[0]
    assert resource["service.name"] == "business-logic-orchestrator"
    assert resource["deployment.environment.name"] == "test"


async def test_what_a_worker_is_given_carries_a_trace_that_is_joined_to_what_decided_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collecting() as (collector, there):
        (tmp_path / "targets.yaml").write_text(json.dumps({"targets": {"office": {"kind": "worker"}}}))
        monkeypatch.setenv("ORCHESTRATOR_TARGETS", str(tmp_path / "targets.yaml"))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{there.port}/")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        server = await asyncio.to_thread(Running, tmp_path, RULES)
        try:
            assert await publish(server.url, {}) == 202
            asked = {"target": "office", "wait": "10s"}
            url = f"{server.url}/v1/commands/lease"
            async with ClientSession() as session, session.post(url, json=asked) as answer:
                (leased,) = (await answer.json())["commands"]
            await happens(lambda: collector.named("lend office"))
        finally:
            await asyncio.to_thread(server.stop)
    (lent,) = collector.named("lend office")
    assert leased["headers"]["traceparent"].split("-")[1:3] == list(ids(lent))
    assert attributes(lent)["orchestrator.command.id"] == leased["id"]
    (decided,) = [span for span in collector.named("evaluate") if attributes(span)["orchestrator.outputs"] == 1]
    assert [ids(link) for link in lent.links] == [ids(decided)]


QUICK = {"initial": "100ms", "max": "200ms"}


async def test_a_collector_that_is_gone_hinders_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    server = await asyncio.to_thread(Running, tmp_path, RULES.replace("office", "log"))
    try:
        assert await publish(server.url, {}) == 202
        await happens(lambda: '"command"' in (tmp_path / "errors.txt").read_text())
    finally:
        status = await asyncio.to_thread(server.stop)
    assert status == 0, "it stops in time, too"


def test_without_an_endpoint_there_are_no_traces_and_none_of_their_packages_is_loaded() -> None:
    assert open_traces(None, "me") is None
    call = "import sys, orchestrator.server; print([name for name in sys.modules if 'opentelemetry' in name])"
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_an_endpoint_without_the_extra_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(SettingsError, match=r"OTEL_EXPORTER_OTLP_ENDPOINT=http://here:4318.*\[otel\]"):
        open_traces("http://here:4318", "me")


@pytest.mark.parametrize(
    ("extensions", "found"),
    [
        ({"traceparent": traceparent(ORDER)}, ORDER),
        ({"traceparent": traceparent(ORDER), "tracestate": "a=b"}, ORDER),
        ({"traceparent": 7}, None),
        ({"traceparent": "00-" + "0" * 32 + "-" + "0" * 16 + "-01"}, None),
        ({"other": "x"}, None),
    ],
)
def test_what_is_no_trace_context_in_an_event_is_left_out(
    extensions: dict[str, Any], found: tuple[str, str] | None
) -> None:
    context = of_event(extensions)
    assert (None if context is None else (f"{context.trace_id:032x}", f"{context.span_id:016x}")) == found


def test_commits_of_only_so_many_commands_are_known() -> None:
    context = of_event({"traceparent": traceparent(ORDER)})
    assert context is not None
    decided = Decided()
    decided.note([f"{number}" for number in range(MOST_DECIDED + 1)], context)
    assert decided.of("0") is None
    assert decided.of("1") is context


async def test_a_batch_is_one_span_joined_to_what_decided_each_of_its_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collecting() as (collector, there):
        office = {"kind": "webhook", "url": str(there.make_url("/office")), "allow": ["127.0.0.1/32"], "batch": 10}
        (tmp_path / "targets.yaml").write_text(json.dumps({"targets": {"office": {**office, "retry": QUICK}}}))
        monkeypatch.setenv("ORCHESTRATOR_TARGETS", str(tmp_path / "targets.yaml"))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{there.port}/")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        server = await asyncio.to_thread(Running, tmp_path, RULES)
        try:
            assert await publish(server.url, {}) == 202
            await happens(lambda: len(collector.named("deliver office")) == 2)
        finally:
            await asyncio.to_thread(server.stop)
    (decided,) = [span for span in collector.named("evaluate") if attributes(span)["orchestrator.outputs"]]
    first, second = collector.named("deliver office")
    assert [ids(link) for span in (first, second) for link in span.links] == [ids(decided)] * 2
    assert [attributes(span)["orchestrator.batch.failed"] for span in (first, second)] == [1, 0]
    assert (first.status.message, attributes(first)["orchestrator.batch"]) == ("HTTP 503", 1)
    sent = [call["traceparent"].split("-")[1:3] for call in collector.calls]
    assert sent == [list(ids(span)) for span in (first, second)]
    assert all(call["webhook-id"].startswith("batch_") for call in collector.calls)


async def test_what_a_worker_delivers_belongs_to_the_trace_of_the_server_that_lent_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collecting() as (collector, there):
        office = {"kind": "webhook", "url": str(there.make_url("/office")), "allow": ["127.0.0.1/32"]}
        targets = tmp_path / "targets.yaml"
        targets.write_text(json.dumps({"targets": {"office": {**office, "retry": QUICK, "deliver": "workers"}}}))
        monkeypatch.setenv("ORCHESTRATOR_TARGETS", str(targets))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{there.port}/")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        server = await asyncio.to_thread(Running, tmp_path, RULES)
        worker = WorkerProcess(tmp_path, targets, server.url, "--target", "office")
        try:
            worker.spawn()
            await asyncio.to_thread(worker.wait_ready)
            assert await publish(server.url, {}) == 202
            await happens(lambda: len(collector.named("deliver office")) == 2)
            assert await asyncio.to_thread(worker.end, signal.SIGTERM) == 0
        finally:
            worker.clean_up()
            await asyncio.to_thread(server.stop)
    (decided,) = [span for span in collector.named("evaluate") if attributes(span)["orchestrator.outputs"]]
    lent, delivered = collector.named("lend office"), collector.named("deliver office")
    assert [ids(link) for span in lent for link in span.links] == [ids(decided)] * 2
    assert [span.parent_span_id for span in delivered] == [span.span_id for span in lent]
    assert [span.trace_id for span in delivered] == [span.trace_id for span in lent]
    assert "orchestrator.partition" not in attributes(delivered[0])
    sent = [call["traceparent"].split("-")[1:3] for call in collector.calls]
    assert sent == [list(ids(span)) for span in delivered]
