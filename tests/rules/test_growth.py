"""What `rules check -v` says: which index finds a rule, and what is kept of each key."""

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


def test_estimates_are_what_cells_really_take_within_a_factor_of_two() -> None:
    simulation = Simulation(compile_rules(loaded(KEEPING)))
    data = {"total": 12.5, "customer": "a customer's name"}
    event = {"type": "order.placed", "subject": "A-1", "time": "2026-01-01T00:00:00Z", "data": data}
    simulation.event(event_of(completed(event, 1)))
    said = sum(each.bytes for each in growth(loaded(KEEPING)))
    assert said / 2 < len(encode_cell(simulation.cell("A-1"))) < said * 2


@settings(max_examples=200)
@given(st.integers(0, duration.LONGEST))
def test_a_duration_reads_as_it_was_written(micros: int) -> None:
    assert duration.parse(duration.format(micros)) == micros
