"""What `rules check -v` says: which index finds a rule, and what is kept of each key."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.compile import compile_rules, compiled
from rules.compile.index import WORTH
from rules.compile.index_use import IndexUse, index_uses
from rules.given import completed, event_of
from rules.growth import growth
from rules.load import load_sources
from rules.ruleset import RuleSet
from rules.simulation import Simulation
from streams import duration
from streams.state import encode_cell


def loaded(text: str) -> RuleSet:
    return load_sources({"rules.yaml": f"ruleset: t\n{text}"})


def uses(text: str) -> list[IndexUse]:
    ruleset = loaded(text)
    return list(index_uses(ruleset, compiled(ruleset).plans))


def pinned(number: int) -> str:
    rule = "  r{0}: {{on: payment, when: event.data.card == 'c{0}', then: [{{alert: x}}]}}\n"
    return "rules:\n" + "".join(rule.format(n) for n in range(number))


def test_rules_that_pin_one_field_are_looked_up_and_the_others_are_tested() -> None:
    others = """
  big: {on: [payment, refund], when: event.data.n > 1, then: [{alert: x}]}
  all: {on: '*', then: [{alert: x}]}
  off: {on: payment, enabled: false, then: [{alert: x}]}
"""
    found = uses(pinned(WORTH) + others)
    assert found[0] == IndexUse("r0", "payment", "index", "event.data.card", WORTH)
    assert [each.how for each in found[:WORTH]] == ["index"] * WORTH
    assert found[WORTH:] == [
        IndexUse("big", "payment", "tested", "", WORTH + 2),
        IndexUse("big", "refund", "tested", "", 2),
        IndexUse("all", "*", "always", "", 1),
    ]


def test_below_the_number_that_is_worth_an_index_all_are_tested() -> None:
    assert {each.how for each in uses(pinned(WORTH - 1))} == {"tested"}


def test_a_sequence_is_found_by_what_opens_it() -> None:
    steps = "sequence: [{first: {on: payment, when: event.data.card == 'c1'}}, {then: {on: refund}}], within: 5m"
    found = uses(f"{pinned(WORTH)}  s: {{{steps}, then: [{{alert: x}}]}}\n")
    assert found[WORTH] == IndexUse("s", "payment", "index", "event.data.card", WORTH + 1)


KEEPING = """
events: {order.placed: {total: number, customer: string}}
projections:
  orders: {fold: {order.placed: {total: event.data.total, customer: event.data.customer}}}
  short: {fold: {order.placed: {n: "1"}}, keep: 90d, delete: [order.closed]}
rules:
  late: {on: order.placed, after: 36h, unless: order.paid, then: [{alert: x}]}
  first: {on: order.placed, after: 2w, pending: first, then: [{alert: x}]}
  once: {on: order.placed, once: true, keep: 400d, then: [{alert: x}]}
  ever: {on: order.placed, once: true, then: [{alert: x}]}
  off: {on: order.placed, once: true, enabled: false, then: [{alert: x}]}
"""


def test_what_is_kept_of_a_key_is_told_with_its_end() -> None:
    assert [(each.owner, each.per_key, each.until) for each in growth(loaded(KEEPING))] == [
        ("projection orders", "one row", "for ever"),
        ("projection short", "one row", "order.closed or 90d without an event"),
        ("rule late", "a deadline for each opening event", "1d12h later, or cancelled"),
        ("rule first", "one deadline", "14d later"),
        ("rule once", "the last firing", "the next one"),
        ("rule ever", "the last firing", "for ever"),
    ]


LOOKING = """
events: {failed: {ip: string, amount: number}, granted: {ip: string}}
rules:
  guessed:
    sequence: [{failed: {on: failed}}, {granted: {on: granted, when: granted.data.ip != failed.data.ip}}]
    within: 5m
    then: [{alert: x}]
  settled: {on: failed, let: {n: event.data.amount}, settle: 30s, then: [{alert: "${n}"}]}
  exact: {on: failed, over: 10m, having: sum(event.data.amount) > 10, then: [{alert: x}]}
  stepped: {on: failed, over: {sliding: 24h, step: 1h}, having: distinct(event.data.ip) > 1, then: [{alert: x}]}
  last: {on: failed, over: {last: 20}, having: avg(event.data.amount) > 1, then: [{alert: x}]}
  tumbling: {on: failed, over: {tumbling: 1h, limit: 50}, having: distinct(event.data.ip) > 5, then: [{alert: x}]}
"""


def test_windows_sequences_and_settling_tell_how_many_elements_a_key_can_have() -> None:
    assert [(each.owner.removeprefix("rule "), each.per_key, each.until) for each in growth(loaded(LOOKING))] == [
        ("guessed", "up to 1,000 open matches", "5m after the first event, or when it ends"),
        ("settled", "the last firing", "30s of quiet"),
        ("exact", "up to 10,000 events", "10m later"),
        ("stepped", "25 buckets, 10,000 values apart", "1d later"),
        ("last", "the last 20 events", "for ever"),
        ("tumbling", "each open window, 50 values apart", "its end"),
    ]


def test_what_a_match_keeps_is_estimated_by_what_later_steps_read() -> None:
    def size(read: str) -> int:
        text = LOOKING.replace("granted.data.ip != failed.data.ip", read)
        return next(each.bytes for each in growth(loaded(text)) if each.owner == "rule guessed")

    assert size("granted.data.ip != ''") < size("failed.data.amount > 1") < size("failed.data.ip != ''")
    assert size("failed.data.ip != ''") < size("size(failed.data) > 1")


@pytest.mark.parametrize(("rules", "type"), [(KEEPING, "order.placed"), (LOOKING, "failed")])
def test_estimates_are_what_cells_really_take_within_a_factor_of_two(rules: str, type: str) -> None:
    simulation = Simulation(compile_rules(loaded(rules)))
    data = {"total": 12.5, "customer": "a customer's name", "ip": "2001:db8:1::ab9:C0A8:102", "amount": 12.5}
    event = {"type": type, "subject": "A-1", "source": "https://shop.example", "time": "2026-01-01T00:00:00Z"}
    event |= {"id": "2f5b62a1-6c51-4b36-9a4c-3d1f0f6d9d8e", "data": data}
    simulation.event(event_of(completed(event, 1)))
    said = sum(each.bytes for each in growth(loaded(rules)))
    assert said / 2 < len(encode_cell(simulation.cell("A-1"))) < said * 2


@settings(max_examples=200)
@given(st.integers(0, duration.LONGEST))
def test_a_duration_reads_as_it_was_written(micros: int) -> None:
    assert duration.parse(duration.format(micros)) == micros
