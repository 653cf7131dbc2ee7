"""The kind `langchain` passes what is asked of every kind, against a server that speaks OpenAI's protocol."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from types import MappingProxyType
from typing import Any

import pytest

from adapters.testing import DeliveryConformance, OtherEnd
from tests.adapters.aside import aside
from tests.adapters.openai_server import Said, answer, model_server, refusal

KEY = "sk-that-nobody-may-see"
SCHEMA = {"type": "object", "properties": {"urgent": {"type": "boolean"}}, "required": ["urgent"]}


class Model(OtherEnd):
    secrets: Mapping[str, str] = MappingProxyType({"env:KEY": KEY})

    def __init__(self) -> None:
        self._seconds = 0.0
        self._refusing = False
        self._running = ExitStack()
        self._server = self._running.enter_context(aside(model_server()))
        self._server.answer = self._answer

    async def _answer(self, number: int, body: dict[str, Any]) -> Said:
        ends, refusing = time.monotonic() + self._seconds, self._refusing
        while time.monotonic() < ends and self._seconds:  # noqa: ASYNC110 - `delay` is called from another thread
            await asyncio.sleep(0.02)
        if refusing:
            return refusal(400, f"of {self._server.keys[-1]}: {body['messages']}")
        return answer({"urgent": True})

    def target(self) -> dict[str, Any]:
        return {
            "kind": "langchain",
            "model": "openai:gpt-5-mini",
            "base_url": self._server.url,
            "api_key": "env:KEY",
            "prompt": "${command.id}",
            "schema": SCHEMA,
        }

    def received(self) -> list[str]:
        return self._server.questions

    def delay(self, seconds: float) -> None:
        self._seconds = seconds

    def refuse(self, refusing: bool) -> None:
        self._refusing = refusing

    def vanish(self) -> None:
        self._seconds = 0.0
        self._running.close()


class TestLangchain(DeliveryConformance):
    @pytest.fixture
    def end(self) -> Iterator[OtherEnd]:
        model = Model()
        yield model
        model.vanish()
