"""An explanation says what the rules did with an event, what they looked at, and what it would have taken."""

from hypothesis import HealthCheck, given, settings

from rules.compile import compile_rules
from rules.explain.explainer import Explainer
from rules.explain.explanation import Explained, RuleExplained
from rules.explain.simulated import known
from rules.explain.text import text
from rules.load import load_sources
from rules.model.action import EmitAction
from rules.model.rule import Rule
from rules.model.window import Session, Tumbling
from rules.simulation import Simulation
from streams.event import TICK, Event
from streams.outputs import Command
from tests.agent.running import event
from tests.oracle.histories import histories
from tests.oracle.rulesets import LANDED, Drawn, rulesets

RULES = """
ruleset: shop
projections:
  orders: {fold: {order.placed: {total: event.data.total}}}
rules:
  big:
    on: order.placed
    let: {limit: "event.data.vip ? 1000 : 100"}
    when: event.data.total > limit && event.data.country in ["DE", "AT"]
    once_within: 1h
    then: [{command: greet, to: sales, args: {total: "${orders.total}"}}]
  unpaid:
    on: order.placed
    after: 48h
    unless: order.paid
    then: [{command: remind, to: mail}]
  by-customer:
    on: order.placed
    by: event.data.customer
    then: [{command: count, to: log}]
"""
HOUR = 3_600_000_000


def explained(*events: Event) -> Explained:
    """Of the last event, after the others."""
    ruleset = load_sources({"rules.yaml": RULES})
    simulation = Simulation(compile_rules(ruleset))
    for each in events[:-1]:
        simulation.event(each)
    simulation.approach(events[-1])
    return Explainer(ruleset).explain(events[-1], known(simulation))


def placed(total: float, time: int = 0, country: str = "DE", **data: object) -> Event:
    return event("order.placed", "A1", time=time, total=total, country=country, vip=False, customer="c9", **data)


def rule(found: Explained, name: str) -> RuleExplained:
    return next(each for key in found.keys for each in key.rules if each.rule == name)


def test_a_rule_that_fired_shows_what_it_compared_and_put_out() -> None:
    big = rule(explained(placed(150)), "big")
    assert (big.verdict, big.lets) == ("fired", {"limit": 100})
    assert [(each.text, each.read, each.result) for each in big.comparisons] == [
        ("event.data.total > limit", (150, 100), True),
        ('event.data.country in ["DE", "AT"]', ("DE", ["DE", "AT"]), True),
    ]
    assert [each["args"] for each in big.commands] == [{"total": 150}]


def test_a_rule_that_did_not_fire_says_what_decided_and_what_it_would_take() -> None:
    big = rule(explained(placed(150, country="FR")), "big")
    assert (big.verdict, big.takes) == ("does not hold", 'event.data.country in ["DE", "AT"]')
    assert big.comparisons[-1].result is False
    assert big.commands == ()


def test_what_cannot_be_evaluated_says_why() -> None:
    found = explained(event("order.placed", "A1", country="DE", customer="c9", total=5))
    big = rule(found, "big")
    assert (big.verdict, big.reason) == ("not evaluated", "`event.data.vip` is absent")
    assert big.lets == {"limit": "no value: `event.data.vip` is absent"}


def test_a_throttle_says_until_when() -> None:
    big = rule(explained(placed(150), placed(200, time=HOUR // 2)), "big")
    assert (big.verdict, big.takes) == ("silent", "a firing at 1970-01-01T01:00:00Z or later")
    assert big.state == ("fired at 1970-01-01T00:00:00Z, silent until 1970-01-01T01:00:00Z",)


def test_a_deadline_says_when_it_is_due_and_an_event_that_cancels_it_says_so() -> None:
    opened = rule(explained(placed(150)), "unpaid")
    assert (opened.verdict, opened.reason) == ("waits", "deadline: due 1970-01-03T00:00:00Z")
    paid = rule(explained(placed(150), event("order.paid", "A1", time=HOUR)), "unpaid")
    assert (paid.verdict, paid.reason) == ("cancelled", "the event cancels 1 pending")


def test_listeners_of_other_keys_are_looked_at_under_theirs() -> None:
    found = explained(placed(150))
    assert [key.key for key in found.keys] == ["A1", "c9"]
    nobody = explained(event("order.placed", "A1", total=1))
    assert nobody.keyless == {"by-customer": "`event.data.customer` is absent"}


def test_the_text_holds_it_all() -> None:
    said = text(explained(placed(150, country="FR")))
    assert "  · big: does not hold, `when` is false" in said
    assert '      decided by  event.data.country in ["DE", "AT"]  ["FR", ["DE","AT"]]  → false' in said
    assert "      would take  event.data.country in" in said
    assert 'under key "c9"' in said
    assert "nobody listens" in text(explained(event("nothing.known", "A1")))


def decided_at_once(rule: Rule) -> bool:
    """Whether its commands come with the event that decides them."""
    return rule.deadline is None and rule.settle is None and not isinstance(rule.window, Tumbling | Session)


@given(rulesets(crossing=True, constructs=LANDED), histories(keyed=True))
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_explained_is_what_happens(drawn: Drawn, history: list[Event]) -> None:
    rules = drawn.rules
    explainer = Explainer(rules)
    at_once = {rule.name for rule in rules.rules if decided_at_once(rule)}
    sequences = {rule.name for rule in rules.rules if rule.sequence is not None}
    emitting = any(isinstance(action, EmitAction) for rule in rules.rules for action in rule.then)
    simulation = Simulation(compile_rules(rules))
    seen: set[str] = set()
    for each in history:
        if each.type == TICK or each.id in seen:
            simulation.event(each)
            continue
        seen.add(each.id)
        simulation.approach(each)
        before, copies = len(simulation.outputs), simulation.copies.apart().rows
        found = explainer.explain(each, known(simulation))
        assert (len(simulation.outputs), simulation.copies.rows) == (before, copies), "an explanation changes nothing"
        simulation.event(each)
        # the cause of a sequence's command is the event that opened it, so what derived events complete looks the same
        happened = {
            output.id: output.rule
            for output in simulation.outputs[before:]
            if isinstance(output, Command)
            and output.rule in at_once
            and (output.cause == each.id or output.rule in sequences)
        }
        told = [rule for key in found.keys for rule in key.rules if rule.rule in at_once]
        said = {command["id"] for rule in told for command in rule.commands}
        assert said <= happened.keys()
        assert {id for id in happened if not emitting or happened[id] not in sequences} <= said
        for rule in told:
            assert (rule.verdict == "fired") >= bool(rule.commands)


TABLE = """
ruleset: t
tables:
  risk:
    inputs: [event.data.amount, event.data.tier]
    outputs: [level]
    rows:
      - [">= 1000", "!= 'gold'", {level: high}]
      - ["< 10", "-", {level: none}]
  more: {inputs: [event.data.amount], outputs: [n], hit: collect, rows: [[">= 0", {n: 1}],
                                                                          ["-", {n: 2}]]}
rules:
  r: {on: a, let: {risk: tables.risk}, when: risk.level == 'high' && size(tables.more) > 3, then: [{alert: x}]}
"""


def decided(**data: object) -> list[str]:
    ruleset = load_sources({"rules.yaml": TABLE})
    simulation = Simulation(compile_rules(ruleset))
    asked = event("a", "A1", time=0, **data)
    simulation.approach(asked)
    lines = text(Explainer(ruleset).explain(asked, known(simulation))).splitlines()
    return [line.removeprefix("      table       ") for line in lines if line.startswith("      table ")]


def test_a_table_shows_its_inputs_and_the_line_of_the_row_that_decided() -> None:
    high = 'risk: the row in line 8, of event.data.amount = 1000, event.data.tier = "silver"'
    assert decided(amount=1000, tier="silver") == [high, "more: the rows in lines 10, 11, of event.data.amount = 1000"]
    without = '"no value: `event.data.tier` is absent"'
    assert decided(amount=5)[0] == f"risk: the row in line 9, of event.data.amount = 5, event.data.tier = {without}"
    assert decided(amount=50, tier="x")[0] == 'risk: no row fits, of event.data.amount = 50, event.data.tier = "x"'
    assert decided(amount=2000)[0].startswith("risk: `event.data.tier` is absent, of event.data.amount = 2000, ")
