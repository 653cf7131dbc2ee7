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
from adapters.testing.partition import Partition
from adapters.work import Outcome, Work
from tests.adapters.aside import aside
from tests.adapters.openai_server import Said, answer, model_server, refusal

KEY = "sk-that-nobody-may-see"
SCHEMA = {"type": "object", "properties": {"urgent": {"type": "boolean"}}, "required": ["urgent"]}


class Model(OtherEnd):
    secrets: Mapping[str, str] = MappingProxyType({"env:KEY": KEY})

    def __init__(self, mending: bool = False) -> None:
        """`mending`: its first answer to each question does not fit, and the next one does."""
        self._mending = mending
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
        return answer("perhaps" if self._mending and len(body["messages"]) == 1 else {"urgent": True})

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
        return [body["messages"][0]["content"] for body in self._server.requests if len(body["messages"]) == 1]

    @property
    def repairs(self) -> int:
        return sum(len(body["messages"]) > 1 for body in self._server.requests)

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


class TestRepairs(DeliveryConformance):
    @pytest.fixture
    def end(self) -> Iterator[OtherEnd]:
        model = Model(mending=True)
        yield model
        model.vanish()

    def test_what_dies_between_a_question_and_its_repair_asks_only_for_the_repair(
        self, end: Model, partition: Partition
    ) -> None:
        (id,) = partition.decide()
        for state in ("waiting", "done"):
            work = partition.lease_one()
            assert partition.acknowledge(work, asyncio.run(_asked(partition, work)))
            assert partition.state(id) == state
            partition.crash()
        assert (end.received(), end.repairs) == ([id], 1)
        entry = partition.entries()[id]
        assert [(each.number, each.status) for each in entry.history] == [(1, "repair"), (1, "answered")]
        assert (entry.result["answer"], entry.result["calls"]) == ({"urgent": True}, 2)


async def _asked(partition: Partition, work: Work) -> Outcome:
    assert partition.target.open is not None
    adapter = partition.target.open()
    try:
        return await partition.attempt(adapter, work)
    finally:
        await adapter.close()
