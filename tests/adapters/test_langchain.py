"""A command is a question to a model, over OpenAI's protocol to a server of ours: answered, refused, late, or wrong."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web

from adapters.adapter import Adapter, preview
from adapters.kind import Surroundings
from adapters.registry import load_targets
from adapters.targets.langchain.answers import ANSWERS, FAILURES
from adapters.work import Outcome, Verdict, Work
from tests.adapters.openai_server import OpenAiServer, answer, model_server, refusal, tool_call
from tests.adapters.webhooks import clock, work

PRIORITY = {
    "type": "object",
    "properties": {"priority": {"enum": ["low", "high"]}, "why": {"type": "string", "minLength": 3}},
    "required": ["priority", "why"],
    "additionalProperties": False,
}
GOOD = {"priority": "high", "why": "it burns"}
KEY = "sk-0123456789abcdef"
TICKET = work(text="The printer burns", customer={"tier": "gold"})


@pytest.fixture
async def server() -> AsyncIterator[OpenAiServer]:
    async with model_server() as running:
        yield running


@asynccontextmanager
async def opened(server: OpenAiServer, secrets: Mapping[str, str] | None = None, **keys: Any) -> AsyncIterator[Adapter]:
    given = {
        "kind": "langchain",
        "model": "openai:gpt-5-mini",
        "base_url": server.url,
        "api_key": "env:KEY",
        "prompt": "How urgent is it? ${command.args.text}",
        "timeout": "5s",
    } | keys
    given = {key: value for key, value in given.items() if value is not None}
    around = Surroundings(
        clock, (secrets if secrets is not None else {"env:KEY": KEY}).get, imports=frozenset([__name__])
    )
    target = load_targets(json.dumps({"targets": {"triage": given}}), "targets.yaml", around)["triage"]
    assert target.open is not None
    adapter = target.open()
    try:
        yield adapter
    finally:
        await adapter.close()


async def to_the_end(server: OpenAiServer, sent: Work = TICKET, **keys: Any) -> Outcome:
    """As delivery does it, with a process of its own for each step: only what is in the ledger is known."""
    while True:
        async with opened(server, **keys) as adapter:
            outcome = await adapter.deliver(sent)
        if outcome.verdict is not Verdict.WAITING:
            return outcome
        assert (outcome.status, outcome.retry_after) == ("repair", 0.0)
        sent = sent._replace(progress=msgspec.json.encode(outcome.progress))


async def test_the_answer_is_the_result_with_model_tokens_time_and_cost(server: OpenAiServer) -> None:
    async with opened(server, prices={"input": 2.0, "output": 10.0}) as adapter:
        outcome = await adapter.deliver(TICKET)
    assert outcome.verdict is Verdict.DONE
    assert outcome.result.pop("seconds") >= 0
    assert outcome.result == {
        "answer": "yes",
        "model": "gpt-5-mini-2025-08-07",
        "calls": 1,
        "tokens": {"input": 100, "output": 10, "total": 110},
        "cost": 0.0003,
    }
    assert server.questions == ["How urgent is it? The printer burns"]
    assert server.keys == [f"Bearer {KEY}"]
    assert server.requests[0].get("stream") in (None, False)
    assert "tools" not in server.requests[0]


async def test_parts_of_the_command_stand_in_the_prompt_objects_too(server: OpenAiServer) -> None:
    keys = {"system": "You triage for ${command.key}.", "prompt": "${command.args} of ${command.args.customer}"}
    async with opened(server, **keys) as adapter:
        await adapter.deliver(TICKET)
    assert [message["content"] for message in server.requests[0]["messages"]] == [
        "You triage for GX-700.",
        '{"text":"The printer burns","customer":{"tier":"gold"}} of {"tier":"gold"}',
    ]


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        (
            {"system": "You triage."},
            [
                {"role": "system", "content": "You triage."},
                {"role": "human", "content": "How urgent is it? The printer burns"},
            ],
        ),
        ({"model": None, "api_key": None, "base_url": None, "prompt": None, "runnable": f"{__name__}:double"}, None),
    ],
)
async def test_what_would_be_asked_can_be_shown_without_asking(
    keys: dict[str, Any], shown: Any, server: OpenAiServer
) -> None:
    async with opened(server, **keys) as adapter:
        found = await preview(adapter, TICKET)
    assert found == ({"messages": shown} if shown else {"input": json.loads(TICKET.body)})
    assert server.requests == []


async def test_a_prompt_that_cannot_be_made_of_the_command_parks_it_and_asks_nothing(server: OpenAiServer) -> None:
    async with opened(server, prompt="${command.args.nothing}") as adapter:
        outcome = await adapter.deliver(TICKET)
    assert (outcome.verdict, outcome.status) == (Verdict.FINAL, "template")
    assert server.requests == []


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
async def test_an_answer_by_a_schema_is_an_object(server: OpenAiServer, method: str) -> None:
    server.answer = lambda number, body: tool_call("triage", GOOD) if body.get("tools") else answer(GOOD)
    async with opened(server, schema=PRIORITY, method=method) as adapter:
        outcome = await adapter.deliver(TICKET)
    assert outcome.verdict is Verdict.DONE, outcome
    assert outcome.result["answer"] == GOOD


async def test_what_does_not_fit_is_asked_for_again_with_what_is_wrong(server: OpenAiServer) -> None:
    answers = ["no JSON at all", {"priority": "huge", "why": "it burns"}, GOOD]
    server.answer = lambda number, body: answer(answers[number - 1])
    outcome = await to_the_end(server, schema=PRIORITY)
    assert outcome.verdict is Verdict.DONE
    assert outcome.result["answer"] == GOOD
    assert outcome.result["calls"] == 3
    assert outcome.result["tokens"]["total"] == 330
    said = [message["content"] for message in server.requests[2]["messages"]]
    assert said[1] == "no JSON at all"
    assert "cannot be read as JSON" in said[2]
    assert "$.priority: 'huge' is not one of ['low', 'high']" in said[4]


async def test_what_never_fits_is_parked_with_the_raw_text(server: OpenAiServer) -> None:
    server.answer = lambda number, body: answer({"priority": "huge", "why": "x" * 100_000})
    outcome = await to_the_end(server, schema=PRIORITY, repairs=1)
    assert (outcome.verdict, outcome.status) == (Verdict.FINAL, "schema")
    assert outcome.reason.startswith("2 answers did not fit the schema: $.priority: 'huge' is not one of")
    assert outcome.result["raw"].startswith('{"priority": "huge"')
    assert len(outcome.result["raw"]) == 16 * 1024
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("said", "verdict", "status", "wait"),
    [
        (refusal(429, "slow down", retry_after="7"), Verdict.RETRY, "429", 7.0),
        (refusal(500, "oops"), Verdict.RETRY, "500", None),
        (refusal(503, "later"), Verdict.RETRY, "503", None),
        (refusal(401, "Incorrect API key provided"), Verdict.FINAL, "401", None),
        (refusal(400, "maximum context length", "context_length_exceeded"), Verdict.FINAL, "400", None),
        (refusal(404, "no such model"), Verdict.FINAL, "404", None),
        (web.Response(body=b"<html>not a model</html>", content_type="text/html"), Verdict.RETRY, "failed", None),
        (web.Response(body=b'{"choices": []', content_type="application/json"), Verdict.RETRY, "failed", None),
        (answer("no", finish="length"), Verdict.FINAL, "truncated", None),
        (answer("", finish="content_filter"), Verdict.FINAL, "refused", None),
    ],
)
async def test_what_is_no_answer_is_tried_again_or_parked_and_asked_once(
    server: OpenAiServer, said: Any, verdict: Verdict, status: str, wait: float | None
) -> None:
    server.answer = lambda number, body: said
    async with opened(server) as adapter:
        outcome = await adapter.deliver(TICKET)
    assert (outcome.verdict, outcome.status, outcome.retry_after) == (verdict, status, wait)
    assert len(server.requests) == 1, "the client tries nothing again by itself"


def refusing() -> dict[str, Any]:
    said = answer("")
    said["choices"][0]["message"] |= {"content": None, "refusal": "I must not"}
    return said


@pytest.mark.parametrize("schema", [None, PRIORITY])
async def test_a_model_that_refuses_is_not_asked_again_and_has_not_answered(server: OpenAiServer, schema: Any) -> None:
    server.answer = lambda number, body: refusing()
    async with opened(server, schema=schema) as adapter:
        outcome = await adapter.deliver(TICKET)
    assert (outcome.verdict, outcome.status, outcome.reason) == (
        Verdict.FINAL,
        "refused",
        "the model refused: I must not",
    )
    assert len(server.requests) == 1


@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
async def test_an_answer_that_was_cut_off_is_paid_once_and_counted(server: OpenAiServer, method: str) -> None:
    server.answer = lambda number, body: answer('{"priority": "hi', finish="length")
    async with opened(server, schema=PRIORITY, method=method, budget={"per_minute": 100}) as adapter:
        outcome = await adapter.deliver(TICKET)
        after = await adapter.deliver(TICKET._replace(id="c2"))
    assert (outcome.verdict, outcome.status) == (Verdict.FINAL, "truncated")
    assert outcome.result["tokens"]["total"] == 110
    assert outcome.result["raw"] == '{"priority": "hi'
    assert after.status == "budget"
    assert len(server.requests) == 1


async def test_a_repair_that_fails_is_made_again_and_what_was_answered_before_is_not_asked_anew(
    server: OpenAiServer,
) -> None:
    said = [answer("no JSON"), refusal(429, "slow down"), answer(GOOD)]
    server.answer = lambda number, body: said[number - 1]
    keys: dict[str, Any] = {"schema": PRIORITY, "prices": {"input": 2.0, "output": 10.0}}
    async with opened(server, **keys, budget={"per_minute": 220}) as adapter:
        first = await adapter.deliver(TICKET)
        assert (first.verdict, first.status) == (Verdict.WAITING, "repair")
        assert first.reason.startswith("the answer does not fit the schema: it cannot be read as JSON")
        sent = TICKET._replace(attempt=2, progress=msgspec.json.encode(first.progress))
        failed = await adapter.deliver(sent)
        assert (failed.verdict, failed.status) == (Verdict.RETRY, "429")
        assert failed.result["tokens"]["total"] == 110
        found = await adapter.deliver(sent._replace(attempt=3))
        assert (found.verdict, found.result["answer"]) == (Verdict.DONE, GOOD)
        assert (found.result["calls"], found.result["tokens"]["total"], found.result["cost"]) == (2, 220, 0.0006)
        assert found.result["seconds"] >= first.progress["seconds"]
        assert (await adapter.deliver(TICKET._replace(id="c2"))).status == "budget"  # all was counted, and once
    assert [len(body["messages"]) for body in server.requests] == [1, 3, 3]


async def test_what_is_kept_of_answers_that_do_not_fit_is_bounded_and_their_number_is_not_forgotten(
    server: OpenAiServer,
) -> None:
    server.answer = lambda number, body: answer("ü" * 100_000 if number == 5 else f"{number}" * 12_000)
    outcome = await to_the_end(server, schema=PRIORITY, repairs=5)
    assert (outcome.status, outcome.result["calls"]) == ("schema", 6)
    assert [len(body["messages"]) for body in server.requests] == [1, 3, 5, 5, 5, 3]
    assert server.requests[-1]["messages"][1]["content"] == "ü" * 4_096


async def test_an_answer_that_is_too_long_to_keep_is_parked_with_its_beginning(server: OpenAiServer) -> None:
    server.answer = lambda number, body: answer("x" * 70_000)
    async with opened(server) as adapter:
        outcome = await adapter.deliver(TICKET)
    assert (outcome.verdict, outcome.status) == (Verdict.FINAL, "too-long")
    assert outcome.result["raw"] == "x" * 16 * 1024


async def test_one_that_waits_for_an_answer_asks_itself_when_the_first_is_broken_off(
    server: OpenAiServer,
) -> None:
    server.answer = lambda number, body: asyncio.sleep(9, "late") if number == 1 else answer("yes")
    async with opened(server) as adapter:
        first = asyncio.create_task(adapter.deliver(TICKET))
        await asyncio.sleep(0.1)
        second = asyncio.create_task(adapter.deliver(TICKET))
        await asyncio.sleep(0.1)
        first.cancel()
        assert (await second).verdict is Verdict.DONE


async def test_a_model_that_is_too_slow_is_given_up_in_time(server: OpenAiServer) -> None:
    async def late(number: int, body: dict[str, Any]) -> str:
        await asyncio.sleep(5)
        return "late"

    server.answer = lambda number, body: late(number, body)
    async with opened(server, timeout="300ms") as adapter:
        began = time.monotonic()
        outcome = await adapter.deliver(TICKET)
    assert (outcome.verdict, outcome.status) == (Verdict.RETRY, "timeout")
    assert time.monotonic() - began < 2


async def test_nobody_there_is_tried_again(server: OpenAiServer) -> None:
    async with opened(server, base_url="http://127.0.0.1:9/v1") as adapter:
        outcome = await adapter.deliver(TICKET)
    assert (outcome.verdict, outcome.status) == (Verdict.RETRY, "connect")


async def test_an_answer_is_paid_once_though_the_command_comes_again(server: OpenAiServer) -> None:
    gate = asyncio.Event()

    async def wait(number: int, body: dict[str, Any]) -> str:
        await gate.wait()
        return f"answer {number}"

    server.answer = lambda number, body: wait(number, body)
    async with opened(server) as adapter:
        both = [asyncio.create_task(adapter.deliver(TICKET._replace(attempt=attempt))) for attempt in (1, 2)]
        await asyncio.sleep(0.1)
        gate.set()
        outcomes = [*await asyncio.gather(*both), await adapter.deliver(TICKET._replace(attempt=3))]
    assert [outcome.result["answer"] for outcome in outcomes] == ["answer 1"] * 3
    assert len(server.requests) == 1


async def test_an_attempt_that_failed_or_was_broken_off_is_made_again(server: OpenAiServer) -> None:
    server.answer = lambda number, body: refusal(503, "later") if number == 1 else answer("yes")
    async with opened(server) as adapter:
        assert (await adapter.deliver(TICKET)).verdict is Verdict.RETRY
        assert (await adapter.deliver(TICKET)).verdict is Verdict.DONE
        server.answer = lambda number, body: asyncio.sleep(9, "late")
        other = TICKET._replace(id="c2")
        task = asyncio.create_task(adapter.deliver(other))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.answer = lambda number, body: answer("yes")
        assert (await adapter.deliver(other)).verdict is Verdict.DONE


async def test_beyond_its_budget_a_command_waits_and_nothing_is_asked(server: OpenAiServer) -> None:
    async with opened(server, budget={"per_minute": 200, "per_day": 1_000}) as adapter:
        for number in range(2):
            assert (await adapter.deliver(TICKET._replace(id=f"c{number}"))).verdict is Verdict.DONE
        outcome = await adapter.deliver(TICKET._replace(id="c3"))
    assert (outcome.verdict, outcome.status) == (Verdict.DEFERRED, "budget")
    assert outcome.retry_after is not None
    assert 0 < outcome.retry_after <= 60
    assert len(server.requests) == 2


async def test_neither_key_nor_prompt_is_shown_by_outcomes_and_logs(
    server: OpenAiServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = f"bad key {KEY} near 'The printer burns' of: How urgent is it? The printer burns"
    server.answer = lambda number, body: refusal(400, said)
    async with opened(server) as adapter:
        outcome = await adapter.deliver(TICKET)
    shown = f"{outcome} {caplog.text}"
    assert KEY not in shown
    assert "printer" not in shown
    assert "[prompt]" in outcome.reason


async def test_the_key_of_the_guide_is_used_where_the_file_names_none(server: OpenAiServer) -> None:
    async with opened(server, {"env:LANGCHAIN_API_KEY": "sk-guide-1234"}, api_key=None) as adapter:
        await adapter.deliver(TICKET)
    assert server.keys == ["Bearer sk-guide-1234"]


async def double(command: dict[str, Any]) -> dict[str, Any]:
    return {"key": command["key"], "text": command["args"]["text"] * 2}


async def test_a_function_that_is_allowed_is_given_the_command(server: OpenAiServer) -> None:
    keys = {"model": None, "base_url": None, "api_key": None, "prompt": None, "runnable": f"{__name__}:double"}
    async with opened(server, **keys) as adapter:
        outcome = await adapter.deliver(TICKET)
    assert outcome.verdict is Verdict.DONE
    assert outcome.result["answer"] == {"key": "GX-700", "text": "The printer burnsThe printer burns"}


async def test_what_a_runnable_answers_is_held_to_the_schema_and_not_asked_for_again(server: OpenAiServer) -> None:
    keys = {"model": None, "base_url": None, "api_key": None, "prompt": None, "runnable": f"{__name__}:double"}
    async with opened(server, schema=PRIORITY, **keys) as adapter:
        outcome = await adapter.deliver(TICKET)
    assert (outcome.verdict, outcome.status) == (Verdict.FINAL, "schema")
    assert "'priority' is a required property" in outcome.reason


def test_the_table_of_answers_is_whole() -> None:
    assert {each.verdict for each in (*ANSWERS.values(), *FAILURES.values())} == {
        Verdict.RETRY,
        Verdict.FINAL,
        Verdict.DEFERRED,
        Verdict.WAITING,
    }


def test_a_work_is_a_work() -> None:
    assert isinstance(TICKET, Work)
