"""Around every answer: the id of its request, compression both ways with a bound, other origins by name only."""

import gzip
import hashlib
import json
import zlib

import pytest
from aiohttp.test_utils import TestClient

from orchestrator.api.routes.description import FILES, FOLDER
from tests.orchestrator.serving import api

EVENT = json.dumps({"id": "1", "source": "s", "type": "t"}).encode()
ELSEWHERE = "https://shop.example"


async def send(client: TestClient, body: bytes, **headers: str) -> tuple[int, str]:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", **headers}
    answer = await client.post("/v1/events", data=body, headers=headers)
    return answer.status, (await answer.json()).get("detail", "")


async def test_a_request_keeps_its_id_or_gets_one() -> None:
    async with api() as (client, _):
        named = await client.get("/health", headers={"X-Request-Id": "abc-1"})
        assert named.headers["X-Request-Id"] == "abc-1"
        drawn = [(await client.get(path)).headers["X-Request-Id"] for path in ("/health", "/nothing", "/health")]
        assert len(set(drawn)) == 3
        odd = await client.get("/health", headers={"X-Request-Id": "ü" * 3})
        assert odd.headers["X-Request-Id"].isascii()


async def test_events_may_come_as_gzip() -> None:
    async with api() as (client, log):
        assert await send(client, gzip.compress(EVENT)) == (202, "")
        assert await send(client, gzip.compress(EVENT[:9]) + gzip.compress(EVENT[9:])) == (202, "")
        assert sum(log.tail(partition) for partition in range(3)) == 2


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (gzip.compress(b" " * (64 << 20), mtime=0), 413, "larger than the 1,048,576 bytes"),
        (gzip.compress(EVENT, mtime=0)[:-12], 400, "breaks off within its gzip data"),
        (EVENT, 400, "is no gzip"),
        (zlib.compress(EVENT), 400, "is no gzip"),
        (gzip.compress(EVENT, mtime=0) + b"and more", 400, "is no gzip"),
    ],
)
async def test_what_is_no_gzip_or_too_much_of_it_is_refused(body: bytes, status: int, detail: str) -> None:
    async with api() as (client, log):
        found = await send(client, body)
        assert found[0] == status
        assert detail in found[1]
        assert not any(log.tail(partition) for partition in range(3))


async def test_another_encoding_is_refused() -> None:
    async with api() as (client, _):
        found = await send(client, EVENT, **{"Content-Encoding": "br"})
        assert found == (415, "Content-Encoding is br: send gzip, or the body as it is")


async def test_long_answers_are_compressed_for_who_accepts_it() -> None:
    async with api() as (client, _):
        packed = await client.get("/openapi.json", headers={"Accept-Encoding": "gzip"}, auto_decompress=False)
        assert packed.headers["Content-Encoding"] == "gzip"
        plain = await client.get("/openapi.json", headers={"Accept-Encoding": "identity"}, auto_decompress=False)
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
        assert gzip.decompress(await packed.read()) == await plain.read()
        short = await client.get("/health", headers={"Accept-Encoding": "gzip"}, auto_decompress=False)
        assert "Content-Encoding" not in short.headers


async def test_other_origins_are_not_let_in() -> None:
    async with api() as (client, _):
        answer = await client.get("/health", headers={"Origin": ELSEWHERE})
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_an_origin_that_is_named_is_let_in() -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    async with api(origins=[ELSEWHERE]) as (client, _):
        answer = await client.get("/health", headers={"Origin": ELSEWHERE})
        assert answer.headers["Access-Control-Allow-Origin"] == ELSEWHERE
        preflight = await client.options("/v1/events", headers={"Origin": ELSEWHERE, **asked})
        assert preflight.status == 200
        assert preflight.headers["Access-Control-Allow-Methods"] == "POST"
        other = await client.get("/health", headers={"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in other.headers
        refused = await client.get("/v1/commands?limit=x", headers={"Origin": ELSEWHERE})
        assert refused.headers["Access-Control-Allow-Origin"] == ELSEWHERE, "errors can be read, too"


async def test_the_page_of_the_api_needs_nothing_from_elsewhere() -> None:
    sums = dict(reversed(line.split()) for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    async with api() as (client, _):
        page = await client.get("/docs")
        assert (page.status, page.content_type) == (200, "text/html")
        assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        for name, kind in FILES.items():
            part = await client.get(f"/docs/{name}")
            assert (part.status, part.content_type) == (200, kind)
            if name in sums:
                assert hashlib.sha256(await part.read()).hexdigest() == sums[name]
        assert (await client.get("/docs/README.md")).status == 404
