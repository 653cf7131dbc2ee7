"""A server on loopback that speaks OpenAI's protocol of chat completions: no model can be paid for here.

The test says what is answered; what came is remembered. Usage is told in round numbers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

PER_QUESTION = 100
PER_ANSWER = 10
"""Tokens that each call is said to use."""
Said = str | dict[str, Any] | web.StreamResponse


def answer(said: str | dict[str, Any], *, model: str = "gpt-5-mini-2025-08-07", finish: str = "stop") -> dict[str, Any]:
    content = said if isinstance(said, str) else json.dumps(said)
    message = {"role": "assistant", "content": content, "refusal": None}
    return _completion(message, model, finish)


def tool_call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    return _completion({"role": "assistant", "content": None, "tool_calls": [call]}, "gpt-5-mini", "tool_calls")


def _completion(message: dict[str, Any], model: str, finish: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        "usage": {
            "prompt_tokens": PER_QUESTION,
            "completion_tokens": PER_ANSWER,
            "total_tokens": PER_QUESTION + PER_ANSWER,
        },
    }


def refusal(status: int, message: str, code: str = "", **headers: str) -> web.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    error = {"message": message, "type": "error", "param": None, "code": code or None}
    return web.json_response({"error": error}, status=status, headers=named)


@dataclass
class OpenAiServer:
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    """Bodies, in order of arrival."""
    keys: list[str] = field(default_factory=list)
    """Of the header `Authorization`."""
    answer: Callable[[int, dict[str, Any]], Said | Awaitable[Said]] = lambda number, body: answer("yes")
    """From the number of the request, counted from 1, and its body."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.keys.append(request.headers.get("authorization", ""))
        said = self.answer(len(self.requests), body)
        if asyncio.iscoroutine(said):
            said = await said
        if isinstance(said, web.StreamResponse):
            return said
        return web.json_response(answer(said) if isinstance(said, str) else said)

    @property
    def questions(self) -> list[str]:
        """The last message of each request."""
        return [body["messages"][-1]["content"] for body in self.requests]


@asynccontextmanager
async def model_server() -> AsyncIterator[OpenAiServer]:
    server = OpenAiServer()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()
