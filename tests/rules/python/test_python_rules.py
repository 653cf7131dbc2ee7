"""Python rules: what they return is done, what they keep is bounded, and what they must not do parks the event."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from rules.compile import compile_rules
from rules.explain.explainer import Explainer
from rules.explain.simulated import known
from rules.load import from_document, load_sources
from rules.python.needed import ModulesMissing
from rules.ruleset import RuleSet
from rules.simulation import Simulation
from rules.testing import RuleTestKit, given, run_tests
from streams.digest import firing_id
from streams.event import Event, fingerprint
from streams.outputs import Command as Decided
from streams.processor import Poisoned
from tests.oracle.partition import OnePartition

HEAD = "from rules.python import Alert, Command, Emit, Event, rule\n"
YAML = "ruleset: cards\n"
ESCALATE = (
    HEAD
    + """
LIMITS = {"gold": 3}

@rule(on="payment.failed", by="event.data.card", when="event.data.amount > 10", state={"count": int, "seen": list})
def escalate(event, state, now):
    state["count"] += 1
    state["seen"].append(event.data["amount"])
    if state["count"] == LIMITS.get(event.data.get("tier"), 2):
        yield Command("block", to="bank", args={"card": event.key, "seen": state["seen"], "now": now})
        state["count"] = 0
        state["seen"] = []
"""
)
NOON = 1_704_067_200_000_000


def rules(python: str, yaml: str = YAML) -> RuleSet:
    return load_sources({"rules.yaml": yaml}, {"cards.py": python})


def one(body: str, declared: str = 'on="a"', yaml: str = YAML) -> RuleSet:
    """A rule of these lines."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return rules(f"{HEAD}\n@rule({declared})\ndef r(event, state, now):\n{lines}\n", yaml)


def failed(kit: RuleTestKit, *amounts: float, card: str = "c1") -> RuleTestKit:
    for amount in amounts:
        kit.event("payment.failed", "A", {"card": card, "amount": amount})
    return kit


# ------------------------------------------------------------ calls and results


def test_a_rule_is_called_for_events_that_fit_and_keeps_its_state_by_key() -> None:
    kit = failed(given(rules(ESCALATE)), 20, 5, 30.5)
    (command,) = kit.commands
    assert (command.command, command.to, command.rule, command.key) == ("block", "bank", "escalate", "c1")
    assert command.args == {"card": "c1", "seen": [20, 30.5], "now": "2024-01-01T00:00:00Z"}
    assert kit.fired("escalate") == 1
    assert len(failed(kit, 20, card="c2").commands) == 1
    assert len(failed(kit, 20, 20).commands) == 2


def test_the_id_of_a_command_is_that_of_a_firing_at_its_place_among_the_actions() -> None:
    kit = given(one('return [Alert("one"), Command("two", to="t")]')).event("a", "A", id="e1", source="s")
    assert [each.id for each in kit.commands] == [
        firing_id("cards", "r", "A", None, ["s", "e1"], NOON, place) for place in (0, 1)
    ]
    assert [(each.command, each.to, each.args) for each in kit.commands] == [
        ("alert", "alerts", {"text": "one", "severity": "warning"}),
        ("two", "t", {}),
    ]


def test_the_event_has_all_that_came_with_it_and_the_time_is_aware() -> None:
    body = """
assert now == event.time and event.time.utcoffset().total_seconds() == 0
return [Command("c", to="t", args={"all": [event.id, event.source, event.type, event.subject, event.key], \
"data": event.data, "more": dict(event.extensions)})]
"""
    kit = given(one(body)).event("a", "A", {"n": [1, None]}, id="e1", source="s", traceid="7")
    assert kit.commands[0].args == {
        "all": ["e1", "s", "a", "A", "A"],
        "data": {"n": [1, None]},
        "more": {"traceid": "7"},
    }


def test_what_a_rule_does_to_the_data_of_the_event_no_other_rule_sees() -> None:
    yaml = YAML + 'rules: {later: {on: a, priority: -1, then: [{command: c, to: t, args: {n: "${event.data.n}"}}]}}'
    kit = given(one('event.data["n"].append(2)', yaml=yaml)).event("a", "A", {"n": [1]})
    assert kit.commands[0].args == {"n": [1]}


def test_yaml_rules_react_to_what_python_rules_emit_and_the_reverse() -> None:
    yaml = YAML + "rules: {first: {on: a, then: [{emit: b, data: {n: 1}}]}, last: {on: c, then: [{alert: done}]}}"
    kit = given(one('yield Emit("c", {"n": event.data["n"] + 1})', 'on="b"', yaml)).event("a", "A")
    assert [event.type for event in kit.derived] == ["b", "c"]
    assert [command.rule for command in kit.commands] == ["last"]


def test_python_rules_stand_behind_yaml_rules_unless_their_priority_is_higher() -> None:
    yaml = YAML + "rules: {y: {on: a, then: [{alert: y}]}}"
    for priority, order in ((0, ["y", "r"]), (1, ["r", "y"])):
        kit = given(one('return [Alert("r")]', f'on="a", priority={priority}', yaml)).event("a", "A")
        assert [command.rule for command in kit.commands] == order


def test_a_shadow_is_recorded_and_a_disabled_rule_is_not_called() -> None:
    kit = given(one('return [Alert("x"), Emit("b")]', 'on="a", shadow=True')).event("a", "A")
    assert [command.shadow for command in kit.commands] == [True]
    assert kit.derived == []
    assert given(one('return [Alert("x")]', 'on="a", enabled=False')).event("a", "A").commands == []


def test_a_rule_that_feeds_itself_is_taken_for_a_loop() -> None:
    kit = given(one('return [Emit("a")]')).event("a", "A")
    assert len(kit.derived) == 16


def test_terms_of_delivery_and_fallbacks_go_with_a_command() -> None:
    body = (
        'return [Command("c", to="t", timeout="5s", expires="1h", order="key", fallback=[Alert("no"), Emit("b", 1)])]'
    )
    (command,) = given(one(body)).event("a", "A").commands
    assert command.terms is not None
    assert (command.terms.timeout, command.terms.expires, command.terms.order) == (5_000_000, 3_600_000_000, True)
    assert [type(each).__name__ for each in command.terms.fallback] == ["Command", "Derived"]


def test_tests_of_rule_files_may_expect_what_python_rules_decide() -> None:
    yaml = (
        YAML
        + """
tests:
  two failures block:
    given:
      - {type: payment.failed, time: 2024-01-01T00:00:00Z, data: {card: c1, amount: 20}}
      - {type: payment.failed, time: 2024-01-01T00:00:00Z, data: {card: c1, amount: 30}}
    expect: [{command: block, key: c1}]
  one does not:
    given:
      - {type: payment.failed, time: 2024-01-01T00:00:00Z, data: {card: c1, amount: 20}}
    expect: [{command: block, key: c1}]
"""
    )
    passing, failing = run_tests(rules(ESCALATE, yaml))
    assert passing.passed, passing.report
    assert not failing.passed
    assert "no rule has a command" not in failing.report


# ------------------------------------------------------------ what goes wrong

BAD = {
    'raise ValueError("no")': "line 5): ValueError: no",
    "state['x'] = 1": "field 'x' that is not declared",
    "state['n'] = 'text'": "`n` is declared as int, and holds str",
    "state['n'] = True": "`n` is declared as int, and holds bool",
    "del state['n']": "`n` is gone",
    "state['n'] = 2**64": "does not fit in 64 bits",
    "state['s'] = 'x' * 200": "`max_state` is 100",
    "state['l'] = [now]": "state `l`[0] is of type datetime",
    "state['l'] = [{1}]": "state `l`[0] is of type set",
    "return Alert('x')": "it returned one Alert: return a list",
    "return 1": "it returned int",
    "return ['x']": "it returned str among the actions",
    "return [Command('a b', to='t')]": "`command` cannot be 'a b'",
    "return [Command('c', to='')]": "`to` cannot be ''",
    "return [Command('c', to='t', args={'x': object()})]": "args['x'] is of type object",
    "return [Command('c', to='t', args={'x': float('nan')})]": "not finite",
    "return [Command('c', to='t', args={1: 2})]": "a key of args needs a text",
    "return [Command('c', to='t', timeout='soon')]": "`timeout` is a text such as 30s",
    "return [Emit('orchestrator.tick')]": "the system's own",
    "return [Emit('a.*')]": "an exact type",
    "return [Alert('x')] * 1001": "more than 1,000 actions",
    "raise SystemExit(3)": "SystemExit: 3",
    "yield Alert('x'); raise KeyError('k')": "KeyError: 'k'",
    "raise ValueError(object())": "object at 0x…>",
}


@pytest.mark.parametrize("body", BAD)
def test_what_a_rule_must_not_do_parks_the_event_and_says_where_and_why(body: str) -> None:
    kit = given(one(body, 'on="a", state={"n": int, "s": str, "l": list}, max_state=100'))
    with pytest.raises(Poisoned) as found:
        kit.event("a", "A")
    assert found.value.reason.startswith("PythonRuleError: rule r (cards.py, line ")
    assert BAD[body] in found.value.reason


def test_an_event_that_fails_leaves_state_outputs_and_other_rules_as_they_were() -> None:
    body = 'state["n"] += 1\nyield Alert("x")\nif event.data["n"] == 2:\n    raise ValueError("no")'
    yaml = YAML + "projections: {p: {fold: {a: {n: event.data.n}}}}"
    processor = compile_rules(one(body, 'on="a", state={"n": int}', yaml))
    partition = OnePartition(processor)
    partition.step([event(1, "A"), event(1, "B")])
    before = dict(partition.stored)
    with pytest.raises(Poisoned) as found:
        partition.step([event(2, "A"), event(3, "B")])
    assert found.value.event.id == "2"
    assert partition.stored == before
    partition.step([event(3, "A")])
    assert [each.cause for each in partition.commands()] == ["1", "1", "3"]


def test_explain_says_what_is_kept_and_why_a_rule_fails() -> None:
    ruleset = one('state["n"] += 1\nreturn [Alert(str(1 / event.data["n"]))]', 'on="a", state={"n": int}')
    simulation = Simulation(compile_rules(ruleset))
    simulation.event(event(1, "A"))
    (key,) = Explainer(ruleset).explain(event(0, "A"), known(simulation)).keys
    (told,) = key.rules
    assert told.state == ('state: {"n":1}',)
    assert told.verdict == "not evaluated"
    assert "ZeroDivisionError" in told.reason


# ------------------------------------------------------------ state


def event(n: int, key: str) -> Event:
    data = msgspec.Raw(msgspec.json.encode({"n": n}))
    return Event("a", NOON, key, key, "test", str(n), fingerprint("test", f"{n}{key}"), data)


def state_id(declared: str, body: str = "return []") -> str:
    return compile_rules(one(body, declared)).node_ids["rule `r`/state"]


def test_mending_the_function_keeps_the_state_and_another_shape_version_or_condition_begins_anew() -> None:
    plain = 'on="a", state={"n": int}'
    assert state_id(plain) == state_id(plain, "state['n'] = 2") == state_id(plain + ", priority=7, shadow=True")
    others = [
        'on="b", state={"n": int}',
        'on="a", state={"m": int}',
        'on="a", state={"n": float}',
        'on="a", state={"n": 7}',
        plain + ", version=2",
        plain + ', by="event.id"',
        plain + ', when="true"',
    ]
    assert len({state_id(each) for each in (plain, *others)}) == 1 + len(others)


def test_a_state_begins_with_what_it_declares_and_takes_no_room_when_it_is_so_again() -> None:
    body = """
seen = dict(state)
state["n"] = event.data["n"]
return [Command("c", to="t", args=seen)]
"""
    processor = compile_rules(one(body, 'on="a", state={"n": 7, "f": float, "l": ["x"]}'))
    partition = OnePartition(processor)
    partition.step([event(1, "A"), event(7, "A")])
    assert [each.args for each in partition.commands()] == [
        {"n": 7, "f": 0, "l": ["x"]},
        {"n": 1, "f": 0, "l": ["x"]},
    ]
    assert partition.cell("A").nodes == {}


def test_what_a_rule_holds_on_to_is_a_copy() -> None:
    python = "@rule(on='a', state={'l': list})\ndef r(event, state, now, held=[]):\n"
    python += "    held.append(state['l'])\n    for each in held: each.append(1)\n"
    partition = OnePartition(compile_rules(rules(HEAD + python)))
    partition.step([event(1, "A"), event(2, "A")])
    (packed,) = partition.cell("A").nodes.values()
    assert msgspec.msgpack.decode(packed) == {"l": [1, 1]}


AMOUNTS = st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 3)), max_size=25)


@drawn(AMOUNTS, st.sets(st.integers(0, 25)))
def test_any_cut_into_batches_gives_what_a_plain_loop_gives(amounts: list[tuple[str, int]], cuts: set[int]) -> None:
    body = """
state["sum"] += event.data["n"]
state["last"] = (state["last"] + [event.data["n"]])[-3:]
if state["sum"] >= 5:
    yield Command("c", to="t", args={"sum": state["sum"], "last": state["last"]})
    state["sum"] = 0
"""
    sums: dict[str, tuple[int, list[int]]] = {}
    expected = []
    log = []
    for place, (key, n) in enumerate(amounts):
        data = msgspec.Raw(msgspec.json.encode({"n": n}))
        log.append(Event("a", NOON, key, key, "test", f"e{place}", fingerprint("test", f"e{place}"), data))
        total, last = sums.get(key, (0, []))
        total, last = total + n, [*last, n][-3:]
        if total >= 5:
            expected.append((f"e{place}", {"sum": total, "last": last}))
            total = 0
        sums[key] = total, last
    processor = compile_rules(one(body, 'on="a", state={"sum": int, "last": list}'))
    partition = OnePartition(processor)
    partition.run(log, cuts)
    assert [(each.cause, each.args) for each in partition.commands()] == expected
    simulation = Simulation(processor, 3)
    for each in log:
        simulation.event(each)
    assert {each.id for each in simulation.commands} == {each.id for each in partition.commands()}


# ------------------------------------------------------------ the module is part of the rule set


def test_an_edited_module_is_another_rule_set_and_a_set_without_modules_is_what_it_was() -> None:
    assert rules(ESCALATE).digest != rules(ESCALATE + "# a comment\n").digest
    assert load_sources({"r.yaml": YAML}).document == b'{"engine":1,"files":[["r.yaml","ruleset: cards\\n"]]}'


def test_a_stored_rule_set_holds_no_code_and_finds_its_module_by_hash() -> None:
    ruleset = rules(ESCALATE)
    assert b"def escalate" not in ruleset.document
    again = from_document(ruleset.document, [("cards.py", ESCALATE + "#"), ("old/cards.py", ESCALATE)])
    assert again == ruleset
    assert again.digest == ruleset.digest
    assert again.rules[-1].name == "escalate"


def test_a_stored_rule_set_whose_module_is_not_there_says_which_and_what_to_do() -> None:
    ruleset = rules(ESCALATE)
    with pytest.raises(ModulesMissing) as found:
        from_document(ruleset.document, [("cards.py", ESCALATE + "#")])
    (said,) = found.value.diagnostics
    assert said.code == "module-missing"
    assert "`cards.py`" in said.message
    hashes = [word for word in said.message.replace(":", "").split() if len(word) == 32]
    assert len({*hashes}) == 2
    assert hashes[0].encode() in ruleset.document
    assert said.hint is not None
    assert "ORCHESTRATOR_PYTHON_RULES_OLD" in said.hint
    with pytest.raises(ModulesMissing, match="no file of this name is here"):
        from_document(ruleset.document)


def test_commands_are_of_the_kind_that_logs_keep() -> None:
    assert all(isinstance(each, Decided) for each in failed(given(rules(ESCALATE)), 20, 20).commands)
