"""Batches of a webhook: an array in one request, and what the answer says of each command."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from adapters.targets.webhook.shape import batch_id
from adapters.work import Outcome, Verdict, Work
from tests.adapters.receiver import Receiver, receiving
from tests.adapters.webhooks import opened, refused, work

SECRET = "whsec_" + "b" * 40


async def sent(receiver: Receiver, works: list[Work], **keys: Any) -> list[Outcome]:
    async with opened(receiver.url, **{"batch": 100} | keys) as adapter:
        return await adapter.deliver_many(works)


def some(count: int) -> list[Work]:
    return [work(f"c{number}", n=number) for number in range(count)]


def ids(body: bytes) -> list[str]:
    return [each["id"] for each in json.loads(body)]


async def test_a_batch_is_a_signed_array_in_the_order_of_decisions_whoever_leased_them() -> None:
    works = [work("a", at="2025-05-01T12:00:01Z"), work("z", at="2025-05-01T12:00:00Z"), work("b"), work("c")]
    works[0] = work("a", at="2025-05-01T12:00:00.5Z")
    async with receiving() as receiver:
        for order in (works, works[::-1]):
            found = await sent(receiver, order, secret=SECRET)
            assert {each.verdict for each in found} == {Verdict.DONE}
    (first, body), (second, again) = receiver.requests
    assert body == again
    assert ids(body) == ["b", "c", "z", "a"]
    assert json.loads(body)[0] == json.loads(works[2].body)
    assert first["webhook-id"] == first["idempotency-key"] == second["webhook-id"] == batch_id(["a", "b", "c", "z"])
    assert first["content-type"] == "application/json"
    assert Webhook(SECRET).verify(body.decode(), first) == json.loads(body)


def test_the_id_of_a_batch_is_that_of_its_set() -> None:
    assert batch_id(["a", "b"]) == batch_id(["b", "a"])
    assert (
        len({batch_id(["a", "b"]), batch_id(["a"]), batch_id(["b"]), batch_id(["ab"]), batch_id(["a", "b", "c"])}) == 5
    )


async def test_a_single_command_is_an_array_of_one() -> None:
    async with receiving() as receiver, opened(receiver.url, batch=2) as adapter:
        assert (await adapter.deliver(work())).verdict is Verdict.DONE
    assert ids(receiver.requests[0][1]) == ["c1"]


async def test_a_batch_of_cloud_events_has_their_content_type() -> None:
    async with receiving() as receiver:
        await sent(receiver, some(2), format="cloudevents-structured")
    ((headers, body),) = receiver.requests
    assert headers["content-type"] == "application/cloudevents-batch+json"
    assert [(each["specversion"], each["id"], each["data"]) for each in json.loads(body)] == [
        ("1.0", "c0", {"n": 0}),
        ("1.0", "c1", {"n": 1}),
    ]


@pytest.mark.parametrize("status", [200, 202, 207])
async def test_an_answer_may_tell_each(status: int) -> None:
    results = [
        {"id": "c0", "status": 201},
        {"id": "c1", "status": 409, "error": "there is one", "more": [1]},
        {"id": "c2", "status": 503},
        {"id": "c9", "status": 200},
    ]
    async with receiving() as receiver:
        receiver.answer = lambda number, request: web.json_response(
            {"results": results}, status=status, headers={"retry-after": "7"}
        )
        found = await sent(receiver, some(4))
    assert [(each.verdict, each.status) for each in found] == [
        (Verdict.DONE, "201"),
        (Verdict.FINAL, "409"),
        (Verdict.RETRY, "503"),
        (Verdict.RETRY, "results"),
    ]
    assert [each.retry_after for each in found] == [None, None, 7.0, 7.0]
    assert found[1].reason == "status 409 in the answer to a batch: there is one"
    assert found[1].result == {"status": 409, "body": "there is one"}
    assert found[3].reason == f"HTTP {status}, but its `results` say nothing of this command"


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, "", Verdict.DONE),
        (200, "thanks", Verdict.DONE),
        (200, '{"ok": true}', Verdict.DONE),
        (200, 'we like "results"', Verdict.DONE),
        (200, '["results"]', Verdict.DONE),
        (200, '{"results": [' + " " * 100_000, Verdict.RETRY),  # what it says does not all arrive
        (200, '{"results": 7}', Verdict.RETRY),
        (200, '{"results": [{"id": "c0"}]}', Verdict.RETRY),
        (200, '{"results": [{"id": "c0", "status": "200"}]}', Verdict.RETRY),
        (200, '{"results": []}', Verdict.RETRY),
        (207, "", Verdict.RETRY),
        (207, "{}", Verdict.RETRY),
        (503, '{"results": [{"id": "c0", "status": 200}]}', Verdict.RETRY),
        (403, '{"results": [{"id": "c0", "status": 200}]}', Verdict.FINAL),
        (410, "", Verdict.FINAL),
    ],
)
async def test_an_answer_that_does_not_tell_each_is_of_all(status: int, body: str, verdict: Verdict) -> None:
    async with receiving() as receiver:
        receiver.answer = lambda number, request: web.Response(
            status=status, text=body, content_type="application/json"
        )
        found = await sent(receiver, some(2))
    assert [each.verdict for each in found] == [verdict] * 2
    assert all(each.status for each in found)
    assert len(receiver.requests) == 1


async def test_the_answer_to_a_large_batch_may_be_longer_than_to_a_command() -> None:
    works = some(1_000)
    results = {"results": [{"id": each.id, "status": 200, "error": "x" * 300} for each in works]}
    async with receiving() as receiver:
        receiver.answer = lambda number, request: web.json_response(results)
        found = await sent(receiver, works, batch=1_000)
    assert {each.verdict for each in found} == {Verdict.DONE}


@settings(max_examples=30, deadline=None)
@given(bad=st.sets(st.integers(0, 20)), count=st.integers(1, 21), status=st.sampled_from([400, 413, 422]))
def test_one_command_that_is_refused_does_not_park_the_others(bad: set[int], count: int, status: int) -> None:
    refused_ids = {f"c{number}" for number in bad}

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status if refused_ids & set(ids(await request.read())) else 204)

    async def run() -> None:
        async with receiving() as receiver:
            receiver.answer = lambda number, request: answer(request)
            found = await sent(receiver, some(count))
        expected = [Verdict.FINAL if number in bad else Verdict.DONE for number in range(count)]
        assert [each.verdict for each in found] == expected

    asyncio.run(run())


async def test_halves_are_sent_only_while_the_time_lasts() -> None:
    async def slowly(request: web.Request) -> web.Response:
        await asyncio.sleep(0.12)
        return web.Response(status=400)

    async with receiving() as receiver:
        receiver.answer = lambda number, request: slowly(request)
        began = asyncio.get_running_loop().time()
        found = await sent(receiver, some(64), timeout="300ms")
        assert asyncio.get_running_loop().time() - began < 1.0
    assert {each.verdict for each in found} == {Verdict.RETRY}
    assert {each.status for each in found} == {"timeout"}


async def test_no_connection_is_no_connection_for_all() -> None:
    async with receiving() as receiver:
        url = receiver.url
    async with opened(url, batch=10) as adapter:
        found = await adapter.deliver_many(some(3))
    assert [(each.verdict, each.status) for each in found] == [(Verdict.RETRY, "connect")] * 3


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"batch": 0}, "`batch`: Input should be greater than or equal to 1"),
        ({"batch": 1_001}, "`batch`: Input should be less than or equal to 1000"),
        ({"batch": 2, "format": "cloudevents-binary"}, ": `cloudevents-binary` has no batches: choose"),
        ({"batch": 2, "headers": {"x-a": "${command.key}"}}, "`headers`: is one for a whole batch: take the parts"),
        ({"batch": 2, "url": "https://a.example/${command.key}"}, ": `url` is one for a whole batch: take the parts"),
    ],
)
def test_what_cannot_be_in_batches_is_refused_when_the_file_is_read(keys: dict[str, Any], why: str) -> None:
    assert refused(**keys).startswith(why)
