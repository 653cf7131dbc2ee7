"""Raw sockets that send what no client would: each is answered with why, or cut off; nobody else notices."""

import asyncio
import gzip
import re
import time
import zlib

import pytest

from projections.table import QueryTable
from tests.orchestrator.serving import api
from tests.orchestrator.test_doors import EVENT, HEAD, connected

ORDERS = QueryTable("orders", "p1", ("total",), (("total", "number"),))
KEYS = (
    *(b"%00", b"%2F", b"..", b"%2e%2e%2f%2e%2e", b"a%0d%0aX-Evil:%201", b"%ED%A0%80", b"%FF", b"%E2%80%AE%D7%90"),
    *(b"%", b"%zz", b"%u0041", b"a%25%30%30", b";x", b"%3F%23", b"%C0%80", b"%EF%BF%BF", b"\xc3\xa9", b"<b>"),
    *(b"x" * 7_900, b"9" * 7_900, b"-1", b"1.0." + b"9" * 5_000, b"9" * 5_000 + b".0.1", b"1.0.1," * 500),
)
PLACES = (
    *(b"/", b"/v1/projections/", b"/v1/projections/orders/", b"/v1/trace/", b"/v1/commands/", b"/v1/imports/"),
    *(b"/v1/commands?key=", b"/v1/commands?limit=", b"/v1/commands?cursor=", b"/v1/keys/blocked?cursor="),
    *(b"/v1/events?cursor=", b"/v1/events?subject=", b"/v1/events?since=", b"/v1/events?partition="),
    *(b"/v1/projections/orders?total=", b"/v1/projections/orders?sort=", b"/v1/projections/orders?cursor="),
    *(b"/v1/projections/orders/a?min_position=", b"/v1/trace/a?source=", b"/v1/events?", b"/v1/trace/a?what="),
)


@pytest.mark.parametrize("place", PLACES)
async def test_any_key_in_any_place_is_answered_and_never_becomes_a_header(place: bytes) -> None:
    failures: list[tuple[str, BaseException]] = []
    async with api(failures=failures, tables=[ORDERS]) as (client, _):
        for key in KEYS:
            sent = b"GET " + place + key + b" HTTP/1.1\r\nHost: x\r\nPrefer: wait=0\r\n\r\n"
            async with connected(client.make_url("/"), sent) as raw:
                status, answer = await raw.answer()
            head = answer.partition(b"\r\n\r\n")[0].lower()
            assert status in (200, 400, 404, 409, 504), (key[:40], answer[:300])
            assert b"\nx-evil" not in head
            # What is no HTTP is refused before our routes, in plain text.
            assert status == 200 or b"application/problem+json" in head or head.startswith(b"http/1.0 400"), key[:40]
    assert failures == []


@pytest.mark.parametrize(
    "header",
    [
        *(b"X-Request-Id: a\rX-Evil: 1", b"X-Request-Id: a\nX-Evil: 1", b"X-Request-Id: \xff", b"X-Request-Id: a b"),
        *(b"X-Request-Id: " + b"x" * 5_000, b"X-Request-Id: a\x00b", b"Accept: \xff", b"Accept: ;;;,,q=nan"),
        *(b"Last-Event-ID: \xff", b"Last-Event-ID: 1.0." + b"9" * 5_000, b"Host: b", b"Content-Type: \xff"),
        *(b"Expect: banana", b"Upgrade: websocket\r\nConnection: Upgrade", b"Prefer: wait=" + b"9" * 5_000),
        *(b"Accept-Encoding: \xff", b"Origin: \xff", b"Content-Encoding: \xff", b"traceparent: \xff", b"A" * 9_000),
    ],
)
async def test_odd_headers_are_passed_over_or_refused_and_never_echoed(header: bytes) -> None:
    failures: list[tuple[str, BaseException]] = []
    async with api(failures=failures, tables=[ORDERS]) as (client, _):
        for asked in (b"GET /v1/projections", b"GET /v1/events", b"GET /nowhere", b"POST /v1/keys/skip"):
            sent = asked + b" HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n"
            async with connected(client.make_url("/"), sent) as raw:
                status, answer = await raw.answer()
            assert status in (200, 400, 403, 404, 415, 417), answer[:300]
            head = answer.partition(b"\r\n\r\n")[0]
            assert b"\nx-evil" not in head.lower()
            for id in re.findall(rb"X-Request-Id: (.*)\r", head):
                assert re.fullmatch(rb"[!-~]{1,128}", id)
    assert failures == []


@pytest.mark.parametrize(
    "framing",
    [
        *(b"Content-Length: 4\r\nTransfer-Encoding: chunked", b"Transfer-Encoding : chunked"),
        *(b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding:\x0bchunked"),
        *(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", b"Content-Length: +4", b"Content-Length: 4, 4"),
        *(b"Content-Length: 4\r\nContent-Length: 5", b"Content-Length: 0x4", b"Content-Length: -1"),
        *(b"X: y\r\n Content-Length: 4", b"Content-Length: 4\nTransfer-Encoding: chunked"),
    ],
)
async def test_a_request_of_two_lengths_hides_no_other_request(framing: bytes) -> None:
    async with api() as (client, _):
        sent = HEAD + framing + b"\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        async with connected(client.make_url("/"), sent) as raw, asyncio.timeout(20):
            answers = await raw.reader.read()
    assert answers.startswith(b"HTTP/1.0 400 ")
    assert answers.count(b"HTTP/1.") - answers.count(b" HTTP/1.") == 1, "one answer, then the connection is closed"


def bomb(size: int) -> bytes:
    """So many bytes of a gzip stream; each unpacks to a thousand."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + piece * ((size - len(head)) // len(piece))


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (bomb(1 << 20), 413, b"larger than the"),
        (gzip.compress(b" ", mtime=0) * 40_000, 413, b"gzip members"),
        (gzip.compress(b" ", mtime=0) * 9_000, 400, b"not valid JSON"),
        (gzip.compress(b"", mtime=0)[:-1], 400, b"breaks off"),
        (gzip.compress(b"{}", mtime=0) + b"x" * 20, 400, b"no gzip"),
    ],
)
async def test_a_packed_body_costs_no_more_than_its_size(body: bytes, status: int, said: bytes) -> None:
    """Forty thousand members of twenty bytes took the server's only loop for a minute."""
    async with api() as (client, _):
        head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
        began = time.process_time()
        async with connected(client.make_url("/"), head + body) as raw:
            found, answer = await raw.answer()
        assert (found, said in answer) == (status, True), answer
        assert time.process_time() - began < 2
        packed = gzip.compress(b'{"id": "1", "source": "s",') + gzip.compress(b' "type": "t", "subject": "A"}')
        sent = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        assert (await client.post("/v1/events", data=packed, headers=sent)).status == 202


async def test_ten_thousand_requests_in_one_connection_are_answered_in_order_and_others_meanwhile() -> None:
    many = 10_000
    async with api() as (client, _):
        sent = b"".join(b"GET /nowhere/%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(many))
        reader, writer = await asyncio.open_connection(client.make_url("/").host, client.make_url("/").port)
        answers = bytearray()

        async def read() -> None:
            while b"/nowhere/9999" not in answers[-500:]:
                answers.extend(await reader.read(1 << 16))

        async with asyncio.timeout(60):
            writer.write(sent)
            reading = asyncio.create_task(read())
            began = time.monotonic()
            assert (await client.post("/v1/events", json=EVENT)).status == 202
            assert time.monotonic() - began < 2
            assert not reading.done()
            await reading
            writer.close()
    assert [int(n) for n in re.findall(rb"nothing at /nowhere/(\d+)", answers)] == list(range(many))
