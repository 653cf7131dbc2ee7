"""What is said of conditions before any event holds for every event: no rule that fires is said never to fire."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules import cel
from rules.diagnostics import Diagnostic
from rules.load import load_sources
from rules.logic import Atom, Domain, clash, negative, positive

PATHS = ["event.data.a", "event.data.b", "x", "event.data.m.c", "event.data.m['c']"]
CONSTANTS = ["1", "2", "2.5", "3", "'a'", "'ab'", "true", "null", "-1", "1 + 1", "'a' + 'b'"]
paths = st.sampled_from(PATHS)
constants = st.sampled_from(CONSTANTS)
operators = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
lists = st.lists(constants, min_size=1, max_size=3).map(lambda items: f"[{', '.join(items)}]")

leaves = st.one_of(
    st.tuples(paths, operators, constants).map(" ".join),
    st.tuples(constants, operators, paths).map(" ".join),
    st.tuples(paths, operators, paths).map(" ".join),
    st.tuples(paths, st.just("in"), lists).map(" ".join),
    st.sampled_from(["has(event.data.a)", "has(event.data.m)", "has(event.data.m.c)", "big", "event.data.a", "x"]),
    paths.map(lambda path: f"{path}.startsWith('a')"),
    paths.map(lambda path: f"size({path}) < 2"),
    paths.map(lambda path: f"{path} * 2 == 4"),
)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(lambda one: f"!({one})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]} && {two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]} || {two[1]})"),
        st.tuples(inner, inner, inner).map(lambda three: f"({three[0]} ? {three[1]} : {three[2]})"),
    ),
    max_leaves=6,
)
scalars: list[Any] = [None, True, False, -1, 0, 1, 2, 2.5, 3, 7, "", "a", "ab", "b", [1], {"c": 1}]
events = st.fixed_dictionaries(
    {},
    optional={"a": st.sampled_from(scalars), "b": st.sampled_from(scalars)}
    | {"m": st.sampled_from([None, 1, {}, {"c": None}, {"c": 1}, {"c": 2}, {"c": "a"}, {"c": "ab"}, {"c": True}])},
)
LETS = {"x": cel.parse("event.data.a"), "big": cel.parse("event.data.b > 2 && x != 'a'")}


def value(node: cel.Node, variables: dict[str, Any]) -> Any:
    try:
        return cel.Evaluator(node).run(variables)
    except cel.CelEvaluationError as error:
        return error


@settings(max_examples=600, deadline=None)
@given(st.lists(conditions, min_size=1, max_size=8), events)
def test_conditions_that_are_true_of_one_event_do_not_clash(texts: list[str], data: dict[str, Any]) -> None:
    variables: dict[str, Any] = {"event": {"data": data}}
    for name, node in LETS.items():
        variables[name] = value(node, variables)
    taken: list[Atom] = []
    for node in map(cel.parse, texts):
        outcome = value(node, variables)
        if isinstance(outcome, bool):
            taken += (positive if outcome else negative)(node, LETS)
    assert clash(taken, lambda node, key: Domain(), LETS) is None


def warnings(when: str, on: str = "a") -> list[Diagnostic]:
    text = f"""ruleset: t
events:
  a: {{i: integer, n: number, s: string, o: string?, b: boolean, x: any}}
  c: {{i: integer, s: integer}}
rules:
  r:
    on: {on}
    let: {{big: event.data.n > 100, tier: event.data.s}}
    when: >-
      {when}
    then: [{{alert: "${{big}} ${{tier}}"}}]
"""
    return [each for each in load_sources({"r.yaml": text}).warnings if each.code != "optional-field"]


def codes(when: str, on: str = "a") -> list[str]:
    return [each.code for each in warnings(when, on)]


def test_conditions_that_contradict_each_other_never_fire() -> None:
    for when in """
        event.data.n > 5 && event.data.n < 3
        event.data.s == 'x' && event.data.s == 'y'
        event.data.s in ['x', 'y'] && !(event.data.s in ['y', 'x', 'z'])
        event.data.b && !event.data.b
        !has(event.data.o) && event.data.o == 'x'
        event.data.i > 3 && event.data.i < 4
        event.data.n >= 4 && event.data.n <= 4 && event.data.n != 4.0
        event.data['n'] > 5 && event.data.n < 3
        5 < event.data.n && 3 >= event.data.n
        event.data.n + 1 > 5 && event.data.n + 1 < 3
        event.data.n < event.data.x && event.data.x < event.data.n
        event.data.n != event.data.n
        event.data.s == 'gold' && event.data.s.startsWith('s')
        event.data.s == 'gold' && event.data.n == 3 && (event.data.n == 4 || event.data.s == 'silver')
        event.data.n > 5 && (event.data.b ? event.data.n < 3 : event.data.n < 4)
        big && event.data.n < 100
        tier == 'gold' && event.data.s == 'silver'
        event.time > timestamp('2024-01-01T00:00:00Z') && event.time < timestamp('2023-01-01T00:00:00Z')
        false
        1 > 2
        1 / 0 > 2
    """.strip().splitlines():
        assert codes(when.strip())[:1] == ["never-fires"], when


def test_conditions_that_contradict_what_is_known_never_fire() -> None:
    for when in """
        key == 35
        now == '2024-01-01'
        event.data.s == 3
        event.data.s == null
        event.type == 'b'
        event.type.startsWith('b.')
        event.time.getMonth() == 12
        event.time.getDayOfWeek('Europe/Berlin') == 7
        size(event.data.s) < 0
        event.data.i == 2.5
    """.strip().splitlines():
        assert codes(when.strip()) == ["never-fires"], when


def test_what_can_be_is_not_warned_of() -> None:
    for when in """
        event.data.n > 3 && event.data.n < 4
        event.data.n >= 3 && event.data.n <= 3
        event.data.o == null
        event.data.x == 3 || event.data.x == 'three'
        has(event.data.o) && event.data.o == 'x'
        !has(event.data.o) || event.data.o == 'x'
        event.data.x != null && event.data.x > 3
        event.data.x > 3 && event.data.s == 'x'
        event.data.s != 'a' && event.data.s != 'b'
        event.data.s == 'a' || event.data.s == 'b'
        !(event.data.n > 5 && event.data.s == 'x')
        duration(event.data.s).getHours() > 23
        event.data.x.exists(key, key == 35)
        event.data.x.exists(big, big > 3) && event.data.n < 100
        event.data.n > 5 && event.data.x.all(e, e < 3)
        event.time.getHours() >= 22 || event.time.getHours() < 6
        event.data.n > event.data.x || event.data.n < event.data.x
        true
    """.strip().splitlines():
        assert codes(when.strip()) == [], when


def test_a_schema_says_nothing_where_types_disagree_or_events_have_none() -> None:
    assert codes("event.data.s == 3", "[a, c]") == []
    assert codes("event.data.i == 2.5", "[a, c]") == ["never-fires"]
    assert codes("event.data.s == 3", "[a, other]") == []
    assert codes("event.data.s == 3", "'*'") == []
    assert codes("event.type == 'b'", "'*'") == []
    assert codes("event.type == 'orchestrator.tick'", "'*'") == ["never-fires"]
    assert codes("event.type == 'b.c'", "'b.*'") == []
    assert codes("event.type == 'd'", "[a, 'b.*']") == ["never-fires"]


def test_alternatives_of_which_one_always_holds_are_seen() -> None:
    for when in """
        event.data.s != 'a' || event.data.s != 'b'
        event.data.n > 5 || event.data.n < 10
        event.data.b || !event.data.b
        event.data.n < event.data.x || event.data.n >= event.data.x
        size(event.data.s) >= 0 || event.data.b
    """.strip().splitlines():
        assert [(each.code, each.severity) for each in warnings(when.strip())] == [("always-true", "warning")], when


def test_a_comparison_that_others_imply_is_noted_and_of_two_equals_the_later() -> None:
    for when, column in (
        ("event.data.n > 5 && event.data.n > 3", 27),
        ("event.data.n > 3 && event.data.n > 5", 7),
        ("event.data.n > 5 && event.data.n > 5", 27),
        ("event.data.s == 'a' && event.data.s != 'b'", 30),
        ("event.data.n >= 1 && event.data.n <= 9 && event.data.n != 10", 49),
        ("key != 3", 7),
        ("event.type == 'a'", 7),
    ):
        (found,) = warnings(when)
        assert (found.code, found.severity) == ("always-true", "note"), when
        assert found.column == column, when


def test_a_part_that_can_never_be_true_is_shown_where_it_stands() -> None:
    (found,) = warnings("event.data.n > 5 && (event.data.n < 3 || event.data.s == 'x')")
    assert (found.code, found.column) == ("never-true", 28)
    (found,) = warnings("event.time.getDayOfWeek() == 7 || event.time.getDayOfWeek() == 1")
    assert (found.code, found.column) == ("never-true", 7)
    assert found.hint == "`event.time.getDayOfWeek()` is from 0 to 6"
    (found,) = warnings("event.data.x.exists(e, e > 5 && e < 3)")
    assert (found.code, found.column) == ("never-true", 39)


def test_folds_payloads_and_cancelling_conditions_are_looked_at() -> None:
    text = """ruleset: t
projections:
  p: {fold: {a: {n: "event.time.getMonth() == 12 ? 1 : 2"}}}
rules:
  r:
    on: a
    after: 1h
    unless: {on: b, when: event.type == start.type}
    then: [{command: c, to: log, args: {n: "${event.data.n > 1 && event.data.n < 1}"}}]
"""
    found = [(each.code, each.line) for each in load_sources({"r.yaml": text}).warnings]
    assert found == [("never-true", 3), ("never-fires", 8), ("never-true", 9)]


def test_what_a_table_can_answer_and_what_is_declared_within_maps_is_known() -> None:
    text = """ruleset: t
events: {a: {n: number, address: {country: string}}}
tables:
  risk:
    inputs: [event.data.n]
    outputs: [level, other]
    hit: first
    rows:
      - [">= 100", {level: high, other: "${event.data.n}"}]
      - ["-", {level: low}]
rules:
  r:
    on: a
    let: {risk: tables.risk}
    when: CONDITION
    then: [{alert: "${risk.level}"}]
"""
    for when, expected in (
        ("tables.risk.level == 'hihg'", "never-fires"),
        ("risk.level == 'medium'", "never-fires"),
        ("event.data.address.country == 49", "never-fires"),
        ("tables.risk.level == 'low' && risk.level != 'low'", "never-fires"),
        ("tables.risk.level == 'low'", None),
        ("tables.risk.other == 7", None),
        ("event.data.address.zip == 7", None),
    ):
        found = load_sources({"r.yaml": text.replace("CONDITION", f'"{when}"')}).warnings
        assert [each.code for each in found if "never" in each.code] == ([expected] if expected else []), when
    (found,) = load_sources({"r.yaml": text.replace("CONDITION", "risk.level == 'hihg'")}).warnings
    assert found.hint == "`risk.level` is `'high'` or `'low'`"
