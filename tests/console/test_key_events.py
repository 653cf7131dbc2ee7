"""The history of a key: all its events, newest first, however the log is cut, and how far it was looked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.console import key_events as module
from orchestrator.console.key_events import key_events
from streams.backends.open import open_log
from streams.event import FORWARDED, Event, Forwarded, control, fingerprint
from streams.keys import partition_of
from streams.log import Append, Log


def event(key: str, id: str, data: bytes = b"{}") -> Event:
    return Event("t", 1_700_000_000_000_000, key, key, "s", id, fingerprint("s", id), msgspec.Raw(data))


@pytest.fixture
def log() -> Iterator[Log]:
    with closing(open_log("memory://", partitions=1, now=lambda: 0)) as opened:
        yield opened


@given(keys=st.lists(st.sampled_from("abc"), max_size=60), found=st.integers(1, 5), looked=st.integers(1, 9))
def test_pages_put_together_are_all_events_of_the_key(keys: list[str], found: int, looked: int) -> None:
    with closing(open_log("memory://", partitions=1, now=lambda: 0)) as log, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_FOUND", found)
        patch.setattr(module, "MOST_LOOKED_AT", looked)
        patch.setattr(module, "_PAGE", 4)
        for number, key in enumerate(keys):
            log.append([Append(0, [event(key, str(number))])])
        ids: list[str] = []
        total, before, calls = 0, None, 0
        while calls < 200:
            page = key_events(log, "a", before)
            ids += [each["id"] for each in page.events]
            total, before, calls = total + page.looked, page.before, calls + 1
            if before is None:
                break
        assert ids == [str(number) for number, key in enumerate(keys) if key == "a"][::-1]
        assert total <= len(keys)


def test_an_event_that_was_forwarded_to_the_key_is_shown_as_what_it_was(log: Log) -> None:
    sent = Forwarded("route", 3, 7, event("other", "e1", b'{"a":1}'))
    log.append([Append(0, [control(FORWARDED, sent, time=5, key="mine")])])
    (found,) = key_events(log, "mine").events
    assert (found["id"], found["type"], found["data"]) == ("e1", "t", {"a": 1})
    assert found["kind"] == "forwarded from partition 3"
    assert found["position"] == "1.0.1"


def test_data_that_are_no_json_are_shown_as_text(log: Log) -> None:
    log.append([Append(0, [event("k", "e1", b'"\\ud800"')])])
    (found,) = key_events(log, "k").events
    assert found["data"] == '"\\ud800"'


def test_a_key_without_events_was_looked_for_to_the_beginning(log: Log) -> None:
    assert key_events(log, "k") == ([], 0, None, None)
    log.append([Append(0, [event("j", "e1")])])
    page = key_events(log, "k")
    assert (page.events, page.looked, page.before) == ([], 1, None)
    assert partition_of("k", 1) == 0
