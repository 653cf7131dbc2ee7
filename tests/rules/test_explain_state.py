"""Explanations of rules that look at many events: windows, sequences, and firings that settle."""

from typing import Any

from rules.compile import compile_rules
from rules.explain.explainer import Explainer
from rules.explain.explanation import RuleExplained
from rules.explain.simulated import known
from rules.explain.text import rule_lines
from rules.load import load_sources
from rules.simulation import Simulation
from tests.agent.running import event

SECOND = 1_000_000
ZERO = "1970-01-01T00:"
WINDOW = """
ruleset: t
rules:
  burst:
    on: failed
    when: event.data.amount > 0
    over: OVER
    having: count() >= 3 && sum(event.data.amount) > limit
    let: {limit: event.data.limit}
    once_within: 1h
    then: [{command: block, to: bank, args: {n: "${count()}", greatest: "${max(event.data.amount)}"}}]
"""
SEQUENCE = """
ruleset: t
rules:
  guessed:
    sequence:
      - failed: {on: failed, when: failed.data.ip != 'us', times: TIMES}
      - not: {on: reset, when: event.data.ip == failed.data.ip}
      - granted: {on: granted, when: granted.data.ip != failed.data.ip}
    within: 5m
    let: {both: "[failed.data.ip, granted.data.ip]"}
    when: granted.data.risk > 2
    then: [{command: lock, to: users, args: {ips: "${both}"}}]
"""
SETTLE = """
ruleset: t
rules:
  search: {on: typed, settle: 30s, then: [{command: search, to: index}]}
"""


def told(rules: str, *events: tuple[str, float, dict[str, Any]]) -> RuleExplained:
    """What the one rule made of the last event, after the others: types, seconds and data."""
    ruleset = load_sources({"rules.yaml": rules})
    simulation = Simulation(compile_rules(ruleset))
    made = [event(type, "A1", time=int(at * SECOND), **data) for type, at, data in events]
    for each in made[:-1]:
        simulation.event(each)
    simulation.approach(made[-1])
    ((rule,),) = (key.rules for key in Explainer(ruleset).explain(made[-1], known(simulation)).keys)
    return rule


def compared(rule: RuleExplained) -> list[tuple[str, tuple[Any, ...], bool | str]]:
    return [(each.text, each.read, each.result) for each in rule.comparisons]


# ------------------------------------------------------------ windows


def failed(at: float, amount: float = 10, **data: Any) -> tuple[str, float, dict[str, Any]]:
    return "failed", at, {"amount": amount, "limit": 25, **data}


def windowed(over: str, *events: tuple[str, float, dict[str, Any]]) -> RuleExplained:
    return told(WINDOW.replace("OVER", over), *events)


def test_a_window_shows_what_is_in_it_what_its_aggregates_say_and_what_having_made_of_them() -> None:
    burst = windowed("10m", failed(0), failed(60, 7), failed(120))
    assert (burst.verdict, burst.reason) == ("fired", "`having` holds")
    assert burst.state == (f"window: 2 events from {ZERO}00:00Z to {ZERO}01:00Z",)
    assert burst.aggregates == {"count()": 3, "sum(event.data.amount)": 27, "max(event.data.amount)": 10}
    assert compared(burst) == [
        ("event.data.amount > 0", (10, 0), True),
        ("count() >= 3", (3, 3), True),
        ("sum(event.data.amount) > limit", (27, 25), True),
    ]
    assert [command["args"] for command in burst.commands] == [{"n": 3, "greatest": 10}]


def test_a_window_that_is_not_enough_says_which_part_of_having_it_would_take() -> None:
    burst = windowed("10m", failed(0), failed(60, 1), failed(120, 2))
    assert (burst.verdict, burst.reason, burst.takes) == (
        "does not hold",
        "`having` is false",
        "sum(event.data.amount) > limit",
    )
    assert (burst.lets, burst.comparisons[-1].result) == ({"limit": 25}, False)
    assert windowed("10m", failed(0)).takes == "count() >= 3"
    assert windowed("10m", failed(0), failed(60, -1)).takes == "event.data.amount > 0"


def test_an_event_that_does_not_enter_a_window_says_why() -> None:
    absent = windowed("10m", ("failed", 0, {"amount": 1}))
    assert (absent.verdict, absent.reason) == ("does not hold", "`having` is false")
    old = windowed("10m", failed(1000), failed(60))
    assert (old.verdict, old.reason, old.aggregates) == ("nothing", "it is too old for the window", {})
    text = told(
        WINDOW.replace("OVER", "10m").replace("    when: event.data.amount > 0\n", ""),
        failed(0, "x"),  # type: ignore[arg-type]
    )
    assert (text.verdict, text.reason) == ("not evaluated", "`sum` needs a number, not a string")


def test_a_throttle_keeps_a_window_silent_although_having_holds() -> None:
    burst = windowed("10m", *(failed(at) for at in range(4)))
    assert (burst.verdict, burst.takes) == ("silent", "a firing at 1970-01-01T01:00:02Z or later")
    assert burst.state[1:] == (f"fired at {ZERO}00:02Z, silent until 1970-01-01T01:00:02Z",)


def test_windows_of_other_kinds_say_what_they_hold() -> None:
    events = [failed(at) for at in (0, 1, 70)]
    assert windowed("{last: 2}", *events).state == ("window: 2 events of the last 2",)
    assert windowed("{sliding: 10m, step: 1m}", failed(61), *events[2:]).state == (
        f"window: one event in one bucket from {ZERO}01:00Z to {ZERO}02:00Z",
    )
    assert windowed("{sliding: 10m, step: 1m}", *events).aggregates["count()"] == 3


def test_a_window_that_closes_later_says_when_and_what_it_holds_so_far() -> None:
    burst = windowed("{tumbling: 1m}", failed(0), failed(30))
    assert burst.state == (f"tumbling: open since {ZERO}00:00Z with one event, closes at {ZERO}01:00Z",)
    assert (burst.verdict, burst.reason) == ("waits", f"the window closes at {ZERO}01:00Z")
    assert burst.takes == "count() >= 3 && sum(event.data.amount) > limit when the window closes"
    assert burst.aggregates == {"count()": 2, "sum(event.data.amount)": 20, "max(event.data.amount)": 10}
    session = windowed("{session: 1m}", failed(0), failed(60))
    assert session.reason == f"the window closes at {ZERO}02:00Z"
    late = windowed("{tumbling: 1m}", failed(200), failed(0))
    assert (late.verdict, late.reason) == ("nothing", "the window that it belongs to is over")


# ------------------------------------------------------------ sequences


def test_a_window_that_is_full_says_so() -> None:
    over = "{sliding: 10m, limit: 2}"
    assert windowed(over, failed(0), failed(60)).state == (f"window: one event of {ZERO}00:00Z",)
    full = windowed(over, failed(0), failed(60), failed(120))
    assert full.state == (f"window: 2 events from {ZERO}00:00Z to {ZERO}01:00Z; with 2 it is full: the oldest leave",)
    assert full.aggregates["count()"] == 2


def test_a_sequence_with_as_many_matches_as_may_be_says_so() -> None:
    many = [("failed", each / 1_000, {"ip": "x"}) for each in range(1_001)]
    assert sequenced(*many[:-1]).state[-1] == "sequence: 996 more are open"
    full = "sequence: 997 more are open; 1,000 are all that may be: the first that opened goes"
    assert sequenced(*many).state[-1] == full


def sequenced(*events: tuple[str, float, dict[str, Any]], times: int = 1) -> RuleExplained:
    return told(SEQUENCE.replace("TIMES", str(times)), *events)


def test_an_event_that_opens_a_sequence_says_what_it_waits_for_and_until_when() -> None:
    opened = sequenced(("failed", 0, {"ip": "x"}))
    assert (opened.verdict, opened.reason) == ("waits", f"a match waits for `granted` until {ZERO}05:00Z")
    assert opened.takes == f"an event that fits `granted` until {ZERO}05:00Z"
    assert compared(opened) == [("failed.data.ip != 'us'", ("x", "us"), True)]
    not_opened = sequenced(("failed", 0, {"ip": "us"}))
    assert (not_opened.verdict, not_opened.reason) == ("does not hold", "it does not fit `failed`")
    assert not_opened.takes == "an event that fits `failed`"


def test_a_complete_sequence_shows_what_each_open_match_looked_at() -> None:
    found = sequenced(("failed", 0, {"ip": "x"}), ("failed", 10, {"ip": "y"}), ("granted", 20, {"ip": "y", "risk": 3}))
    assert (found.verdict, found.reason) == ("fired", "the sequence is complete")
    assert found.state == (
        f"sequence: open since {ZERO}00:00Z until {ZERO}05:00Z, waits for `granted`",
        f"sequence: open since {ZERO}00:10Z until {ZERO}05:10Z, waits for `granted`",
    )
    assert compared(found) == [
        ("granted.data.ip != failed.data.ip", ("y", "x"), True),
        ("granted.data.risk > 2", (3, 2), True),
        ("granted.data.ip != failed.data.ip", ("y", "y"), False),
    ]
    assert [command["args"] for command in found.commands] == [{"ips": ["x", "y"]}]


def test_a_complete_sequence_that_when_refuses_says_so() -> None:
    found = sequenced(("failed", 0, {"ip": "x"}), ("granted", 20, {"ip": "y", "risk": 1}))
    assert (found.verdict, found.reason, found.takes) == ("does not hold", "`when` is false", "granted.data.risk > 2")
    assert (found.lets, found.commands) == ({"both": ["x", "y"]}, ())


def test_what_ends_a_match_or_is_not_waited_for_says_so() -> None:
    ended = sequenced(("failed", 0, {"ip": "x"}), ("reset", 20, {"ip": "x"}))
    assert (ended.verdict, ended.reason) == ("cancelled", "the event ends one match")
    other = sequenced(("failed", 0, {"ip": "x"}), ("reset", 20, {"ip": "y"}))
    assert (other.verdict, other.takes) == ("nothing", f"an event that fits `granted` until {ZERO}05:00Z")
    assert compared(other) == [("event.data.ip == failed.data.ip", ("y", "x"), False)]
    nobody = sequenced(("granted", 20, {"ip": "x"}))
    assert (nobody.verdict, nobody.reason) == ("nothing", "no match waits for it")
    old = sequenced(("granted", 900, {}), ("failed", 0, {"ip": "x"}))
    assert (old.verdict, old.reason) == ("nothing", "it is too old to open a match")


def test_a_step_of_several_events_says_how_many_are_missing() -> None:
    found = sequenced(("failed", 0, {"ip": "x"}), ("failed", 1, {"ip": "y"}), times=3)
    assert found.state == (f"sequence: open since {ZERO}00:00Z until {ZERO}05:00Z, waits for `failed`, and has 1 of 3",)
    assert found.takes == f"an event that fits `failed` until {ZERO}05:00Z"
    many = sequenced(*(("failed", at, {"ip": "x"}) for at in range(6)), times=6)
    assert many.state[3:] == ("sequence: 2 more are open",)


def test_the_condition_of_a_step_that_has_no_value_says_why() -> None:
    found = sequenced(("failed", 0, {"ip": "x"}), ("granted", 20, {}))
    assert (found.verdict, found.reason) == ("not evaluated", "`granted.data.ip` is absent")


# ------------------------------------------------------------ settling


def test_a_firing_that_settles_says_when_it_would_fire() -> None:
    first = told(SETTLE, ("typed", 0, {}))
    assert (first.verdict, first.reason) == ("waits", f"settling, fires at {ZERO}00:30Z if quiet")
    second = told(SETTLE, ("typed", 0, {}), ("typed", 10, {}))
    assert second.state == (f"settling: one pending, due {ZERO}00:30Z",)
    assert second.reason == f"settling, fires at {ZERO}00:40Z if quiet"


def test_the_text_shows_windows_and_open_matches() -> None:
    lines = list(rule_lines(windowed("10m", failed(0), failed(60))))
    assert lines[0] == "  · burst: does not hold, `having` is false"
    assert "      window      count() = 2" in lines
    assert "      decided by  count() >= 3  [2, 3]  → false" in lines
    lines = list(rule_lines(sequenced(("failed", 0, {"ip": "x"}), ("reset", 20, {"ip": "y"}))))
    assert lines[1] == f"      remembered  sequence: open since {ZERO}00:00Z until {ZERO}05:00Z, waits for `granted`"
    assert lines[-1] == f"      would take  an event that fits `granted` until {ZERO}05:00Z"
