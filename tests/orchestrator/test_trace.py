"""A trace goes up to where it began and down to all that followed: rules, deadlines, forwards, commands, results."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout, web
from aiohttp.test_utils import TestServer

from orchestrator.cli.main import run
from tests.crash.processes import ServerProcess, serving

RULES = """
ruleset: shop
rules:
  pack:
    on: order.placed
    then:
      - command: pack
        to: depot
      - emit: order.packing
        data: {n: event.data.n}
  tell:
    on: order.packing
    then: [{command: tell, to: depot}]
  packed:
    on: orchestrator.command.succeeded
    when: event.data.command == 'pack'
    then: [{command: bill, to: depot}]
  customers:
    on: order.placed
    by: event.data.customer
    then: [{command: thank, to: depot}]
  late:
    on: order.placed
    after: 1s
    unless: {on: order.never}
    then: [{command: hurry, to: depot}]
"""


@pytest.fixture
async def depot() -> AsyncIterator[str]:
    async def take(request: web.Request) -> web.Response:
        command = await request.json()
        return web.Response(status=400 if command["command"] == "bill" else 200)

    app = web.Application()
    app.router.add_post("/", take)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("/"))
    await server.close()


@pytest.fixture
def server(tmp_path: Path, depot: str) -> Iterator[ServerProcess]:
    targets = f'targets:\n  depot: {{kind: webhook, url: "{depot}", alarm: off, allow: [127.0.0.1]}}\n'
    with serving(tmp_path, RULES, targets, ORCHESTRATOR_TICK_DELAY="0") as running:
        yield running


def shape(node: dict[str, Any]) -> Any:
    """Kind and name of a node, and of what followed."""
    return (node["kind"], node["what"], *(shape(each) for each in node["then"]))


WHOLE = (
    "event",
    "order.placed",
    ("forwarded", "order.placed", ("command", "thank", ("result", "orchestrator.command.succeeded"))),
    (
        "command",
        "pack",
        ("result", "orchestrator.command.succeeded", ("command", "bill", ("result", "orchestrator.command.parked"))),
    ),
    ("derived", "order.packing", ("command", "tell", ("result", "orchestrator.command.succeeded"))),
    ("command", "hurry", ("result", "orchestrator.command.succeeded")),
)


async def test_a_trace_tells_the_whole_story_whatever_part_of_it_is_asked_for(
    server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    async with ClientSession(server.url, timeout=ClientTimeout(total=60)) as http:
        event = {
            "id": "o1",
            "source": "till",
            "type": "order.placed",
            "subject": "A/1",
            "data": {"n": 1, "customer": "Ann"},
        }
        other = {**event, "id": "o2", "subject": "B", "data": {"n": 2, "customer": "Bob"}}
        same = {**other, "source": "web", "id": "o1"}
        async with http.post("/v1/events", json=[event, other, same]) as answer:
            assert answer.status == 202
            position = (await answer.json())["positions"][0]

        async def traced(id: str, **query: str) -> list[dict[str, Any]]:
            async with http.get(f"/v1/trace/{id}", params=query) as answer:
                assert answer.status == 200, await answer.text()
                found = await answer.json()
                assert found["complete"]
                roots: list[dict[str, Any]] = found["roots"]
                return roots

        async with asyncio.timeout(60):
            while shape((await traced("o1", source="till"))[0]) != WHOLE:  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.2)
        (whole,) = await traced("o1", source="till")
        assert {root["source"] for root in await traced("o1")} == {"till", "web"}
        assert shape((await traced(position))[0]) == WHOLE
        assert [shape(root) for root in await traced("A%2F1")] == [WHOLE]
        assert [shape(root) for root in await traced("Ann")] == [WHOLE]
        commands = {node["what"]: node for node in _all(whole) if node["kind"] == "command"}
        for name in ("pack", "bill", "tell", "thank", "hurry"):
            (root,) = await traced(commands[name]["id"])
            assert shape(root) == WHOLE, name
            assert [node["what"] for node in _all(root) if node["asked"]] == [name]
        bill = commands["bill"]
        assert (bill["state"], bill["attempts"], "400" in bill["reason"]) == ("parked", 1, True)
        async with http.get("/v1/trace/nothing") as answer:
            assert answer.status == 404
            assert "no command, event or key `nothing`" in (await answer.json())["detail"]

    def called(*arguments: str) -> str:
        assert run(["trace", *arguments, "--url", server.url]) == 0
        return capsys.readouterr().out

    shown = (await asyncio.to_thread(called, "o1", "--source", "till")).splitlines()
    assert shown[0].startswith("event order.placed o1 of A/1, from till, ")
    attempts = [line for line in shown if " attempt " in line and ": final" in line]
    assert len(attempts) == 1, "of the command that was refused"
    assert len(shown) - len(attempts) == len(list(_all(whole)))
    assert json.loads(await asyncio.to_thread(called, "o1", "--source", "till", "--json"))["roots"] == [whole]


def _all(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for each in node["then"]:
        yield from _all(each)
