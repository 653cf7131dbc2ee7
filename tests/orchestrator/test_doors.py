"""Hostile input at the doors of the API: an answer that says why each time, nothing half-stored, no failure of ours."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from orchestrator.api import body as bodies
from orchestrator.api.body import BODIES
from streams.log import Log
from tests.orchestrator.serving import api

EVENT = {"id": "1", "source": "s", "type": "t", "subject": "A", "data": {"n": [1, 2]}}
HEAD = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
DIGEST = "ab" * 32
KINDS = ("application/json", "application/cloudevents+json", "application/cloudevents-batch+json", "text/plain", "")


def stored(log: Log) -> int:
    return sum(log.tail(partition) for partition in range(log.info.partitions))


class Raw(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def answer(self) -> tuple[int, bytes]:
        """(status, all that came)."""
        async with asyncio.timeout(20):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            return int(head.split()[1]), head + await self.reader.readexactly(length)


@asynccontextmanager
async def connected(url: URL, sent: bytes) -> AsyncIterator[Raw]:
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(sent)
    await writer.drain()
    yield Raw(reader, writer)
    writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b'Content-Length: 100\r\n\r\n{"id":',
        HEAD + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"id"\r\n',
        b"POST /v1/events HT",
        b"",
    ],
)
async def test_a_client_that_goes_away_in_the_middle_is_no_failure_of_the_server(sent: bytes) -> None:
    failures: list[tuple[str, BaseException]] = []
    async with api(failures=failures) as (client, log):
        async with connected(client.make_url("/"), sent):
            await asyncio.sleep(0.02)
        assert (await client.post("/v1/events", json=EVENT)).status == 202
        assert stored(log) == 1
    assert failures == []


@pytest.mark.parametrize(
    ("sent", "later", "status"),
    [
        (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", b"", 400),
        (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", b"", 400),
        (HEAD + b"Content-Length: two\r\n\r\n{}", b"", 400),
        (HEAD + b"Content-Length: 99999999999\r\n\r\n{}", b"", 413),
        (HEAD + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"id"\r\n', b"ZZ\r\n", 408),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", (b"80000\r\n" + b" " * 0x80000 + b"\r\n") * 3, 413),
        (b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", b"", 400),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"", 400),
    ],
)
async def test_what_is_no_http_or_too_large_is_refused_and_stores_nothing(
    sent: bytes, later: bytes, status: int
) -> None:
    failures: list[tuple[str, BaseException]] = []
    async with api(failures=failures) as (client, log):
        # aiohttp does not tell a handler that waits for it of a chunk that cannot be read.
        client.server.app[BODIES].patience = 0.2  # type: ignore[attr-defined]
        async with connected(client.make_url("/"), sent) as raw:
            if later:
                await asyncio.sleep(0.02)
                raw.writer.write(later)
            assert (await raw.answer())[0] == status
        assert stored(log) == 0
        assert (await client.post("/v1/events", json=EVENT)).status == 202
    assert failures == []


async def test_a_body_that_does_not_arrive_is_not_waited_for_without_end() -> None:
    async with api() as (client, log):
        client.server.app[BODIES].patience = 0.05  # type: ignore[attr-defined]
        async with connected(client.make_url("/"), HEAD + b"Content-Length: 100\r\n\r\n{") as raw:
            status, answer = await raw.answer()
        assert status == 408
        assert b"did not arrive" in answer
        assert stored(log) == 0


async def test_requests_that_are_still_arriving_when_the_server_stops_are_answered() -> None:
    async with api() as (client, _), connected(client.make_url("/"), HEAD + b"Content-Length: 100\r\n\r\n{") as raw:
        await asyncio.sleep(0.02)
        await client.server.app.shutdown()  # type: ignore[attr-defined]
        status, answer = await raw.answer()
    assert status == 503
    assert b"the server stops" in answer
    assert b"retry-after" in answer.lower()


async def test_only_so_many_large_bodies_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MOST_HELD", 1)
    large = HEAD + b"Content-Length: 1000000\r\n\r\n"
    async with api() as (client, _):
        async with connected(client.make_url("/"), large):
            await asyncio.sleep(0.02)
            async with connected(client.make_url("/"), large) as second:
                assert (await second.answer())[0] == 503
            assert (await client.post("/v1/events", json=EVENT)).status == 202, "a small one finds room"
        await asyncio.sleep(0.02)
        async with connected(client.make_url("/"), large + b" " * 1_000_000) as third:
            assert (await third.answer())[0] == 400, "what was given up leaves room"


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/v1/projections/none/A", 404, "there is no projection `none`"),
        ("/v1/projections/none/%00", 404, "there is no projection"),
        ("/v1/projections/none/%FF", 400, "not UTF-8"),
        ("/v1/projections/%ED%A0%80/A", 400, "not UTF-8"),
        ("/v1/projections/none/../../x", 404, "there is no projection"),
        ("/v1/projections/none", 404, "there is no projection `none`"),
        ("/v1/commands?key=%FF", 400, "not UTF-8"),
        ("/v1/commands?limit=1&limit=2", 400, "comes more than once"),
        ("/v1/commands?limit=-1", 400, "choose at least 1"),
        ("/v1/commands?limit=0", 400, "choose at least 1"),
        ("/v1/commands?cursor=%00", 400, "none of ours"),
        ("/v1/commands?state=lost", 400, "choose pending"),
        ("/v1/commands?order=up", 400, "there is no parameter"),
        ("/v1/commands/%00", 404, "there is nothing at"),
        ("/v1/commands/00", 404, "there is no command"),
        ("/v1/imports/..", 400, "hexadecimal"),
        (f"/v1/imports/{DIGEST}", 404, "no such import"),
        ("//health", 404, "there is nothing at"),
    ],
)
async def test_odd_paths_and_queries_are_answered_with_a_problem(path: str, status: int, said: str) -> None:
    failures: list[tuple[str, BaseException]] = []
    async with api(failures=failures) as (client, _):
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        async with connected(client.make_url("/"), head) as raw:
            found, answer = await raw.answer()
    assert found == status
    assert b"application/problem+json" in answer
    assert said in json.loads(answer.split(b"\r\n\r\n")[1])["detail"]
    assert failures == []


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/commands/redrive", b"", "ids"),
        ("/v1/commands/redrive", b'{"ids": "a"}', "ids"),
        ("/v1/commands/redrive", b'{"ids": []}', "ids"),
        ("/v1/commands/redrive", b'{"ids": ["a"], "force": true}', "force"),
        ("/v1/commands/redrive", b'{"ids": ["\\ud800"]}', None),
        ("/v1/commands/redrive", b'{"ids": ["\xff"]}', None),
        ("/v1/commands/redrive", b"[" * 100_000, None),
        ("/v1/commands/cancel", b'{"ids": ["a"], "reason": 1}', "reason"),
        ("/v1/commands/cancel", b'{"ids": ["a"], "reason": "\\ud800"}', None),
        (f"/v1/imports/{DIGEST}/events", b"", "line"),
        (f"/v1/imports/{DIGEST}/events?line=0", b"", "line"),
        (f"/v1/imports/{DIGEST}/events?line=" + "9" * 5000, b"", "line"),
        (f"/v1/imports/{DIGEST}/finish", b'{"until": 1}', "until"),
        (f"/v1/imports/{DIGEST}/finish", b'{"until": "soon"}', "until"),
        (f"/v1/imports/{DIGEST}/finish", b'{"until": "2999-01-01T00:00:00Z"}', "until"),
        (f"/v1/imports/{DIGEST}/finish", b'{"till": null}', "till"),
        (f"/v1/imports/{DIGEST}/finish", b"[]", None),
    ],
)
async def test_what_other_doors_refuse_is_named(path: str, body: bytes, field: str | None) -> None:
    async with api() as (client, log):
        answer = await client.post(path, data=body)
        found = await answer.json(content_type="application/problem+json")
        assert (answer.status, found.get("field")) == (400, field), found
        assert stored(log) == 0


async def test_a_lone_surrogate_in_a_batch_is_blamed_on_its_event() -> None:
    async with api() as (client, log):
        batch = json.dumps([EVENT, EVENT | {"subject": "\ud800"}])
        answer = await client.post("/v1/events", data=batch, headers={"Content-Type": "application/json"})
        found = await answer.json()
        assert (answer.status, found["index"], found["field"]) == (400, 1, "subject")
        assert stored(log) == 0


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("orchestrator.tick"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
changed = st.builds(
    lambda name, value: EVENT | {name: value}, st.sampled_from([*EVENT, "time", "ext", "é", ""]), values
)
texts = st.one_of(changed, st.lists(changed, max_size=3), values).map(lambda found: json.dumps(found).encode())


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    text = draw(texts)
    begin = draw(st.integers(0, len(text)))
    end = draw(st.integers(begin, min(len(text), begin + 5)))
    return text[:begin] + draw(st.binary(max_size=5)) + text[end:]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.one_of(texts, damaged(), st.binary())), min_size=1, max_size=12))
def test_any_body_is_stored_whole_or_refused_with_a_problem(sent: list[tuple[str, bytes]]) -> None:
    failures: list[tuple[str, BaseException]] = []

    async def send() -> None:
        async with api(failures=failures) as (client, log):
            lease = {"Import-Lease": (await (await client.put(f"/v1/imports/{DIGEST}")).json())["lease"]}
            line = 1
            for kind, body in sent:
                before = stored(log)
                answer = await client.post("/v1/events", data=body, headers={"Content-Type": kind})
                found = await answer.json(content_type=None)
                assert answer.status in (202, 400, 415), found
                assert stored(log) - before == found.get("accepted", 0)
                assert (answer.content_type == "application/problem+json") == (answer.status != 202)
                before = stored(log)
                path = f"/v1/imports/{DIGEST}/events?line={line}"
                answer = await client.post(path, data=body, headers=lease)
                found = await answer.json(content_type=None)
                assert answer.status in (202, 400), found
                assert stored(log) - before == found.get("accepted", 0)
                line = found.get("next_line", line)

    asyncio.run(send())
    assert failures == []
