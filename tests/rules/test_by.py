"""`by` as a map: each event type has its own way to the key, and what is not named goes by the subject."""

from __future__ import annotations

import pytest

from rules.compile import compile_rules
from rules.load import load_sources
from rules.testing import given

RULES = """
ruleset: t
projections:
  orders:
    by: {payment.*: event.data.order, payment.refunded: "'refunds'"}
    fold:
      order.placed: {state: "'open'"}
      payment.received: {state: "'paid'"}
      payment.refunded: {state: "'back'"}
rules:
  remind:
    on: order.placed
    by: {payment.received: event.data.order}
    after: 48h
    unless: payment.received
    then: [{command: remind, to: t, args: {state: "${orders.state}"}}]
  listen:
    on: ['*', orchestrator.command.succeeded]
    by: {'*': event.data.order}
    then: [{command: heard, to: t}]
"""


@pytest.mark.parametrize("partitions", [1, 3, 8])
def test_each_type_finds_the_key_in_its_own_way(partitions: int) -> None:
    kit = given(RULES, partitions=partitions)
    for order in ("A", "B"):
        kit.event("order.placed", order, {"order": order})
    kit.event("payment.received", "P1", {"order": "A"}).event("payment.refunded", "P2", {"order": "C"}).advance("49h")
    assert kit.row("orders", "A") == {"state": "paid"}
    assert kit.row("orders", "refunds") == {"state": "back"}  # an exact type goes before a pattern
    assert kit.row("orders", "P1") is None
    assert kit.row("orders", "C") is None
    assert [(c.key, c.args) for c in kit.commands if c.rule == "remind"] == [("B", {"state": "open"})]
    assert [c.key for c in kit.commands if c.rule == "listen"] == ["A", "B", "A", "C"]


def test_a_pattern_in_by_is_about_business_events_alone() -> None:
    kit = given(RULES).event("orchestrator.command.succeeded", "the subject", {"order": "A"})
    assert [c.key for c in kit.commands] == ["the subject"]


def test_an_event_without_the_key_of_its_type_is_not_evaluated() -> None:
    kit = given(RULES).event("payment.received", "P1", {})
    reason = "`event.data.order` is absent"
    assert kit.not_evaluated == {"projection orders": reason, "remind": reason, "listen": reason}
    assert kit.commands == []


def test_the_order_of_the_entries_is_no_part_of_the_definition() -> None:
    other = RULES.replace(
        """{payment.*: event.data.order, payment.refunded: "'refunds'"}""",
        """{payment.refunded: "'refunds'", payment.*: event.data.order}""",
    )
    changed = RULES.replace("\"'refunds'\"", "\"'refund'\"")
    ids = [compile_rules(load_sources({"r.yaml": text})).projection_ids for text in (RULES, other, changed)]
    assert ids[0] == ids[1] != ids[2]
