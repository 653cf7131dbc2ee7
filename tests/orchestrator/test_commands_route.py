"""`GET /v1/commands`: questions that make no sense are refused with what can be asked."""

import pytest

from tests.orchestrator.serving import api


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("status=parked", "there is no filter `status`: use state, to, rule, key, limit, cursor"),
        (
            "state=lost",
            "there is no state `lost`: use pending, in_flight, retrying, done, parked, cancelled, expired, shadow",
        ),
        ("state=done&state=parked", "`state` comes more than once: send it once"),
        ("limit=ten", "the limit `ten` is no number"),
        ("limit=0", "a limit of 0 is not possible: ask for 1 to 1000"),
        ("limit=1001", "a limit of 1001 is not possible: ask for 1 to 1000"),
        ("cursor=nonsense", "the cursor is none of ours: use `next` of the page before, unchanged"),
    ],
)
async def test_a_wrong_question_is_told_what_can_be_asked(query: str, detail: str) -> None:
    async with api() as (client, _):
        answer = await client.get(f"/v1/commands?{query}")
        assert (answer.status, answer.content_type) == (400, "application/problem+json")
        assert (await answer.json())["detail"] == detail


@pytest.mark.parametrize(
    "state", ["pending", "in_flight", "retrying", "done", "parked", "cancelled", "expired", "shadow"]
)
async def test_every_state_can_be_asked_for(state: str) -> None:
    async with api() as (client, _):
        answer = await client.get(f"/v1/commands?state={state}&to=a&rule=b&key=c&limit=5")
        assert (answer.status, await answer.json()) == (200, {"commands": [], "next": None})
