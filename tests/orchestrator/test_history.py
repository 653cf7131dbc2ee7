"""Lists of events are bounded in bytes, too: what many of them take of the memory does not grow with the events."""

import json
from contextlib import closing

from orchestrator.history import MOST_BYTES, EventFilter, newest
from streams.backends.open import open_log
from streams.intake import Intake
from streams.log import Append
from tests.orchestrator.serving import now


def test_a_list_of_large_events_ends_early_and_goes_on() -> None:
    size, many = 200_000, 100
    with closing(open_log("memory://", partitions=2, now=now)) as log:
        for n in range(many):
            large = {"id": f"{n}", "source": "s", "type": "t", "subject": f"{n}"} | {
                "data" if n % 3 else "ext": "x" * size
            }
            log.append([Append(n % 2, [Intake().from_json(json.dumps(large).encode(), now())])])
        found: list[str] = []
        cursor = None
        while True:
            page = newest(log, EventFilter(), 1000, cursor)
            assert len(page.events) <= MOST_BYTES // size + 1
            found += [each.event.id for each in page.events]
            if (cursor := page.next) is None:
                break
        assert sorted(found, key=int) == [f"{n}" for n in range(many)]
