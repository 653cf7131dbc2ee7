"""A page of another site cannot act through a browser; what is no browser, and pages that are named, can."""

import pytest

from tests.orchestrator.serving import api

EVENT = b'{"id": "1", "source": "s", "type": "t"}'
JSON = {"Content-Type": "application/json"}
NAMED = "https://named.example"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://b.named.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
async def test_a_page_of_another_site_changes_nothing(headers: dict[str, str]) -> None:
    async with api(origins=[NAMED]) as (client, log):
        for path, type in (("/v1/events", "application/json"), ("/v1/commands/redrive", "text/plain")):
            answer = await client.post(path, data=EVENT, headers={"Content-Type": type, **headers})
            assert answer.status == 403
            assert answer.content_type == "application/problem+json"
            assert "another origin" in (await answer.json())["detail"]
        assert (await client.get("/health", headers=headers)).status == 200
        assert [log.tail(partition) for partition in range(log.info.partitions)] == [0, 0, 0]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy.example"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": NAMED},
        {"Origin": NAMED},
        {"Origin": "same"},
    ],
    ids=str,
)
async def test_everybody_else_is_served(headers: dict[str, str]) -> None:
    async with api(origins=[NAMED]) as (client, _):
        ours = str(client.make_url("")).rstrip("/")
        sent = {name: ours if value == "same" else value for name, value in headers.items()}
        answer = await client.post("/v1/events", data=EVENT, headers={**JSON, **sent})
        assert answer.status == 202
