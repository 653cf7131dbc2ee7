"""What is wrong is said in words, and only what a restart may mend asks for one."""

import pytest

from tests.orchestrator.serving import api


@pytest.mark.parametrize(
    ("problems", "stalled", "status", "word"),
    [
        ([], [], 200, "ok"),
        (["target police: no answer"], [], 200, "degraded"),
        (["target police: no answer"], ["evaluation of partition 2: stands at 7"], 503, "failing"),
    ],
)
async def test_health_is_failing_only_where_something_hangs(
    problems: list[str], stalled: list[str], status: int, word: str
) -> None:
    async with api(problems=problems, stalled=stalled) as (client, _):
        answer = await client.get("/health")
        found = await answer.json()
        assert (answer.status, found["status"], found["problems"]) == (status, word, [*problems, *stalled])
