"""Blocked keys are seen and freed over HTTP and from the command line."""

import asyncio
import json
import time

import pytest

from orchestrator.cli.main import run
from streams.backends.open import open_log
from streams.keys import partition_of
from streams.log import Log
from tests.agent.running import PoisonedBy, Running, counting, event
from tests.orchestrator.serving import api


def now() -> int:
    return time.time_ns() // 1000


def blocked(*keys: str) -> tuple[Log, Running, PoisonedBy]:
    """A log in which an event of each key could not be evaluated, and two more wait."""
    rules = PoisonedBy(counting())
    running = Running(open_log("memory://", partitions=3, now=now), rules, now).activate()
    for key in keys:
        running.publish(
            event("bad", key, now(), id=f"bad-{key}", why=[1]), event("paid", key, now()), event("paid", key, now())
        )
    return running.log, running.settle(), rules


async def test_blocked_keys_are_listed_page_by_page_with_what_is_parked_and_why() -> None:
    keys = ["A", "a/b?c", "Zürich", "", "C.d", "E"]
    log, _, _ = blocked(*keys)
    async with api(log) as (client, _):
        seen, cursor = [], None
        while True:
            answer = await client.get(
                "/v1/keys/blocked", params={"limit": "2", **({"cursor": cursor} if cursor else {})}
            )
            page = await answer.json()
            seen += page["keys"]
            if (cursor := page["next"]) is None:
                break
        assert sorted(each["key"] for each in seen) == sorted(keys)
        first = next(each for each in seen if each["key"] == "A")
        partition = partition_of("A", 3)
        assert (first["partition"], first["waiting"], first["reason"]) == (partition, 2, "a bug")
        assert (first["event"]["id"], first["event"]["type"]) == ("bad-A", "bad")
        assert first["event"]["position"].startswith(f"1.{partition}.")


async def test_a_key_is_unparked_when_the_cause_is_mended_or_its_event_skipped() -> None:
    log, running, rules = blocked("A", "B")
    async with api(log) as (client, _):
        answer = await client.post("/v1/keys/skip", json={"key": "A"})
        assert answer.status == 202
        running.settle()
        assert running.row("totals", "A") == {"count": 2}
        answer = await client.post("/v1/keys/unpark", json={"key": "B"})
        assert answer.status == 202
        running.settle()
        assert running.row("totals", "B") is None, "it is parked again"
        rules.cured = True
        answer = await client.post("/v1/keys/unpark", json={"key": "B"})
        running.settle()
        assert running.row("totals", "B") == {"count": 2}
        assert (await (await client.get("/v1/keys/blocked")).json())["keys"] == []
        answer = await client.post("/v1/keys/unpark", json={"key": "B"})
        assert answer.status == 404


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/keys/blocked?limit=0", "limit"),
        ("/v1/keys/blocked?limit=none", "limit"),
        ("/v1/keys/blocked?cursor=x", "cursor"),
        ("/v1/keys/blocked?cursor=-1.bA", "cursor"),
        ("/v1/keys/blocked?state=x", "state"),
    ],
)
async def test_wrong_questions_name_the_parameter(path: str, field: str) -> None:
    async with api() as (client, _):
        answer = await client.get(path)
        assert (answer.status, (await answer.json())["field"]) == (400, field)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"key": 1}', b'{"keys": "A"}', b'{"key": "A", "x": 1}', b"{"])
async def test_wrong_bodies_are_refused(body: bytes) -> None:
    async with api() as (client, _):
        for action in ("unpark", "skip"):
            assert (await client.post(f"/v1/keys/{action}", data=body)).status == 400


async def test_operators_list_and_free_keys_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    log, running, _ = blocked("A")
    async with api(log) as (client, _):
        url = ["--url", str(client.make_url("")).rstrip("/")]
        assert await asyncio.to_thread(run, ["parked", "list", *url]) == 0
        shown = capsys.readouterr().out
        assert "bad-A" in shown
        assert "a bug" in shown
        assert await asyncio.to_thread(run, ["parked", "list", "--json", *url]) == 0
        (listed,) = map(json.loads, capsys.readouterr().out.splitlines())
        assert "data" not in listed["event"]
        assert await asyncio.to_thread(run, ["parked", "show", "A", "--json", *url]) == 0
        whole = json.loads(capsys.readouterr().out)
        assert whole["event"].pop("data") == {"why": [1]}
        assert whole["event"].items() >= listed["event"].items()
        assert {**whole, "event": None} == {**listed, "event": None}
        assert await asyncio.to_thread(run, ["parked", "show", "A", *url]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f"key A in partition {listed['partition']}: 2 events behind it"
        assert lines[1] == "reason: a bug"
        assert json.loads("\n".join(lines[2:]))["id"] == "bad-A"
        assert await asyncio.to_thread(run, ["parked", "show", "B", *url]) == 3
        assert "no event of the key `B` is parked" in capsys.readouterr().err
        assert await asyncio.to_thread(run, ["parked", "skip", "A", "--json", *url]) == 0
        assert json.loads(capsys.readouterr().out)["action"] == "skip"
        running.settle()
        assert running.row("totals", "A") == {"count": 2}
        assert await asyncio.to_thread(run, ["parked", "skip", "A", *url]) == 3
