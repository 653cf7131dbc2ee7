"""/v1/imports: one importer at a time, numbered lines, and nothing stored twice."""

import json

import pytest

from streams.event import MODE, TICK
from tests.orchestrator.serving import api

DIGEST = "ab" * 32
PATH = f"/v1/imports/{DIGEST}"


def lines(*numbers: int) -> bytes:
    events = [
        {"id": str(n), "source": "s", "type": "t", "subject": f"k{n}", "time": "2020-01-01T00:00:00Z"} for n in numbers
    ]
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


async def test_opening_sets_every_partition_importing_and_a_second_importer_is_refused() -> None:
    async with api() as (client, log):
        first = await (await client.put(PATH)).json()
        assert first["state"] == "open"
        assert [log.read(p, 0, 10).events[0].type for p in range(3)] == [MODE] * 3
        for path in (PATH, "/v1/imports/" + "cd" * 32):
            refused = await client.put(path)
            assert refused.status == 409
            assert "Retry-After" in refused.headers


async def test_lines_sent_again_are_known_and_a_gap_is_refused() -> None:
    async with api() as (client, log):
        lease = {"Import-Lease": (await (await client.put(PATH)).json())["lease"]}
        sent = await client.post(PATH + "/events?line=1", data=lines(1, 2) + b"\n" + lines(4), headers=lease)
        assert (sent.status, (await sent.json())["stored"]) == (202, 3)
        again = await (await client.post(PATH + "/events?line=1", data=lines(1, 2), headers=lease)).json()
        assert (again["stored"], again["known"], again["next_line"]) == (0, 2, 5)
        gap = await client.post(PATH + "/events?line=9", data=lines(9), headers=lease)
        assert gap.status == 409
        assert "line 5" in (await gap.json())["detail"]
        stored = [event.id for p in range(3) for event in log.read(p, 0, 100).events if event.type == "t"]
        assert sorted(stored) == ["1", "2", "4"]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"{", "line 2"),
        (b'{"id": "2", "source": "s", "type": "t"}', "`time` is missing"),
        (b'{"id": "2", "source": "s", "type": "t", "time": "2099-01-01T00:00:00Z"}', "ahead of the clock"),
        (b'{"id": "2", "source": "s", "type": "orchestrator.tick", "time": "2020-01-01T00:00:00Z"}', "system's own"),
    ],
)
async def test_a_bad_line_is_named_and_its_batch_not_stored(bad: bytes, said: str) -> None:
    async with api() as (client, log):
        lease = {"Import-Lease": (await (await client.put(PATH)).json())["lease"]}
        answer = await client.post(PATH + "/events?line=1", data=lines(1) + bad, headers=lease)
        found = await answer.json()
        assert (answer.status, found["line"]) == (400, 2)
        assert said in found["detail"]
        assert all(event.type == MODE for p in range(3) for event in log.read(p, 0, 10).events)


async def test_without_the_lease_nothing_is_taken_and_nothing_finished() -> None:
    async with api() as (client, log):
        assert (await client.get(PATH)).status == 404
        for header, status in (({}, 400), ({"Import-Lease": "made up"}, 409)):
            sent = await client.post(PATH + "/events?line=1", data=lines(1), headers=header)
            assert sent.status == status
            assert (await client.post(PATH + "/finish", json={}, headers=header)).status == status
        assert (await client.put("/v1/imports/nonsense")).status == 400
        assert log.tail(0) == 0


async def test_wrong_requests_name_the_field() -> None:
    async with api() as (client, log):
        lease = {"Import-Lease": (await (await client.put(PATH)).json())["lease"]}
        for query, body, field in (
            ("/events", b"", "line"),
            ("/events?line=0", b"", "line"),
            ("/finish", b'{"until": "soon"}', "until"),
            ("/finish", b'{"til": 1}', "til"),
        ):
            answer = await client.post(PATH + query, data=body, headers=lease)
            assert (answer.status, (await answer.json())["field"]) == (400, field)
        assert all(event.type != TICK for p in range(3) for event in log.read(p, 0, 10).events)
