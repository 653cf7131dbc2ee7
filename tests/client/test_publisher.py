"""Publishing in the background: batches by count and age, bounded, in order, and nothing dropped in silence."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator_client import (
    Client,
    ClientError,
    Event,
    EventError,
    NotPublished,
    Publisher,
    Queue,
    QueueFull,
    Refusal,
    Spool,
)
from tests.client.either import Either, Kind
from tests.client.speaking import Handler, Speaking, hangs_up, problem, takes


def event(number: int) -> Event:
    return Event("t", "s", id=f"e{number}")


def sent(server: Speaking) -> list[str]:
    return [id for asked in server.asked for id in asked.ids]


def eventually(publisher: Either, holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
        publisher.sleep(0.01)


def refuses(*ids: str, named: bool = True) -> Handler:
    """Takes what holds none of these; else says which, or only that there is one."""

    async def handler(request):  # type: ignore[no-untyped-def]
        import json

        found = [each["id"] for each in json.loads(await request.read())]
        bad = [place for place, id in enumerate(found) if id in ids]
        if not bad:
            return await takes(request)
        return await problem(400, "it is bad", **({"index": bad[0]} if named else {}))(request)

    return handler


def test_what_waits_goes_together_and_in_order(kind: Kind, client: Either, server: Speaking) -> None:
    publisher = kind.publisher(client, age=0.2)
    for number in range(100):
        publisher.publish(event(number))
    publisher.close()
    assert len(server.asked) <= 2
    assert sent(server) == [f"e{number}" for number in range(100)]


def test_a_full_batch_does_not_wait_and_a_small_one_waits_no_longer_than_told(
    kind: Kind, client: Either, server: Speaking
) -> None:
    publisher = kind.publisher(client, batch=10, age=60)
    publisher.publish(*map(event, range(10)))
    eventually(publisher, lambda: len(server.asked) == 1)
    publisher.publish(event(10))
    publisher.sleep(0.2)
    assert len(server.asked) == 1
    publisher.close()
    assert [len(asked.ids) for asked in server.asked] == [10, 1]
    aged = kind.publisher(client, age=0.1)
    aged.publish(event(11))
    eventually(aged, lambda: len(server.asked) == 3)
    aged.close()


def test_flush_returns_when_everything_is_there(kind: Kind, client: Either, server: Speaking) -> None:
    publisher = kind.publisher(client, age=60)
    publisher.publish(*map(event, range(1200)))
    publisher.flush()
    assert sent(server) == [f"e{number}" for number in range(1200)]
    assert len(publisher) == 0
    publisher.close()


def test_a_server_that_is_away_is_tried_until_it_is_back(kind: Kind, client: Either, server: Speaking) -> None:
    server.stop()
    publisher = kind.publisher(client, age=0.0)
    publisher.publish(*map(event, range(3)))
    eventually(publisher, lambda: publisher.last_error is not None)
    with pytest.raises(NotPublished, match=r"3 events are not published yet: .* cannot be reached") as raised:
        publisher.flush(0.1)
    assert raised.value.waiting == 3
    server.start()
    server.script.extend([hangs_up, problem(429, retry_after="0"), problem(401, "who are you?")])
    publisher.flush()
    assert publisher.last_error is None
    assert sent(server)[-3:] == ["e0", "e1", "e2"]
    publisher.close()


def test_a_full_queue_blocks_until_there_is_room_and_then_says_so(kind: Kind, client: Either, server: Speaking) -> None:
    server.stop()
    publisher = kind.publisher(client, Queue(5), age=0.0)
    publisher.publish(*map(event, range(5)))
    began = time.monotonic()
    with pytest.raises(QueueFull, match="5 events wait"):
        publisher.publish(event(5), timeout=0.2)
    assert time.monotonic() - began >= 0.2
    server.start()
    publisher.publish(event(6), timeout=30)
    publisher.close()
    assert sent(server) == [f"e{number}" for number in (0, 1, 2, 3, 4, 6)]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("bad", [{"e0"}, {"e9"}, {"e3", "e4", "e7"}, {f"e{n}" for n in range(10)}])
def test_what_the_server_never_takes_is_told_of_and_the_rest_goes_on_in_order(
    kind: Kind, client: Either, server: Speaking, bad: set[str], named: bool
) -> None:
    server.usual = refuses(*bad, named=named)
    publisher = kind.publisher(client, age=60)
    publisher.publish(*map(event, range(10)))
    with pytest.raises(NotPublished, match=f"{len(bad)} events were refused, the first because it is bad") as raised:
        publisher.close()
    assert raised.value.waiting == 0
    assert {f"e{n}" for n in range(10) for each in raised.value.refused if f'"e{n}"' in each.event.decode()} == bad
    taken = [id for asked in server.asked if not bad & set(asked.ids) for id in asked.ids]
    assert taken == [f"e{n}" for n in range(10) if f"e{n}" not in bad]


def test_who_asks_to_be_told_of_refusals_is_told(kind: Kind, client: Either, server: Speaking) -> None:
    server.usual = refuses("e1")
    told: list[Refusal] = []
    publisher = kind.publisher(client, refused=told.append)
    publisher.publish(*map(event, range(3)))
    publisher.close()
    assert [each.problem.detail for each in told] == ["it is bad"]


def test_an_event_that_is_none_is_refused_where_it_is_handed_over(kind: Kind, client: Either) -> None:
    publisher = kind.publisher(client)
    with pytest.raises(EventError):
        publisher.publish(event(1), Event("t", ""))
    publisher.close()
    with pytest.raises(ClientError):
        publisher.publish(event(1))


def test_what_is_left_in_a_spool_is_sent_by_the_next_publisher(
    kind: Kind, client: Either, server: Speaking, tmp_path: Path
) -> None:
    server.stop()
    with Spool(tmp_path / "spool") as spool:
        publisher = kind.publisher(client, spool)
        publisher.publish(*map(event, range(3)))
        with pytest.raises(NotPublished):
            publisher.close(0.2)
    server.start()
    with Spool(tmp_path / "spool") as spool:
        assert len(spool) == 3
        publisher = kind.publisher(client, spool)
        publisher.publish(event(3))
        publisher.close()
        assert sent(server) == ["e0", "e1", "e2", "e3"]
        assert len(spool) == 0


def test_a_spool_keeps_what_the_server_never_takes(
    kind: Kind, client: Either, server: Speaking, tmp_path: Path
) -> None:
    server.usual = refuses("e1")
    with Spool(tmp_path / "spool") as spool:
        publisher = kind.publisher(client, spool, refused=lambda refusal: None)
        publisher.publish(*map(event, range(3)))
        publisher.close()
        assert len(spool) == 0
    kept = (tmp_path / "spool" / "refused.jsonl").read_text()
    assert "it is bad" in kept
    assert '\\"e1\\"' in kept
    assert len(kept.splitlines()) == 1


def test_what_breaks_in_the_background_is_raised_to_who_publishes(
    kind: Kind, client: Either, server: Speaking, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool")
    publisher = kind.publisher(client, spool, age=0.0)
    spool.close()
    with pytest.raises(ClientError, match="is closed"):
        publisher.publish(event(1))
    with pytest.raises(ClientError, match="closed"):
        spool.put([b"{}"])
    publisher.close()


def test_threads_share_a_publisher_and_each_keeps_its_order(server: Speaking) -> None:
    with Client(server.url) as client, Publisher(client, Queue(100), batch=50, age=0.0) as publisher:

        def produce(name: str) -> None:
            for number in range(200):
                publisher.publish(Event("t", name, id=f"{name}-{number}"))

        threads = [threading.Thread(target=produce, args=(name,)) for name in "abcdefgh"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = sent(server)
    assert len(found) == 1600
    for name in "abcdefgh":
        assert [id for id in found if id[0] == name] == [f"{name}-{number}" for number in range(200)]


def test_a_batch_of_nothing_is_refused(kind: Kind, client: Either) -> None:
    with pytest.raises(ValueError, match="a batch of 0 events"):
        kind.publisher(client, batch=0)
