"""The engine of a server: events in, rows out, over a restart, without HTTP."""

import threading
import time

import msgspec
import pytest
from structlog.testing import capture_logs

from orchestrator.settings import load
from orchestrator.wiring import Engine
from rules.load import load_sources
from streams.event import Event, fingerprint
from streams.keys import partition_of
from streams.log import Append, Fork

RULES = """
ruleset: totals
projections:
  totals:
    fold:
      paid: {amount: event.data.amount}
"""


DEADLINE = """
rules:
  late:
    on: paid
    after: 1d
    then: [{command: look, to: log}]
"""


def paid(key, amount):
    raw = msgspec.Raw(msgspec.json.encode({"amount": amount}))
    return Event("paid", 1, key, key, "test", f"{key}{amount}", fingerprint("test", f"{key}{amount}"), raw)


def wait_for(question, seconds=20.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if (answer := question()) is not None:
            return answer
        time.sleep(0.01)
    pytest.fail("it did not happen in time")


@pytest.fixture
def engine(tmp_path):
    made = []

    def make(text=RULES, wrap=lambda log: log):
        settings = load(log=f"sqlite:///{tmp_path}/log.db", partitions=3)
        engine = Engine(settings, load_sources({"rules.yaml": text}), lambda name, value: None, wrap=wrap)
        engine.start()
        made.append(engine)
        return engine

    def stop():
        engine = made.pop()
        engine.stop_agent()
        engine.close()

    make.stop = stop
    yield make
    while made:
        stop()


def row(engine, key):
    found = engine.queries.row("totals", key)
    return None if found is None else found.row


def test_an_event_becomes_a_row_and_is_there_after_a_restart(engine):
    first = engine()
    first.log.append([Append(partition_of("A", 3), [paid("A", 7)])])
    assert wait_for(lambda: row(first, "A")) == {"amount": 7}
    assert wait_for(lambda: None if first.waiting_for() else True)
    assert first.problems() == []
    engine.stop()
    second = engine()
    assert second.activated == []
    assert row(second, "A") == {"amount": 7}
    second.log.append([Append(partition_of("A", 3), [paid("A", 8)])])
    assert wait_for(lambda: row(second, "A") if row(second, "A") != {"amount": 7} else None) == {"amount": 8}


def test_changed_rules_are_activated_and_a_changed_projection_begins_empty(engine):
    first = engine()
    first.log.append([Append(partition_of("A", 3), [paid("A", 7)])])
    wait_for(lambda: row(first, "A"))
    engine.stop()
    with capture_logs() as logs:
        second = engine(RULES.replace("event.data.amount", "event.data.amount * 2"))
    assert second.activated == [0, 1, 2]
    assert [each["parts"] for each in logs if "begin empty" in each["event"]] == [["projection `totals`"]]
    second.log.append([Append(partition_of("A", 3), [paid("A", 8)])])
    assert wait_for(lambda: row(second, "A")) == {"amount": 16}


def test_rules_that_mean_the_same_keep_what_they_know(engine):
    first = engine(RULES + DEADLINE)
    first.log.append([Append(partition_of("A", 3), [paid("A", 7)])])
    wait_for(lambda: row(first, "A"))
    engine.stop()
    with capture_logs() as logs:
        second = engine(RULES + DEADLINE.replace("after: 1d", "after: 2d") + "# a remark\n")
    assert row(second, "A") == {"amount": 7}
    assert [each["parts"] for each in logs if "begin empty" in each["event"]] == [["deadline of rule `late`"]]


class Forked:
    """A log that lost events twice: two hours ago, and a minute ago."""

    def __init__(self, log):
        self._log = log
        now = log.now()
        self.forks = [Fork(2, 0, 7, now - 7_200_000_000), Fork(3, 1, 5, now - 60_000_000)]

    def __getattr__(self, name):
        return getattr(self._log, name)


def test_that_the_log_lost_events_is_shown_for_an_hour(engine):
    (problem,) = engine(wrap=Forked).problems()
    assert "partition 1 beyond offset 5" in problem
    assert "generation 3" in problem


@pytest.mark.parametrize(("setting", "longest"), [("1.0", 0.01), ("2ms", 0.002), ("0", 0.0)])
def test_events_wait_for_others_no_longer_than_the_setting_says_and_never_long(tmp_path, setting, longest):
    settings = load(log=f"sqlite:///{tmp_path}/log.db", partitions=1, batch_timeout=setting)
    engine = Engine(settings, load_sources({"rules.yaml": RULES}), lambda name, value: None)
    engine.log.append([Append(0, [paid(f"{number}", 1) for number in range(1000)])])
    waited = []

    class Stop(threading.Event):
        def wait(self, timeout=None):
            waited.append(timeout)
            self.set()
            return True

    engine.agent.run(Stop())
    engine.close()
    assert waited == [longest]
