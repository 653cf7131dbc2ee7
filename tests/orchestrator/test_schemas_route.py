"""The JSON Schema of rule files, from a server and from the command line."""

import json

import pytest

from adapters import json_schema as targets
from orchestrator.cli.main import run
from rules.json_schema import schema
from tests.orchestrator.serving import api


async def test_a_server_has_the_schema_of_its_own_version() -> None:
    async with api() as (client, _):
        answer = await client.get("/v1/schemas/rules.json")
        assert (answer.status, answer.content_type) == (200, "application/schema+json")
        assert json.loads(await answer.read()) == schema()


def test_the_command_line_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "schema"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == schema()
    assert run(["rules", "schema", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == schema()


async def test_a_server_has_the_schema_of_targets_files() -> None:
    async with api() as (client, _):
        answer = await client.get("/v1/schemas/targets.json")
        assert (answer.status, answer.content_type) == (200, "application/schema+json")
        assert json.loads(await answer.read()) == targets.schema()[0]


def test_the_command_line_prints_that_of_targets_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["targets", "schema"]) == 0
    printed = capsys.readouterr()
    assert (json.loads(printed.out), printed.err) == (targets.schema()[0], "")
    assert run(["targets", "schema", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == targets.schema()[0]
