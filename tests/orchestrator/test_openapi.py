"""The API does what its OpenAPI document says, whatever is sent to it."""

import json
import signal
from collections.abc import Iterator
from typing import Any
from unittest.mock import ANY

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from orchestrator.api.app import EVERYTHING
from orchestrator.api.openapi import openapi
from tests.crash.processes import ServerProcess

RULES = """
ruleset: shop
projections:
  orders:
    fold:
      order.placed: {total: event.data.total}
    index: [total]
rules:
  big:
    on: order.placed
    when: event.data.total > 100
    then: [{command: look-at, to: office}]
"""
TARGETS = "targets:\n  office: {kind: log}\n"
DOCUMENT = openapi(EVERYTHING, "test")
schema = schemathesis.openapi.from_dict(DOCUMENT)


@schemathesis.serializer("application/jsonl")
def lines(context: Any, value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("openapi")
    (folder / "rules.yaml").write_text(RULES)
    (folder / "targets.yaml").write_text(TARGETS)
    server = ServerProcess(folder, folder / "rules.yaml", folder / "targets.yaml", 3)
    try:
        server.spawn()
        server.wait_ready()
        event = {"id": "1", "source": "shop", "type": "order.placed", "subject": "A1", "data": {"total": 250}}
        requests.post(f"{server.url}/v1/events", json=event, timeout=10).raise_for_status()
        yield server.url
        assert server.end(signal.SIGTERM) == 0
        said = [json.loads(line) for line in server.said().splitlines()]
        # It was asked for other log levels, too, and each change is told.
        assert [line for line in said if line["level"] in ("warning", "error") and line["event"] != "log level"] == []
    finally:
        server.clean_up()


@schema.parametrize()
@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_route_keeps_its_contract(case: schemathesis.Case, url: str) -> None:
    # No schema can say which cursors are ours, which times lie ahead or are not too long, which fields are indexed, and
    # what stands in a line.
    said = {**(case.query or {}), **(case.body if isinstance(case.body, dict) else {})}
    opaque = said.keys() & {"cursor", "until", "time", "lease", "wait"} or case.path.endswith(
        ("/events", "/projections/{name}")
    )
    case.call_and_validate(base_url=url, excluded_checks=[positive_data_acceptance] if opaque else [])


def test_the_document_is_served(url: str) -> None:
    assert requests.get(f"{url}/openapi.json", timeout=10).json() == {**DOCUMENT, "info": ANY}
