"""What a request expects before it sends its body: to be told to continue, or it is refused."""

import json

import pytest

from tests.orchestrator.serving import api
from tests.orchestrator.test_doors import EVENT, HEAD, connected


async def test_who_expects_to_be_told_to_continue_is_told() -> None:
    body = json.dumps(EVENT).encode()
    sent = HEAD + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body)
    async with api() as (client, _), connected(client.make_url("/"), sent) as raw:
        assert await raw.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        raw.writer.write(body)
        assert (await raw.answer())[0] == 202


@pytest.mark.parametrize("expected", [b"banana", b"\xff\xfe", b"\xed\xa0\x80", b"x" * 5_000])
async def test_any_other_expectation_is_refused_as_a_problem_also_where_it_is_no_text(expected: bytes) -> None:
    failures: list[tuple[str, BaseException]] = []
    sent = HEAD + b"Content-Length: 2\r\nExpect: " + expected + b"\r\n\r\n{}"
    async with api(failures=failures) as (client, _), connected(client.make_url("/"), sent) as raw:
        status, answer = await raw.answer()
    assert status == 417
    assert b"application/problem+json" in answer
    assert failures == []
