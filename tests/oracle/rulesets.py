"""Random rule sets, as texts that any reader of the language takes: small alphabets, so that all meets all."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from rules.compile import compile_rules
from rules.compile.limits import Limits
from rules.diagnostics import RuleErrors
from rules.load import load_sources
from rules.processor import RulesProcessor
from rules.ruleset import RuleSet
from tests.oracle.document import Document, read
from tests.oracle.drawing import further
from tests.oracle.naive import Oracle

RESULT_TYPE = "orchestrator.command.succeeded"
PATTERNS = ["a", "b", "x.*", "*", "d", "d.*", "x.a", RESULT_TYPE]
EXACT = ["a", "b", "x.a", "d"]
LANDED = frozenset(["keep", "everywhere", "table", "settle", "sequence", "window"])
"""Constructs beside deadlines and `once_within` that the engine has."""
OF_ONE_KEY = LANDED - {"everywhere"}
"""Those that let no key see another."""
ALL = frozenset(["window", "sequence", "settle", "table", "keep", "everywhere"])

LETS: list[dict[str, Any]] = [
    {},
    {"x": "event.data.n"},
    {"x": "p0.n", "y": "x * 2"},
    {"x": "event.time", "y": "event.data.k"},
    {"x": "event.data.n / (event.data.n - 1)", "y": "event.data.n + 1"},
]
CONDITIONS = [
    "event.data.n > 1",
    "event.data.n == 2",
    "has(event.data.k) && event.data.k == 's1'",
    "event.data.n > 0 || event.data.k == 's0'",
    "p0.n >= 1",
    "!has(p0.n) || p0.count < 3",
    "event.data.flag",
    "event.type in ['a', 'd'] && event.data.n != 1",
    "key == 's0'",
]
EVERYWHERE = ["event.data.k in e0", "e0['s0'].n > 1", "!('7' in e0) || e0['7'].n == event.data.n"]
EVERYWHERE_PAYLOADS: list[dict[str, Any]] = [{"e": "${e0['s1'].n}"}, {"known": "${e0.map(key, key in e0)}"}]
LET_CONDITIONS = ["x > 1", "y > 2", "x == 2 || y == 's1'", "x == y"]
PAYLOADS: list[dict[str, Any]] = [
    {},
    {"n": "${event.data.n}", "at": "${now}"},
    {"text": "of ${key}: ${event.type}", "deep": [{"k": "${event.data.k}"}, 1.0]},
    {"row": "${p0.n}", "count": "${has(p0.count) ? p0.count : 0}"},
    {"nested": [{"k": ["${event.data.k}", {"n": "${event.data.n + 1}"}]}, "$${key}"], "none": None},
    {"map": "${{'n': event.data.n, 'in': [key, {'k': event.data.k}]}}", "text": "${[1, 2].map(i, i * event.data.n)}"},
    {"data": "${event.data}", "text": "${has(event.data.n) ? '} ${' : \"{\"} and ${ {'a': event.time} }"},
]
TIMEOUTS = ["500ms", "30s", "1m30s"]
EXPIRES = ["1s", "2h", "1d"]
LET_PAYLOADS: list[dict[str, Any]] = [{"x": "${x}"}, {"y": "${y}", "x": "kept ${x}"}]
HAVING = [
    "count() >= 2",
    "sum(event.data.n) > 2",
    "avg(event.data.n) >= 1 && count() < 4",
    "max(event.data.n) > min(event.data.n)",
    "distinct(event.data.k) == 2",
    "first(event.data.n) != last(event.data.n) || event.data.n == 2",
    "last(event.data.k) == 's1' && p0.n > 0",
]
AGGREGATES: list[dict[str, Any]] = [
    {"c": "${count()}", "ends": "${now}"},
    {"s": "${sum(event.data.n)}", "avg": "about ${avg(event.data.n)}"},
    {"min": "${min(event.data.n)}", "max": "${max(event.data.n)}", "d": "${distinct(event.data.n)}"},
    {"first": "${first(event.id)}", "last": "${last(event.id)}", "event": "${event.id}"},
    {"flags": "${distinct(event.data.flag)}", "all": "${distinct(event.id)}"},
]
OVERS: list[Any] = [
    "2s",
    "5s",
    "10s",
    {"last": 1},
    {"last": 3},
    {"sliding": "10s", "step": "2s"},
    {"sliding": "4s", "step": "2s"},
    {"sliding": "6s", "step": "3s"},
    {"tumbling": "2s"},
    {"tumbling": "5s"},
    {"tumbling": "10s"},
    {"session": "1s"},
    {"session": "2s"},
    {"session": "5s"},
    {"sliding": "10s", "limit": 1},
    {"sliding": "10s", "limit": 2},
    {"sliding": "5s", "limit": 3},
    {"sliding": "6s", "step": "3s", "limit": 1},
    {"tumbling": "10s", "limit": 1},
    {"session": "5s", "limit": 2},
]
STEP_CONDITIONS = [
    "event.data.n > 0",
    "event.data.n >= s0.data.n",
    "s0.id != event.id && event.data.n != 2",
    "event.data.k == s0.data.k",
    "has(p0.n)",
]
STEPS: list[dict[str, Any]] = [{"o": "${s0.id}", "e": "${event.id}"}, {"n": "${s0.data.n}", "at": "${now}"}]
TABLES: dict[str, dict[str, Any]] = {
    "first": {
        "inputs": ["event.data.n", "event.data.k"],
        "outputs": ["level", "who"],
        "hit": "first",
        "rows": [
            ["> 1", "'s0'", {"level": 1, "who": "${event.data.k}"}],
            ["in [1, 2]", "-", {"level": "two"}],
            ["-", "!= 's1'", {"level": "${event.data.n}"}],
        ],
    },
    "all": {
        "inputs": ["event.data.n"],
        "outputs": ["n"],
        "hit": "collect",
        "rows": [["[0..2)", {"n": 1}], ["(0..2]", {"n": 2}], [2, {"n": 3}], [True, {"n": 4}], ["-", {"n": 5}]],
    },
}
TABLE_LETS = [
    {"table": "tables.first", "x": "table.level", "y": "event.data.n"},
    {"table": "tables.all", "x": "table.size()"},
    {"table": "tables.all.map(row, row.n)", "x": "tables.first.who"},
]
TABLE_PAYLOADS: list[dict[str, Any]] = [{"table": "${table}"}, {"x": "${x}"}, {"who": "is ${tables.first.who}"}]
TABLE_CONDITIONS = ["tables.all.size() > 2", "tables.first.level == 'two'", "has(tables.first.who) || key == '7'"]
PINNED = [
    "event.data.k == 's0'",
    "'s1' == event.data.k",
    "event.data.k in ['s0', 's1', 's0', 7]",
    "event.data.k == 7.0 && event.data.n > 1",
    "event.data.k == true || event.data.n == 2",
    "event.data.n > 0 && event.data.k == 's1'",
    "event.data.k == 's0' && event.type == 'a' && has(p0.n)",
    "event.data.k == 7",
    "event.data.k in [true, 1]",
    "event.data.k == 's9' && event.data.n < 3",
    "event.type == 'a'",
    "event.data.k == 's1' && event.data.flag",
]
"""Enough equalities on one field to be worth an index."""


class Drawn:
    """A rule set as the engine and as the oracle read it; a failing test shows its text. `matches` is how many partial
    matches a sequence may have of one key."""

    def __init__(self, text: str, matches: int) -> None:
        self.text = text
        self.rules: RuleSet = load_sources({"rules.json": text})
        self.limits = Limits(matches)
        self.document: Document = read(text)

    def compiled(self) -> RulesProcessor:
        return compile_rules(self.rules, self.limits)

    def oracle(self, *, shared: bool = False) -> Oracle:
        return Oracle(self.document, shared, self.limits.matches)

    def __repr__(self) -> str:
        return f"{self.text}\nat most {self.limits.matches} matches"


def seconds(number: int) -> str:
    return f"{number}s"


def crowded(place: int, when: str) -> dict[str, Any]:
    args = {"place": place}
    then = [{"command": "crowd", "to": "target", "args": args}]
    return {"on": ["a", "d"], "when": when, "priority": place % 3, "then": then}


@st.composite
def projections(draw: st.DrawFn, crossing: bool, constructs: Collection[str]) -> dict[str, Any]:
    fields = st.sampled_from(
        [
            {"n": "event.data.n"},
            {"n": "event.data.n", "count": "row.count + 1"},
            {"count": "has(row.count) ? row.count + 1 : 1"},
            {"last": "event.time", "n": "row.n + event.data.n"},
            {"n": 2.0, "k": "event.data.k"},
        ]
    )
    made: dict[str, Any] = {"fold": draw(st.dictionaries(st.sampled_from(EXACT), fields, min_size=1, max_size=3))}
    # what rules read is there, so that no reader finds a name that nothing folds
    made["fold"]["x.q"] = {"n": "event.data.n", "count": "row.count", "k": "event.data.k"}
    made["initial"] = draw(st.sampled_from([{}, {"count": "0"}, {"count": "0", "n": "1.5"}]))
    made["delete"] = draw(st.lists(st.sampled_from(["x.b", "d.e"]), max_size=1))
    if crossing and draw(st.booleans()):
        made["by"] = "event.data.k"
    if "keep" in constructs and draw(st.integers(0, 2)) == 2:
        made["keep"] = seconds(draw(st.sampled_from([1, 2, 5])))
    return {name: value for name, value in made.items() if value not in ({}, [])}


@st.composite
def patterns(draw: st.DrawFn, most: int = 2) -> list[str]:
    return draw(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=most, unique=True))


@st.composite
def sequences(draw: st.DrawFn) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for place in range(draw(st.integers(2, 3))):
        if place and draw(st.integers(0, 2)) == 2:
            nothing: dict[str, Any] = {"on": draw(patterns(1))}
            if draw(st.booleans()):
                nothing["when"] = draw(st.sampled_from(STEP_CONDITIONS))
            made.append({"not": nothing})
        step: dict[str, Any] = {"on": draw(st.sampled_from([["*"], ["a"], ["a", "b"], ["b", "x.*", "d"]]))}
        if draw(st.integers(0, 2)) == 2:
            step["when"] = draw(st.sampled_from(STEP_CONDITIONS))
        if draw(st.integers(0, 3)) == 3:
            step["times"] = draw(st.integers(2, 3))
        made.append({f"s{place}": step})
    return made


def hears(rule: dict[str, Any]) -> list[str]:
    steps = [value for step in rule.get("sequence", []) for value in step.values()]
    return [*rule.get("on", []), *(type for step in steps for type in step["on"])]


@st.composite
def rules(draw: st.DrawFn, crossing: bool, constructs: Collection[str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    trigger = draw(st.sampled_from(["plain", *["after"] * 2, *sorted({"window", "sequence"} & set(constructs)) * 3]))
    if trigger == "sequence":
        made["sequence"] = draw(sequences())
        made["within"] = seconds(draw(st.sampled_from([1, 2, 5, 10])))
    else:
        made["on"] = draw(patterns())
    let = dict(draw(st.sampled_from(LETS)))
    if "table" in constructs and draw(st.integers(0, 2)) == 2:
        let = draw(st.sampled_from(TABLE_LETS))
    if let:
        made["let"] = let
    conditions = [None, *CONDITIONS, *(LET_CONDITIONS if "y" in let else [])]
    if "everywhere" in constructs:
        conditions += EVERYWHERE
    if "table" in constructs:
        conditions += TABLE_CONDITIONS
    condition = draw(st.sampled_from(conditions))
    if condition is not None and draw(st.booleans()):
        made["when"] = condition
    if trigger == "after":
        made["after"] = seconds(draw(st.sampled_from([0, 2, 10])))
        made["pending"] = draw(st.sampled_from(["each", "first", "latest"]))
        if draw(st.booleans()):
            made["unless"] = {"on": draw(patterns())}
            condition = draw(st.sampled_from([None, "event.data.n > start.data.n", "event.data.n == 2"]))
            if condition is not None:
                made["unless"]["when"] = condition
    if trigger == "window":
        made["over"] = draw(st.sampled_from(OVERS))
        if draw(st.integers(0, 2)) == 2:
            made["having"] = draw(st.sampled_from(HAVING))
    within = draw(st.sampled_from([None, None, 5, True]))
    if within is True:
        made["once"] = True
        if draw(st.booleans()):
            made["keep"] = "7s"
    elif within is not None:
        made["once_within"] = seconds(within)
    if "settle" in constructs and draw(st.integers(0, 2)) == 2:
        made["settle"] = seconds(draw(st.sampled_from([1, 2, 5])))
    if crossing:
        by = draw(st.sampled_from([None, None, "event.data.k", "event.subject", "map"]))
        heard = [*hears(made), *made.get("unless", {"on": []})["on"]]
        if by == "map":
            made["by"] = {heard[0]: "event.data.k", heard[-1]: "event.data.n"}
        elif by is not None:
            made["by"] = by
    made["priority"] = draw(st.integers(0, 2))
    made["enabled"] = draw(st.integers(0, 9)) < 9
    made["shadow"] = draw(st.integers(0, 5)) == 5
    made["then"] = draw(actions(made, trigger, crossing, EVERYWHERE_PAYLOADS if "everywhere" in constructs else []))
    return made


@st.composite
def commands(
    draw: st.DrawFn, args: dict[str, Any], payloads: list[dict[str, Any]], emitted: list[str], depth: int = 0
) -> dict[str, Any]:
    """A command or an alert, one of four with terms."""
    made: dict[str, Any] = {"command": draw(st.sampled_from(["do", "undo"])), "args": args}
    made["to"] = draw(st.sampled_from(["target", "target", "other"]))
    if draw(st.integers(0, 7)) == 7:
        severity = draw(st.sampled_from(["low", "${event.data.k}"]))
        made = {"alert": "look at ${key}: ${event.data.n}", "severity": severity}
    if draw(st.integers(0, 3)) < 3:
        return made
    optional = {"timeout": st.sampled_from(TIMEOUTS), "expires": st.sampled_from(EXPIRES), "order": st.just("key")}
    made |= draw(st.fixed_dictionaries({}, optional=optional))
    if depth < 2 and draw(st.booleans()):
        made["fallback"] = []
        for _ in range(draw(st.integers(1, 2))):
            data = draw(st.sampled_from(payloads))
            if emitted and draw(st.booleans()):
                made["fallback"].append({"emit": draw(st.sampled_from(emitted)), "subject": "of ${key}", "data": data})
            else:
                made["fallback"].append(draw(commands(data, payloads, emitted, depth + 1)))
    return made


@st.composite
def actions(
    draw: st.DrawFn, rule: dict[str, Any], trigger: str, crossing: bool, further: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    # no loops: they end at sixteen, but there would be more of them than anybody can wait for
    on = set(hears(rule))
    emitted = ["d", "d.e"] if not {"d", "d.*", "*"} & on else ["d.e"] if not {"d.*", "*"} & on else []
    let = rule.get("let", {})
    payloads = PAYLOADS + further + (LET_PAYLOADS if "y" in let else []) + (TABLE_PAYLOADS if "table" in let else [])
    payloads = payloads + {"window": AGGREGATES * 2, "sequence": STEPS * 2}.get(trigger, [])
    then: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 2))):
        data = draw(st.sampled_from(payloads))
        if not emitted or draw(st.booleans()):
            then.append(draw(commands(data, payloads, emitted)))
            continue
        made = {"emit": draw(st.sampled_from(emitted)), "data": {**data, "n": 2, "k": "s1"}}
        subject = draw(st.sampled_from([None, None, "${event.data.k}", "s0"] if crossing else [None]))
        then.append(made if subject is None else {**made, "subject": subject})
    return then


SHAPES = [{"n": "number", "k": "any?"}, {"n": "integer?", "flag": "boolean?"}, {"k": "string", "n": "any"}]
UPCASTS: list[dict[str, str]] = [
    {},
    {"n": "event.data.n + 1"},
    {"n": "has(event.data.n) ? event.data.n : 3", "flag": "null"},
    {"flag": "event.data.n > 1", "k": "event.data.k == 's0' ? 's1' : 's0'"},
]
"""Some have no value for some data."""
REFUSED = {"expression"}
"""Codes of mistakes that a random rule may have: `x > 1` where x is a time."""
READ = {"n": "any?", "k": "any?", "flag": "any?"}
"""Declared too, so that no reader finds fields that a schema does not name."""


@st.composite
def texts(draw: st.DrawFn, crossing: bool = False, constructs: Collection[str] = LANDED) -> str:
    made: dict[str, Any] = {"ruleset": "test", "lateness": seconds(further(draw, [0, 0, 3, 15]))}
    types = draw(st.lists(st.sampled_from(["a", "d", "x.b"]), unique=True, max_size=3))
    if types:
        made["events"] = {}
        for type in types:
            newest = draw(st.sampled_from([1, 1, 2, 3]))
            if newest == 1 or draw(st.booleans()):
                made["events"][type] = {**READ, **draw(st.sampled_from(SHAPES))}
            for version in range(2, newest + 1):
                upcast = {f"from/{version - 1}": draw(st.sampled_from(UPCASTS))}
                made["events"][f"{type}/{version}"] = {**READ, **draw(st.sampled_from(SHAPES)), **upcast}
    made["projections"] = {"p0": draw(projections(crossing, constructs))}
    if "everywhere" in constructs:
        made["projections"]["e0"] = {**draw(projections(crossing, constructs)), "scope": "everywhere"}
    made["rules"] = {f"r{place}": draw(rules(crossing, constructs)) for place in range(draw(st.integers(1, 4)))}
    if "table" in constructs:
        made["tables"] = TABLES
    if draw(st.integers(0, 4)) == 4:
        crowd = draw(st.permutations(list(enumerate(PINNED))))
        made["rules"] |= {f"c{place}": crowded(place, when) for place, when in crowd}
    return shown(made)


def shown(document: dict[str, Any]) -> str:
    """JSON, a line for each part."""
    lines: list[str] = []
    for name, value in document.items():
        if isinstance(value, dict):
            parts = ",\n".join(f"  {json.dumps(key)}: {json.dumps(part)}" for key, part in value.items())
            lines.append(f"{json.dumps(name)}: {{\n{parts}\n }}")
        else:
            lines.append(f"{json.dumps(name)}: {json.dumps(value)}")
    return "{\n " + ",\n ".join(lines) + "\n}"


@st.composite
def rulesets(draw: st.DrawFn, crossing: bool = False, constructs: Collection[str] = LANDED) -> Drawn:
    text = draw(texts(crossing, constructs))
    try:
        return Drawn(text, draw(st.sampled_from([1, 2, 3, 1_000])))
    except RuleErrors as error:
        if REFUSED.issuperset(each.code for each in error.diagnostics if each.severity == "error"):
            assume(False)
        raise
