"""`/v1/partitions` says of a partition what its owner would say, whichever process is asked."""

from streams import rfc3339
from streams.keys import partition_of
from streams.log import Log
from tests.conformance.backends import owned
from tests.orchestrator.serving import api
from tests.orchestrator.test_keys_route import blocked

TICK = 1_577_836_800_000_000


async def shown(log: Log, key: str) -> dict[str, object]:
    async with api(log) as (client, _):
        found = await (await client.get("/v1/partitions")).json()
    return found["partitions"][partition_of(key, 3)]  # type: ignore[no-any-return]


async def test_what_others_evaluate_is_shown_from_the_log() -> None:
    log, running, _ = blocked("A")
    running.tick(TICK).settle()
    found = await shown(log, "A")
    assert (found["state"], found["reason"], found["owner"]) == ("waiting", "nobody evaluates it", None)
    assert (found["blocked_keys"], found["clock"], found["not_evaluated"]) == (1, rfc3339.format(TICK), None)
    owned(log, partition_of("A", 3), "another")
    found = await shown(log, "A")
    assert (found["state"], found["reason"], found["owner"]) == ("elsewhere", None, "another")
