"""What a rule says is to happen in a command's stead happens, once, when it is parked or expires; seen from outside."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.crash.processes import ORCHESTRATOR, ServerProcess, serving
from tests.ports import free_port

RULES = """
ruleset: fines
rules:
  speeding:
    on: car.measured
    then:
      - command: fine
        to: police
        fallback:
          - {command: note, to: log, args: {plate: "${event.subject}"}, fallback: [{emit: never.seen}]}
          - {emit: fine.undeliverable, data: {speed: "${event.data.speed}"}}
          - {emit: office.told, subject: office, data: {plate: "${event.subject}"}}
  told:
    on: [fine.undeliverable, office.told]
    then: [{command: tell, to: log, args: {type: "${event.type}", key: "${key}"}}]
"""
TARGETS = """
targets:
  police: {{kind: webhook, url: "http://127.0.0.1:{port}/", allow: [127.0.0.1/32], retry: {{attempts: 1}}, alarm: off}}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with serving(tmp_path, RULES, TARGETS.format(port=free_port())) as running:
        yield running


def call(url: str, body: Any = None) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    with urlopen(Request(url, data, {"content-type": "application/json"}), timeout=15) as answer:
        return json.loads(answer.read())


def commands(server: ServerProcess, count: int) -> dict[str, dict[str, Any]]:
    """By name and key, when there are so many and all have ended."""
    until = time.monotonic() + 20
    while True:
        found = call(f"{server.url}/v1/commands")["commands"]
        if len(found) >= count and all(each["state"] in ("done", "parked") for each in found):
            assert len(found) == count
            return {f"{each['command']} {each['args'].get('type', '')}".strip(): each for each in found}
        assert time.monotonic() < until, found
        time.sleep(0.05)


def test_what_a_rule_says_happens_in_its_stead_once(server: ServerProcess) -> None:
    event = {"id": "1", "source": "cam", "type": "car.measured", "subject": "GX-700", "data": {"speed": 171}}
    call(f"{server.url}/v1/events", event)
    found = commands(server, 4)
    fine, note = found["fine"], found["note"]
    assert (fine["state"], note["state"]) == ("parked", "done")
    assert (note["key"], note["args"]) == ("GX-700", {"plate": "GX-700"})
    assert found["tell fine.undeliverable"]["args"]["key"] == "GX-700"
    assert found["tell office.told"]["args"]["key"] == "office"
    call(f"{server.url}/v1/commands/redrive", {"ids": [fine["id"]]})
    until = time.monotonic() + 20
    while call(f"{server.url}/v1/commands/{fine['id']}")["attempts"] < 2:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert commands(server, 4).keys() == found.keys()
    (root,) = call(f"{server.url}/v1/trace/{fine['id']}")["roots"]
    (traced,) = root["then"]
    assert [each["kind"] for each in traced["then"]] == ["result", "result", "fallback"]
    instead = traced["then"][2]["then"]
    assert sorted((each["kind"], each["what"]) for each in instead) == [
        ("command", "note"),
        ("forwarded", "fine.undeliverable"),
        ("forwarded", "office.told"),
    ]
    history = call(f"{server.url}/v1/commands/{fine['id']}")["history"]
    assert [(each["number"], each["outcome"]) for each in history] == [(1, "retry"), (2, "retry")]
    assert server.end(signal.SIGTERM) == 0
    verified = subprocess.run(  # what was put out in its stead follows from the log
        [*ORCHESTRATOR, "replay", "verify", "--log", server.log], capture_output=True, text=True, timeout=60
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
