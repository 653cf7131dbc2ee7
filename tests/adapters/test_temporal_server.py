"""The Temporal server that tests use."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.adapters.temporal_server import LONGEST, TemporalServer

pytestmark = pytest.mark.timeout(LONGEST)


@workflow.defn(sandboxed=False)
class Doubles:
    @workflow.run
    async def run(self, number: int) -> int:
        return number * 2


async def test_it_runs_workflows_and_keeps_what_it_has_when_it_is_killed(tmp_path: Path) -> None:
    server = TemporalServer(tmp_path / "server")
    try:
        client = await Client.connect(server.address)
        async with Worker(client, task_queue="q", workflows=[Doubles], workflow_runner=UnsandboxedWorkflowRunner()):
            assert await client.execute_workflow(Doubles.run, 21, id="w", task_queue="q") == 42
        server.kill()
        server.start()
        again = await Client.connect(server.address)
        assert await again.get_workflow_handle("w").result() == 42
    finally:
        server.stop()
