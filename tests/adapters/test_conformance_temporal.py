"""The kind `temporal` passes what is asked of every kind, against a real server and a real worker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from adapters.testing import DeliveryConformance, OtherEnd
from tests.adapters.aside import aside
from tests.adapters.grpc_front import GrpcFront
from tests.adapters.temporal_server import LONGEST, shared
from tests.adapters.temporals import fresh

pytestmark = pytest.mark.timeout(LONGEST)
KEY = "key-that-nobody-may-see"
QUEUE = fresh("conformance")
runs: dict[str, str] = {}
"""The workflow's id by its run, in order of the first task of each."""


@workflow.defn(sandboxed=False)
class Noted:
    @workflow.run
    async def run(self, number: int) -> int:
        info = workflow.info()
        runs[info.run_id] = info.workflow_id
        return number


@asynccontextmanager
async def worker() -> AsyncIterator[None]:
    client = await Client.connect(shared().address)
    async with Worker(client, task_queue=QUEUE, workflows=[Noted], workflow_runner=UnsandboxedWorkflowRunner()):
        yield


class Workflows(OtherEnd):
    secrets: Mapping[str, str] = MappingProxyType({"env:KEY": KEY})
    flood = 40

    def __init__(self) -> None:
        self._name = fresh()
        self._front = GrpcFront(shared().address, f"the key {KEY} may not do that")

    def target(self) -> dict[str, Any]:
        return {
            "kind": "temporal",
            "address": self._front.address,
            "workflow": "Noted",
            "task_queue": QUEUE,
            "workflow_id": self._name + ":${command.id}",
            "args": ["${command.args.number}"],
            "api_key": "env:KEY",
            "tls": False,
            "wait": "result",
        }

    def received(self) -> list[str]:
        ids = [id.partition(":") for id in runs.values()]
        return [id for name, _, id in ids if name == self._name]

    def delay(self, seconds: float) -> None:
        self._front.seconds = seconds

    def refuse(self, refusing: bool) -> None:
        self._front.refuse(refusing)

    def vanish(self) -> None:
        self._front.close()


@pytest.fixture(autouse=True, scope="module")
def working() -> Iterator[None]:
    with aside(worker()):
        yield


class TestTemporal(DeliveryConformance):
    @pytest.fixture
    def end(self) -> Iterator[OtherEnd]:
        end = Workflows()
        yield end
        end.vanish()
