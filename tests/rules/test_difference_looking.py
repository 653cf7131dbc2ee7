"""What becomes of windows, sequences and settling when a rule is edited."""

import pytest

from rules.difference import Change, difference
from rules.load import load_sources

WATCH = """
ruleset: watch
rules:
  many: {on: a, over: 10m, having: count() > 2, settle: 30s, once_within: 1h, then: [{command: c, to: t}]}
  after:
    sequence: [{first: {on: a}}, {second: {on: b, when: second.data.n > first.data.n}}]
    within: 5m
    when: second.data.n > 1
    once_within: 1h
    then: [{command: d, to: t}]
"""
NEW, KEPT = "new", "kept"


def edited(old: str, new: str) -> Change:
    assert WATCH.count(old) == 1
    before, after = load_sources({"r": WATCH}), load_sources({"r": WATCH.replace(old, new)})
    (found,) = (each for each in difference(before, after).changes if each.how != "unchanged")
    return found


@pytest.mark.parametrize(
    ("old", "new", "part", "window", "settle", "throttle"),
    [
        ("over: 10m", "over: 20m", "over", NEW, NEW, NEW),
        ("over: 10m", "over: {last: 5}", "over", NEW, NEW, NEW),
        ("over: 10m", "over: {sliding: 10m, limit: 5}", "over", NEW, NEW, NEW),
        ("count() > 2", "count() > 3", "having", KEPT, NEW, NEW),
        ("count() > 2", "max(event.data.n) > 3", "having", NEW, NEW, NEW),
        ("settle: 30s", "settle: 40s", "settle", KEPT, NEW, NEW),
        ("command: c", "command: e", "then", KEPT, KEPT, KEPT),
        ("once_within: 1h, then: [{command: c", "once_within: 2h, then: [{command: c", "once_within", KEPT, KEPT, NEW),
    ],
)
def test_of_a_window_only_what_decides_what_it_holds_makes_it_begin_anew(
    old: str, new: str, part: str, window: str, settle: str, throttle: str
) -> None:
    change = edited(old, new)
    assert change.parts == (part,)
    assert {each.node: each.outcome for each in change.state} == {
        "window": window,
        "settle": settle,
        "throttle": throttle,
    }
    assert {each.because for each in change.state if each.outcome == NEW} <= {(part,)}


@pytest.mark.parametrize(
    ("old", "new", "part", "sequence", "throttle"),
    [
        ("within: 5m", "within: 6m", "within", NEW, NEW),
        ("{on: a}}, {", "{on: a, times: 2}}, {", "sequence", NEW, NEW),
        ("{on: a}}, {", "{on: a}}, {not: {on: c}}, {", "sequence", NEW, NEW),
        ("second.data.n > first.data.n", "second.data.n > first.data.n + 1", "sequence", NEW, NEW),
        ("second.data.n > 1", "second.data.n > 2", "when", KEPT, NEW),
        ("{command: d, to: t}", "{command: e, to: t}", "then", KEPT, KEPT),
        # what is kept of the first event is another thing then
        ("{command: d, to: t}", '{command: d, to: t, args: {k: "${first.data.k}"}}', "then", NEW, KEPT),
    ],
)
def test_of_a_sequence_its_steps_and_what_is_kept_of_events_make_it_begin_anew(
    old: str, new: str, part: str, sequence: str, throttle: str
) -> None:
    change = edited(old, new)
    assert change.parts == (part,)
    assert {each.node: each.outcome for each in change.state} == {"sequence": sequence, "throttle": throttle}
    assert {each.because for each in change.state if each.outcome == NEW} <= {(part,)}


def test_what_waits_for_quiet_begins_anew_where_actions_read_what_it_does_not_hold() -> None:
    change = edited("command: c, to: t", 'command: c, to: t, args: {n: "${max(event.data.n)}"}')
    assert [(each.node, each.outcome, each.because) for each in change.state] == [
        ("window", NEW, ("then",)),
        ("settle", NEW, ("then",)),
        ("throttle", KEPT, ()),
    ]


def test_words_say_what_that_means_for_what_is_there() -> None:
    def said(old: str, new: str) -> list[str]:
        return [each.meaning for each in edited(old, new).state]

    assert said("over: 10m", "over: 20m")[:2] == [
        "begins empty: what it held is not counted any more",
        "what waits for quiet never fires",
    ]
    assert said("command: c", "command: e")[:2] == [
        "what it holds stays",
        "what waits for quiet fires with the new actions",
    ]
    assert "open matches never complete" in said("within: 5m", "within: 6m")
    assert "open matches complete with the new actions" in said("command: d", "command: e")


def test_two_rules_with_one_sequence_or_window_say_the_same() -> None:
    twice = WATCH + WATCH.partition("rules:\n")[2].replace("  many:", "  many2:").replace("  after:", "  after2:")
    found = [each.message for each in load_sources({"r": twice}).warnings if each.code == "same-rule"]
    assert [message.partition(" says")[0] for message in found] == ["rule `many2`", "rule `after2`"]
    for old, new in (("over: 10m", "over: 11m"), ("within: 5m", "within: 6m")):
        other = twice.replace(old, new, 1)
        assert len([each for each in load_sources({"r": other}).warnings if each.code == "same-rule"]) == 1
