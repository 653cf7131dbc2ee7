"""What `tables.NAME` is wherever a rule may read it: the same, and what CEL over the texts of the cells says."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rules import cel
from rules.load import load_sources
from rules.ruleset import RuleSet
from rules.tables.index import Index
from rules.testing import given as kit_of
from streams.processor import Poisoned
from tests.oracle.document import read
from tests.oracle.values import looked_up
from tests.rules.tables.test_rows import CELLS

INPUTS = [
    "event.data.a",
    "event.data.b",
    "rows.n",
    "event.data.a + event.data.b",
    "has(event.data.b) ? key : event.data.a",
]
VALUES = st.sampled_from([0, 1, 2, 2.0, 2.5, "a", "b", "", True, False, None, [1]])
DATA = st.fixed_dictionaries({}, optional={"a": VALUES, "b": VALUES})
OUTPUTS: list[Any] = [1, 2.0, "x", None, True, [1, {"y": 2}], "${event.data.a}", "of ${key}", "${rows.n}"]
SHAPES: list[dict[str, str]] = [{}, {"a": "any?", "b": "any?"}, {"a": "any"}]


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    inputs = draw(st.lists(st.sampled_from(INPUTS), min_size=1, max_size=3))
    rows: list[Any] = []
    for place in range(draw(st.integers(1, 6))):
        outputs = {"place": place}
        if draw(st.booleans()):
            outputs["said"] = draw(st.sampled_from(OUTPUTS))
        rows.append([*(draw(CELLS) for _ in inputs), outputs])
    return file(inputs, rows, draw(st.sampled_from(["first", "collect"])), draw(st.sampled_from(SHAPES)))


def file(inputs: list[str], rows: list[Any], hit: str, shape: dict[str, str]) -> dict[str, Any]:
    """Rules that read one table in every way there is."""
    first = hit == "first"
    whens = {
        "let": "has(d.place) && d.place >= 1" if first else "d.exists(each, each.place >= 1)",
        "when": "tables.t.place >= 1" if first else "size(tables.t) >= 1",
        "twice": "has(tables.t.place) && tables.t.place >= 1" if first else "size(tables.t) == size(tables.t)",
        "macro": "[0, 1].exists(n, tables.t.place > n)" if first else "[0, 1].all(n, size(tables.t) > n)",
        "asked": "has(tables.t)",
    }
    rules: dict[str, Any] = {
        "said": {"on": "a", "then": [say("${tables.t}")]},
        "kept": {"on": "a", "let": {"d": "tables.t"}, "then": [say("${d}")]},
        "later": {"on": "a", "let": {"d": "tables.t"}, "after": "1h", "then": [say("${d}")]},
    }
    for name, when in whens.items():
        rules[name] = {"on": "a", "when": when, "then": [say("${tables.t}")]}
    rules["let"]["let"] = {"d": "tables.t"}
    return {
        "ruleset": "t",
        "events": {"a": shape} if shape else {},
        "projections": {"rows": {"fold": {"a": {"n": "event.data.b"}}}},
        "tables": {"t": {"inputs": inputs, "outputs": ["place", "said"], "hit": hit, "rows": rows}},
        "rules": rules,
    }


def say(text: str) -> dict[str, Any]:
    return {"command": "say", "to": "log", "args": {"t": text}}


def expected(text: str, ruleset: RuleSet, data: dict[str, Any], row: Any) -> dict[str, Any]:
    """Rule → what it says; of those that fire."""
    event = {"data": data, "subject": "k"}
    variables = {"event": event, "key": "k", "rows": row}
    found: dict[str, Any] = {}
    try:
        variables["tables"] = {"t": looked_up(read(text).tables["t"], variables)}
    except cel.CelEvaluationError as error:
        variables["tables"] = {"t": error.again()}
    for rule in ruleset.rules:
        known = dict(variables)
        try:
            if rule.let:
                known["d"] = variables["tables"]["t"]
            if rule.when is None or cel.compile(rule.when.text)(known) is True:
                found[rule.name] = cel.payload(cel.compile("tables.t")(known))
        except cel.CelEvaluationError:
            pass
    return found


@given(files(), st.lists(DATA, min_size=1, max_size=5))
@example(file(["event.data.a"], [["> 1", {"place": 1, "said": "${event.data.b}"}]], "first", {}), [{"a": 2}, {"a": 1}])
@settings(deadline=None, max_examples=100)
def test_a_table_says_the_same_wherever_it_is_read(made: dict[str, Any], events: list[dict[str, Any]]) -> None:
    text = json.dumps(made)
    ruleset = load_sources({"rules.json": text})
    kit = kit_of(ruleset)
    row: Any = cel.NotEvaluated("no row")
    for data in events:
        before = len(kit.commands)
        kit.event("a", "k", data).advance("2h")
        if "b" in data:
            row = {"n": data["b"]}
        said = {command.rule: command.args["t"] for command in kit.commands[before:]}
        assert json.dumps(said, sort_keys=True) == json.dumps(expected(text, ruleset, data, row), sort_keys=True)


def test_a_condition_is_decided_by_the_fast_index_alone() -> None:
    text = """
      ruleset: t
      tables:
        t:
          inputs: [event.data.a, event.data.b]
          outputs: [x]
          rows: [["> 9", "'b'", {x: 1}], ["-", "-", {x: 2}]]
      rules:
        read: {on: a, let: {d: tables.t}, when: d.x == 1 || d.x == 0, then: [{command: c, to: l}]}
        again: {on: a, when: has(tables.t.x) && tables.t.x == 1, then: [{command: c, to: l}]}
    """
    kit = kit_of(text)
    with mock.patch.object(Index, "hits", side_effect=AssertionError("the slow way")):
        kit.event("a", "k", {"a": 10, "b": "c"}).event("a", "k", {"a": 9.5, "b": None}).event(
            "a", "k", {"a": 1, "b": 2}
        )
        assert not kit.commands
        with pytest.raises(Poisoned, match="the slow way"):
            kit.event("a", "k", {"a": "10", "b": "b"})


def test_a_let_value_is_that_of_the_opening_event_and_a_payload_reads_when_it_is_made() -> None:
    text = """
      ruleset: t
      projections: {p: {fold: {a: {n: event.data.a}, b: {n: event.data.a}}}}
      tables: {t: {inputs: [p.n], outputs: [x], rows: [[1, {x: one}], ["-", {x: "${string(p.n)}"}]]}}
      rules:
        r:
          on: a
          let: {d: tables.t}
          after: 1h
          then: [{command: c, to: l, args: {d: "${d.x}", now: "${tables.t.x}"}}]
    """
    kit = kit_of(text).event("a", "k", {"a": 1}).event("b", "k", {"a": 2}).advance("2h")
    assert [command.args for command in kit.commands] == [{"d": "one", "now": "2"}]


def test_unless_reads_a_table_of_the_cancelling_event() -> None:
    text = """
      ruleset: t
      tables: {t: {inputs: [event.data.a], outputs: [x], rows: [[1, {x: true}], ["-", {x: false}]]}}
      rules:
        r: {on: a, after: 1h, unless: {on: b, when: tables.t.x}, then: [{command: c, to: l}]}
    """
    kit = kit_of(text).event("a", "k", {"a": 1}).event("b", "k", {"a": 2}).advance("2h")
    assert len(kit.commands) == 1
    kit.event("a", "k", {"a": 2}).event("b", "k", {"a": 1}).advance("2h")
    assert len(kit.commands) == 1
