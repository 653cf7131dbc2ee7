"""The webhook target against real receivers: what is sent, and what is made of every kind of answer."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from adapters.targets.webhook.adapter import KEPT, WebhookAdapter, WebhookOptions
from adapters.targets.webhook.guard import parse_network
from adapters.targets.webhook.signing import Signer
from adapters.work import Outcome, Verdict, Work
from tests.adapters.receiver import answering, receiving

LOOPBACK = (parse_network("127.0.0.1/32"), parse_network("::1/128"))
NOW = datetime(2026, 3, 29, 1, 59, 30, tzinfo=UTC)
BODY = b'{"id":"c1","command":"do","args":{"name":"\xc3\xa4"}}'
WORK = Work("c1", 1, "police", BODY, 0, 0)


def now() -> int:
    return int(NOW.timestamp()) * 1_000_000 + 999_999


@asynccontextmanager
async def adapter(url: str, **options: Any) -> AsyncIterator[WebhookAdapter]:
    made = WebhookAdapter(WebhookOptions(url, **({"now": now, "allow": LOOPBACK, "timeout": 5.0} | options)))
    try:
        yield made
    finally:
        await made.close()


async def delivered(url: str, **options: Any) -> Outcome:
    async with adapter(url, **options) as webhook:
        return await webhook.deliver(WORK)


async def test_a_command_is_one_post_of_its_json_with_its_id_twice() -> None:
    async with receiving() as receiver:
        assert await delivered(receiver.url) == Outcome(
            Verdict.DONE, result={"status": 204, "body": None}, status="204"
        )
    ((headers, body),) = receiver.requests
    assert body == BODY
    assert (headers[":method"], headers[":path"]) == ("POST", "/hook?x=1")
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == headers["idempotency-key"] == "c1"
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert "webhook-signature" not in headers
    assert headers["content-length"] == str(len(BODY))


async def test_a_signature_is_verified_by_the_library_of_the_standard() -> None:
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    async with receiving() as receiver:
        await delivered(receiver.url, signer=Signer(secret), now=lambda: time.time_ns() // 1_000)  # they check it
    ((headers, body),) = receiver.requests
    assert Webhook(secret).verify(body.decode(), headers) == json.loads(BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.decode().replace("do", "undo"), headers)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_every_2xx_is_done(status: int) -> None:
    async with receiving() as receiver:
        receiver.answer = lambda number, request: web.Response(status=status)
        assert (await delivered(receiver.url)).verdict is Verdict.DONE


@pytest.mark.parametrize("status", [408, 425, 429, 500, 501, 502, 503, 504, 599])
async def test_what_may_be_better_later_is_tried_again(status: int) -> None:
    async with receiving() as receiver:
        receiver.answer = lambda number, request: web.Response(status=status, text="not now")
        found = await delivered(receiver.url)
    assert (found.verdict, found.reason, found.retry_after) == (Verdict.RETRY, f"HTTP {status}: not now", None)
    assert found.status == str(status)


@pytest.mark.parametrize("status", [300, 304, 400, 401, 403, 404, 405, 409, 410, 413, 422, 451, 600, 999])
async def test_every_other_answer_is_final(status: int) -> None:
    async with answering(b"HTTP/1.1 %d Thus\r\nretry-after: 5\r\ncontent-length: 0\r\n\r\n" % status) as url:
        found = await delivered(url)
    assert (found.verdict, found.reason, found.retry_after) == (Verdict.FINAL, f"HTTP {status}", None)
    assert found.status == str(status)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(status: int) -> None:
    async with receiving() as elsewhere, receiving() as receiver:
        receiver.answer = lambda number, request: web.Response(status=status, headers={"location": elsewhere.url})
        assert (await delivered(receiver.url)).verdict is Verdict.FINAL
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), pytest.approx(90, abs=1)),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
        ("soon", None),
        ("-5", None),
        ("1e3", None),
        ("²", None),
        ("9" * 400, 999_999_999_999_999_999.0),
        ("Mon, 99 Foo 2024 99:99:99 GMT", None),
    ],
)
async def test_retry_after_is_a_number_of_seconds_or_a_date(header: str, seconds: float | None) -> None:
    async with answering(f"HTTP/1.1 503 Busy\r\nretry-after: {header}\r\ncontent-length: 0\r\n\r\n".encode()) as url:
        found = await delivered(url)
    assert (found.verdict, found.retry_after) == (Verdict.RETRY, seconds)


async def test_an_answer_in_json_is_kept_as_json_and_one_in_text_as_text() -> None:
    async with receiving() as receiver:
        receiver.answer = lambda number, request: web.json_response({"ticket": 7})
        assert (await delivered(receiver.url)).result == {"status": 200, "body": {"ticket": 7}}
        receiver.answer = lambda number, request: web.Response(body=b"\xff ok", content_type="text/plain")
        assert (await delivered(receiver.url)).result["body"] == "\ufffd ok"
        receiver.answer = lambda number, request: web.Response(text='{"broken', content_type="application/json")
        assert (await delivered(receiver.url)).result["body"] == '{"broken'
        receiver.answer = lambda number, request: web.Response(
            text="[" * 500 + "]" * 500, content_type="application/json"
        )
        assert (await delivered(receiver.url)).result["body"] == "[" * 500 + "]" * 500


async def test_no_more_of_an_answer_is_read_than_is_kept() -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while sent < 1 << 30:
                await response.write(b"x" * 65_536)
                sent += 65_536
        except ConnectionError:
            pass  # it was closed, as it should be
        return response

    async with receiving() as receiver:
        receiver.answer = lambda number, request: endless(request)
        found = await delivered(receiver.url)
    assert found.verdict is Verdict.DONE
    assert len(found.result["body"]) == KEPT
    assert sent < 1 << 26


async def test_an_answer_that_breaks_off_still_counts_by_its_status() -> None:
    async with answering(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart") as url:
        found = await delivered(url)
    assert (found.verdict, found.result["body"]) == (Verdict.DONE, "part")


async def test_an_answer_that_does_not_come_in_time_is_tried_again() -> None:
    over = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    async with receiving() as receiver:
        receiver.answer = lambda number, request: slow(request)
        found = await delivered(receiver.url, timeout=0.2)
        over.set()
    assert (found.verdict, found.reason, found.status) == (Verdict.RETRY, "no answer within 0.2 s", "timeout")


@pytest.mark.parametrize(("of_target", "of_command"), [(5.0, 0.2), (0.05, 0.2)])
async def test_a_command_may_have_more_or_less_time_than_the_target_gives(of_target: float, of_command: float) -> None:
    over = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    async with receiving() as receiver, adapter(receiver.url, timeout=of_target) as webhook:
        receiver.answer = lambda number, request: slow(request)
        found = await webhook.deliver(WORK._replace(timeout=of_command))
        over.set()
    assert found.reason == "no answer within 0.2 s"


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000])
async def test_what_is_no_answer_is_tried_again(answer: bytes) -> None:
    async with answering(answer) as url:
        found = await delivered(url)
    assert found.verdict is Verdict.RETRY
    assert found.reason.startswith("the connection failed: ")
    assert found.status == "broken"


async def test_a_receiver_that_is_not_there_is_tried_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        found = await delivered(f"http://127.0.0.1:{port}/")
    told = f"no connection to 127.0.0.1:{port}: Connection refused"
    assert (found.verdict, found.reason, found.status) == (Verdict.RETRY, told, "connect")


async def test_a_certificate_that_nobody_vouches_for_is_refused_and_tried_again() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(Path(__file__).with_name("self_signed.pem"))
    async with receiving(tls=tls) as receiver:
        found = await delivered(receiver.url)
    assert receiver.requests == []
    assert found.verdict is Verdict.RETRY
    assert found.reason.startswith("no connection: ")
    assert "certificate" in found.reason
    assert found.status == "tls"


async def test_many_attempts_at_once_share_a_bounded_number_of_connections() -> None:
    peers = set()
    together = most = 0

    async def count(request: web.Request) -> web.Response:
        nonlocal together, most
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        together += 1
        most = max(most, together)
        await asyncio.sleep(0)
        together -= 1
        return web.Response()

    async with receiving() as receiver, adapter(receiver.url, concurrency=3) as webhook:
        receiver.answer = lambda number, request: count(request)
        works = [WORK._replace(id=f"c{number}") for number in range(30)]
        found = await asyncio.gather(*map(webhook.deliver, works))
    assert {one.verdict for one in found} == {Verdict.DONE}
    assert len(receiver.requests) == 30
    assert len(peers) <= 3
    assert most <= 3


async def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        assert (await delivered(receiver.url)).verdict is Verdict.DONE
    assert proxy.requests == []


async def test_no_cookie_is_sent_back() -> None:
    async with receiving() as receiver, adapter(receiver.url) as webhook:
        receiver.answer = lambda number, request: web.Response(headers={"set-cookie": "a=b"})
        await webhook.deliver(WORK)
        await webhook.deliver(WORK)
    assert "cookie" not in receiver.requests[1][0]


def test_a_signer_never_shows_its_secret() -> None:
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    options = WebhookOptions("http://x/", Signer(secret), now=now)
    assert secret not in repr(options)
    assert base64.b64encode(b"k" * 32).decode() not in repr(options)
