"""What rules are to each other: circles of derived events, rules that say the same, rows of another key."""

import pytest

from rules.diagnostics import Diagnostic
from rules.load import load_sources


def found(text: str, code: str) -> list[Diagnostic]:
    return [each for each in load_sources({"rules.yaml": f"ruleset: t\n{text}"}).warnings if each.code == code]


# ------------------------------------------------------------ circles

PING = """rules:
  ping: {on: pong, then: [{emit: ping}]}
  pong: {on: ping, GUARD then: [{emit: pong, data: {level: 2, text: "${event.id}"}}]}
"""


def loops(text: str) -> list[Diagnostic]:
    return found(text, "loop")


def test_rules_that_set_each_other_off_are_shown_with_the_way() -> None:
    (loop,) = loops(PING.replace("GUARD", ""))
    assert loop.severity == "warning"
    assert loop.message == "these rules go round: `ping` makes `ping`, `pong` makes `pong`, which `ping` hears"
    assert (loop.line, loop.column) == (3, 27)


@pytest.mark.parametrize("guard", ["when: event.data.n > 1,", "once_within: 1h,", "after: 1h,"])
def test_a_circle_that_something_may_end_is_a_note(guard: str) -> None:
    (loop,) = loops(PING.replace("GUARD", guard))
    assert loop.severity == "note"


def test_a_rule_that_hears_what_it_makes_is_a_circle() -> None:
    (loop,) = loops("rules: {r: {on: '*', then: [{emit: a.b}]}}")
    assert loop.message == "rule `r` hears the `a.b` that it makes"
    assert loops("rules: {r: {on: 'a.*', then: [{emit: ab}]}}") == []


@pytest.mark.parametrize(
    "condition",
    [
        "event.type != 'a'",
        "event.source != 'orchestrator'",
        "event.data.level < 2",
        "has(event.data.manual)",
        "event.data.manual == true",
        "low && true",
    ],
)
def test_a_condition_that_the_derived_event_contradicts_ends_the_circle(condition: str) -> None:
    rule = """rules:
  r:
    on: '*'
    let: {low: event.data.level < 2}
    when: CONDITION
    then: [{emit: a, data: {level: 2, text: "${event.id}", low: "${low}"}}]
"""
    assert loops(rule.replace("CONDITION", condition)) == []
    (loop,) = loops(rule.replace("CONDITION", "event.data.text != 'x'"))
    assert loop.severity == "note"


def test_commands_lead_back_by_their_results() -> None:
    rule = "rules: {r: {on: orchestrator.command.OUTCOME, WHEN then: [{command: c, to: log}]}}"
    (loop,) = loops(rule.replace("OUTCOME", "succeeded").replace("WHEN", ""))
    assert loop.severity == "warning"
    (loop,) = loops(rule.replace("OUTCOME", "parked").replace("WHEN", ""))
    assert loop.severity == "note"
    assert loops(rule.replace("OUTCOME", "succeeded").replace("WHEN", "when: event.data.command == 'other',")) == []
    assert loops(rule.replace("OUTCOME", "succeeded").replace("WHEN", "when: event.data.rule != 'r',")) == []


def test_what_is_done_instead_of_a_command_may_lead_back() -> None:
    (loop,) = loops("rules: {r: {on: a, then: [{command: c, to: log, fallback: [{emit: a}]}]}}")
    assert loop.severity == "note"


def test_rules_that_make_nothing_end_a_circle() -> None:
    assert loops(PING.replace("GUARD", "enabled: false,")) == []
    assert loops(PING.replace("GUARD", "shadow: true,")) == []
    assert loops("rules: {a: {on: x, then: [{emit: y}]}, b: {on: y, then: [{emit: z}]}}") == []


def test_a_circle_is_told_once_and_by_its_shortest_way() -> None:
    names = [f"r{n}" for n in range(300)]
    text = "rules:\n" + "".join(f"  {name}: {{on: e{n}, then: [{{emit: e{n + 1}}}]}}\n" for n, name in enumerate(names))
    (loop,) = loops(text + "  last: {on: e300, then: [{emit: e0}, {emit: e298}]}\n")
    assert loop.message.startswith("these rules go round: `r0` makes `e1`, ")
    assert "…" in loop.message
    text = text.replace("on: e3,", "on: [e3, e9],").replace("emit: e9}", "emit: e9}, {emit: e0}", 1)
    (loop,) = loops(text)
    assert loop.message.count("makes") < 11


# ------------------------------------------------------------ rules that say the same

TWINS = """rules:
  one: {on: [a, b], when: event.data.n>1, once_within: 1h, then: [{command: c, to: log, args: {n: "${event.id}"}}]}
  two: {on: [a, b], when: event.data.n > 1, once_within: 60m, then: [{command: c, to: log, args: {n: "${ event.id }"}}]}
"""


def test_rules_that_differ_in_name_and_spacing_alone_say_the_same() -> None:
    (twin,) = found(TWINS, "same-rule")
    assert (twin.line, twin.message) == (4, "rule `two` says the same as rule `one` in line 3")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("60m", "61m"),
        ("n > 1", "n > 2"),
        ('"${ event', '"x${ event'),
        ("two: {", "two: {shadow: true, "),
        ("to: log", "to: alerts"),
    ],
)
def test_rules_that_differ_in_anything_that_counts_are_two(old: str, new: str) -> None:
    first, _, second = TWINS.partition("  two")
    assert (
        found(f"{first}  two{second}".replace(f"  two{second}", f"  two{second}".replace(old, new)), "same-rule") == []
    )


def test_a_rule_that_is_switched_off_is_no_twin() -> None:
    assert found(TWINS.replace("two: {", "two: {enabled: false, "), "same-rule") == []


# ------------------------------------------------------------ rows of another key

CARDS = """projections:
  cards: {BYP fold: {payment: {n: event.data.n}, card.blocked: {n: "0"}}}
rules:
  r: {on: ON, BYR when: cards.n > 3, then: [{command: c, to: log, args: {n: "${cards.n}"}}]}
"""


def cards(projection: str, rule: str, on: str) -> list[str]:
    text = CARDS.replace("BYP", projection and f"by: {projection},").replace("BYR", rule and f"by: {rule},")
    return [each.severity for each in found(text.replace("ON", on), "other-key")]


def test_a_rule_and_a_projection_that_hear_one_event_under_two_keys_are_warned_of() -> None:
    assert cards("event.data.card", "", "payment") == ["warning"]
    assert cards("", "event.data.card", "payment") == ["warning"]
    assert cards("event.data.card", "", "'*'") == ["warning"]
    assert cards("{payment: event.data.card}", "", "payment") == ["warning"]


def test_the_same_key_may_be_written_in_several_ways() -> None:
    assert cards("event.data.card", "event.data.card", "payment") == []
    assert cards("event.data.card", "\"event.data['card']\"", "payment") == []
    assert cards("event.data.card", "string( event.data.card )", "payment") == []
    assert cards("", "event.subject", "payment") == []
    assert cards("{payment: event.data.card}", "{payment: event.data.card}", "payment") == []
    assert cards("{payment: event.data.card}", "", "card.blocked") == []


def test_rules_that_hear_other_events_may_need_another_expression() -> None:
    assert cards("event.data.card", "event.data.used", "order") == []
    assert cards("", "event.data.card", "order") == []
    assert cards("event.data.card", "", "orchestrator.command.parked") == []
    assert cards("event.data.card", "", "order") == ["note"], "it has no `by` at all"
