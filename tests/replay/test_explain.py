"""An event of the log is explained as it was met, under every key that it concerned."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from replay.explain import ExplainError, Found, in_file, in_log
from rules.compile import compile_rules
from rules.load import load_sources
from streams.backends.open import open_log
from streams.event import Event
from streams.outputs import Command
from tests.agent.running import HOUR, SECOND, Running, event
from tests.conformance.backends import Clock

RULES = """
ruleset: cards
projections:
  blocked: {fold: {card.blocked: {reason: event.data.reason}}, scope: everywhere}
  paid: {by: event.data.card, fold: {payment: {count: "(has(row.count) ? row.count : 0) + 1"}}}
rules:
  refuse:
    on: payment
    when: event.data.card in blocked && event.data.amount > 10
    then: [{command: refuse, to: bank}]
  third:
    on: payment
    by: event.data.card
    when: paid.count == 3
    then: [{command: thank, to: mail}]
"""
PROCESSOR = compile_rules(load_sources({"rules.yaml": RULES}))


def pay(customer: str, second: int, amount: float = 20) -> Event:
    return event("payment", customer, time=second * SECOND, id=f"p{second}", card="c1", amount=amount)


HISTORY = [
    pay("A", 1),
    event("card.blocked", "c1", time=2 * SECOND, id="b2", reason="stolen"),
    pay("B", 3),
    pay("C", 4, amount=5),
    pay("A", 5),
]


@pytest.fixture
def explain() -> Callable[..., Found]:
    clock = Clock()
    clock.now = 1_000_000 * HOUR
    log = open_log("memory://", partitions=8, now=clock)
    running = Running(log, PROCESSOR, clock).activate()
    for each in HISTORY:
        running.publish(each).settle()
    decided = [(output.rule, output.cause) for output in running.outputs() if isinstance(output, Command)]
    assert sorted(decided) == [("refuse", "p3"), ("refuse", "p5"), ("third", "p4")]

    def explain(id: str, source: str | None = None, only: str | None = None) -> Found:
        return in_log(log, id, source, lambda digest: PROCESSOR, only)

    return explain


def verdicts(found: Found) -> dict[str, str]:
    return {rule.rule: rule.verdict for key in found.explained.keys for rule in key.rules}


def test_each_event_meets_the_state_that_there_was_then(explain: Callable[..., Found]) -> None:
    met = {each.id: verdicts(explain(each.id)) for each in HISTORY}
    assert met == {
        "p1": {"refuse": "does not hold", "third": "does not hold"},
        "b2": {},
        "p3": {"refuse": "fired", "third": "does not hold"},
        "p4": {"refuse": "does not hold", "third": "fired"},
        "p5": {"refuse": "fired", "third": "does not hold"},
    }


def test_what_crosses_keys_is_looked_up_where_it_went(explain: Callable[..., Found]) -> None:
    found = explain("p4", only="third")
    (third,) = [rule for key in found.explained.keys for rule in key.rules]
    assert [(each.text, each.read) for each in third.comparisons] == [("paid.count == 3", (3, 3))]
    assert all(key.known for key in found.explained.keys)
    assert found.place.startswith("position 0.") or found.place.startswith("position 1.")


def test_an_event_that_is_not_there_is_an_error(explain: Callable[..., Found]) -> None:
    with pytest.raises(ExplainError, match="no event `p9` was evaluated in this log"):
        explain("p9")
    with pytest.raises(ExplainError, match="of source `other`"):
        explain("p4", source="other")


def test_a_file_of_events_is_a_history_too(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    lines = [
        {"specversion": "1.0", "id": each.id, "source": "test", "type": each.type, "subject": each.subject}
        | {"time": f"1970-01-01T00:00:0{each.time // SECOND}Z", "data": each.payload()}
        for each in HISTORY
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    assert verdicts(in_file(PROCESSOR, file, "p4", None, None)) == {"refuse": "does not hold", "third": "fired"}
    assert verdicts(in_file(PROCESSOR, file, pay("Z", 6), None, None))["refuse"] == "fired"
    assert verdicts(in_file(PROCESSOR, None, pay("Z", 6), None, None))["refuse"] == "does not hold"
    with pytest.raises(ExplainError, match="there is no event `p9`"):
        in_file(PROCESSOR, file, "p9", None, None)
