"""Rule sets are kept by the log and activated once, and a replay finds them there."""

import gc
import weakref

import pytest

from orchestrator.activation import Processors, activate, active
from rules.load import load_sources
from streams.backends.open import open_log
from streams.log import LogDamaged
from streams.worker import Worker

RULES = """
ruleset: {name}
projections:
  totals:
    fold:
      paid: {{amount: event.data.amount}}
"""


@pytest.fixture
def log():
    log = open_log("memory://", partitions=3, now=lambda: 1)
    yield log
    log.close()


def rules(name="one"):
    return load_sources({"rules.yaml": RULES.format(name=name)})


def evaluate(log):
    for partition in range(3):
        lease = log.acquire(partition, "test", 10)
        worker = Worker(log, lease, Processors(log), budget=1_000_000)
        while worker.work(100):
            pass


def test_a_rule_set_is_activated_in_every_partition_once(log):
    assert activate(log, rules(), lambda: 1) == [0, 1, 2]
    evaluate(log)
    assert [active(log, partition) for partition in range(3)] == [rules().digest] * 3
    assert activate(log, rules(), lambda: 2) == []


def test_a_changed_file_is_another_activation(log):
    activate(log, rules(), lambda: 1)
    evaluate(log)
    assert activate(log, rules("two"), lambda: 1) == [0, 1, 2]


def test_an_active_rule_set_is_found_in_the_log_without_its_files(log):
    activate(log, rules(), lambda: 1)
    assert Processors(log)(rules().digest).ruleset == rules()


def test_a_rule_set_that_the_log_lost_is_damage(log):
    with pytest.raises(LogDamaged, match="does not hold it"):
        Processors(log)("0" * 32)


def test_an_activation_that_waits_in_the_log_does_not_win_over_the_files_of_the_next_start(log):
    """Started with other rules, stopped before they were evaluated, started with the first again."""
    activate(log, rules("one"), lambda: 1)
    evaluate(log)
    activate(log, rules("two"), lambda: 1)
    assert activate(log, rules("one"), lambda: 1) == [0, 1, 2]
    evaluate(log)
    assert [active(log, partition) for partition in range(3)] == [rules("one").digest] * 3
    assert activate(log, rules("one"), lambda: 1) == []


def test_a_compiled_set_is_kept_for_a_while_after_it_was_asked_for_and_for_as_long_as_it_is_used(log):
    now = [0.0]
    one, two = rules("one"), rules("two")
    for ruleset in (one, two):
        log.put_document(ruleset.digest, ruleset.document)
    processors = Processors(log, kept=300.0, monotonic=lambda: now[0])
    compiled = weakref.ref(processors(one.digest))
    used = processors(two.digest)
    now[0] = 299.0
    assert processors(one.digest) is compiled()
    now[0] = 700.0
    assert processors(two.digest) is used, "somebody uses it"
    gc.collect()
    assert compiled() is None
    assert processors(one.digest).ruleset == one


def test_only_so_many_compiled_sets_are_kept_though_nobody_has_a_clock(log):
    processors = Processors(log)
    kept = []
    for number in range(20):
        ruleset = rules(f"r{number}")
        log.put_document(ruleset.digest, ruleset.document)
        kept.append(weakref.ref(processors(ruleset.digest)))
    gc.collect()
    assert [each() is not None for each in kept] == [False] * 4 + [True] * 16
