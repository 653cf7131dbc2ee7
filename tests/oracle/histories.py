"""Random rule sets and random histories: small alphabets, so that everything meets everything."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import strategies as st

from rules.model.projection import Projection
from rules.model.rule import Rule
from rules.ruleset import RuleSet
from streams.event import OUTSIDE, RESULT, TICK, Event, control, fingerprint
from streams.state import NEVER
from tests.rules.compile.building import SECOND, command, emit, projection, rule, ruleset, schema, unless

SUBJECTS = ["s0", "s1", "7"]
RESULT_TYPE = "orchestrator.command.succeeded"
TYPES = ["a", "b", "x.a", "x.b", "d", "d.e", RESULT_TYPE]
PATTERNS = ["a", "b", "x.*", "*", "d", "d.*", "x.a", RESULT_TYPE]
LETS: list[dict[str, str]] = [
    {},
    {"x": "event.data.n"},
    {"x": "p0.n", "y": "x * 2"},
    {"x": "event.time", "y": "event.data.k"},
    {"x": "event.data.n / 0", "y": "event.data.n + 1"},
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
LET_CONDITIONS = ["x > 1", "y > 2", "x == 2 || y == 's1'", "x == y"]
PAYLOADS: list[dict[str, Any]] = [
    {},
    {"n": "${event.data.n}", "at": "${now}"},
    {"text": "of ${key}: ${event.type}", "deep": [{"k": "${event.data.k}"}, 1.0]},
    {"row": "${p0.n}", "count": "${has(p0.count) ? p0.count : 0}"},
]
LET_PAYLOADS: list[dict[str, Any]] = [{"x": "${x}"}, {"y": "${y}", "x": "kept ${x}"}]


BY_TYPE = "event.type == 'a' ? event.data.k : event.type.startsWith('x.') ? event.data.n : event.subject"
"""What a map `{a: event.data.k, x.*: event.data.n}` stands for."""
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


def crowded(place: int, when: str) -> Rule:
    return rule(f"crowd{place}", ("a", "d"), command("crowd", place=place), when=when, priority=place % 3)


def projections(crossing: bool) -> st.SearchStrategy[Projection]:
    fields = st.sampled_from(
        [
            {"n": "event.data.n"},
            {"n": "event.data.n", "count": "row.count + 1"},
            {"count": "has(row.count) ? row.count + 1 : 1"},
            {"last": "event.time", "n": "row.n + event.data.n"},
            {"n": "2.0", "k": "event.data.k"},
        ]
    )
    return st.builds(
        lambda folds, initial, delete, by: projection("p0", folds, by, initial, tuple(delete)),
        st.dictionaries(st.sampled_from(["a", "b", "x.a", "d"]), fields, min_size=1, max_size=3),
        st.sampled_from([{}, {"count": "0"}, {"count": "0", "n": "1.5"}]),
        st.lists(st.sampled_from(["x.b", "d.e"]), max_size=1),
        st.sampled_from([None, "event.data.k"] if crossing else [None]),
    )


@st.composite
def rules(draw: st.DrawFn, name: str, crossing: bool) -> Rule:
    on = tuple(draw(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2, unique=True)))
    # no loops: they end at sixteen, but there would be more of them than anybody can wait for
    emitted = ["d", "d.e"] if not {"d", "d.*", "*"} & set(on) else ["d.e"] if not {"d.*", "*"} & set(on) else []
    let = draw(st.sampled_from(LETS))
    conditions = [None, *CONDITIONS, *(LET_CONDITIONS if "y" in let else [])]
    payloads = PAYLOADS + (LET_PAYLOADS if "y" in let else [])
    then: list[Any] = []
    for _ in range(draw(st.integers(1, 2))):
        data = draw(st.sampled_from(payloads))
        if not emitted or draw(st.booleans()):
            then.append(command(draw(st.sampled_from(["do", "undo"])), **data))
            continue
        subjects = [None, None, "${event.data.k}", "s0"] if crossing else [None]
        subject = draw(st.sampled_from(subjects))
        then.append(emit(draw(st.sampled_from(emitted)), subject, {**data, "n": 2, "k": "s1"}))
    after = draw(st.sampled_from([None, 0, 2, 10]))
    cancelling = None
    if after is not None and draw(st.booleans()):
        condition = draw(st.sampled_from([None, "event.data.n > start.data.n", "event.data.n == 2"]))
        cancelling = unless(*draw(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2)), when=condition)
    within = draw(st.sampled_from([None, None, 5, NEVER]))
    return rule(
        name,
        on,
        *then,
        by=draw(st.sampled_from([None, None, "event.data.k", "event.subject", BY_TYPE])) if crossing else None,
        when=draw(st.sampled_from(conditions)),
        let=let,
        after=None if after is None else after * SECOND,
        unless=cancelling,
        pending=draw(st.sampled_from(["each", "first", "latest"])),
        once_within=within if within in (None, NEVER) else within * SECOND,
        priority=draw(st.integers(0, 2)),
        enabled=draw(st.integers(0, 9)) > 0,
        shadow=draw(st.integers(0, 5)) == 0,
    )


@st.composite
def rulesets(draw: st.DrawFn, crossing: bool = False) -> RuleSet:
    parts: list[Any] = [draw(rules(f"r{place}", crossing)) for place in range(draw(st.integers(1, 4)))]
    parts.append(draw(projections(crossing)))
    if draw(st.integers(0, 3)) == 0:
        parts += draw(st.permutations([crowded(place, text) for place, text in enumerate(PINNED)]))
    shapes = [{"n": "number", "k": "any?"}, {"n": "integer?", "flag": "boolean?"}, {"k": "string", "n": "any"}]
    parts += [
        schema(type, **draw(st.sampled_from(shapes))) for type in draw(st.sets(st.sampled_from(["a", "d", "x.b"])))
    ]
    return ruleset(*parts, lateness=draw(st.sampled_from([0, 0, 3, 15])) * SECOND)


def made(place: int, type: str, time: int, subject: str, data: Any, key: str | None = None) -> Event:
    kind = RESULT if type == RESULT_TYPE else OUTSIDE
    key = subject if key is None else key
    id, text = f"e{place}", json.dumps(data).encode()
    return Event(type, time * SECOND, key, subject, "test", id, fingerprint("test", id), msgspec.Raw(text), kind)


@st.composite
def histories(draw: st.DrawFn, ticks: bool = True, keyed: bool = False, longest: int = 14) -> list[Event]:
    """Events and ticks, about in order of time. With `keyed` some have a partition key of their own."""
    data = st.fixed_dictionaries(
        {},
        optional={
            "n": st.sampled_from([0, 1, 2, 2.0, 3, True, "2", None, 1e20]),
            "k": st.sampled_from(["s0", "s1", 7, 7.0, None, ["s0"], True, 1]),
            "flag": st.sampled_from([True, False, 1]),
        },
    )
    history: list[Event] = []
    time = 100
    for place in range(draw(st.integers(1, longest))):
        time += draw(st.sampled_from([0, 0, 1, 2, 5]))
        shown = time - draw(st.sampled_from([0, 0, 0, 1, 4, 12]))
        if ticks and draw(st.integers(0, 6)) == 0:
            history.append(control(TICK, {"limit": draw(st.integers(1, 3))}, time=shown * SECOND, id=f"t{place}"))
            continue
        subject = draw(st.sampled_from(SUBJECTS))
        key = draw(st.sampled_from([None, None, *SUBJECTS])) if keyed else None
        history.append(made(place, draw(st.sampled_from(TYPES)), shown, subject, draw(data), key))
    return history
