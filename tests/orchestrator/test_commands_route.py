"""`GET /v1/commands`: questions that make no sense are refused with what can be asked."""

import pytest

from tests.orchestrator.serving import api


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("status=parked", "there is no parameter `status`: use state, to, rule, key, since, until, limit, cursor"),
        (
            "state=lost",
            "state: `lost` is not possible: choose pending, in_flight, retrying, waiting, done, parked, cancelled, "
            "expired or shadow",
        ),
        ("state=done&state=parked", "`state` comes more than once: send it once"),
        ("limit=ten", "limit: `ten` is not possible: write a whole number"),
        ("limit=0", "limit: `0` is not possible: choose at least 1"),
        ("limit=1001", "limit: `1001` is not possible: choose at most 1000"),
        ("cursor=nonsense", "the cursor is none of ours: use `next` of the page before, unchanged"),
    ],
)
async def test_a_wrong_question_is_told_what_can_be_asked(query: str, detail: str) -> None:
    async with api() as (client, _):
        answer = await client.get(f"/v1/commands?{query}")
        assert (answer.status, answer.content_type) == (400, "application/problem+json")
        assert (await answer.json())["detail"] == detail


@pytest.mark.parametrize(
    "state", ["pending", "in_flight", "retrying", "waiting", "done", "parked", "cancelled", "expired", "shadow"]
)
async def test_every_state_can_be_asked_for(state: str) -> None:
    async with api() as (client, _):
        answer = await client.get(f"/v1/commands?state={state}&to=a&rule=b&key=c&limit=5")
        assert (answer.status, await answer.json()) == (200, {"commands": [], "next": None})
