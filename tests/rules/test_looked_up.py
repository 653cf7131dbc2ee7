"""Rules that are found by an index do what each of them does alone, where there is none."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.compile import compile_rules
from rules.compile.index import WORTH
from rules.load import load_sources
from rules.processor import RulesProcessor
from streams.event import Event, fingerprint
from streams.outputs import Command
from tests.oracle.partition import OnePartition

SCHEMAS: Final = [
    "",
    "events: {paid: {card: string, amount: number, items: integer?}, refunded: {card: string, amount: number?}}",
]
CARDS: Final = ["v", "w", "x", "y", "z"]
LIMIT: Final = st.sampled_from([-1, 0, 2, 2.5, 9007199254740993])
SIGNS: Final = [["> LIMIT", ">= LIMIT"], ["< LIMIT", "<= LIMIT"]]
PINNED: Final = st.sampled_from([f"event.data.card == '{card}'" for card in CARDS] + ["event.data.card in ['x', 'y']"])
OF_THE_AMOUNT: Final = st.sampled_from([*["event.data.amount SIGN"] * 7, "event.data.amount == LIMIT"])
OTHERS: Final = ["event.data.card > 'a'", "event.data.items < LIMIT", "LIMIT < event.data.amount"]
UNDECLARED: Final = [[], [], ["event.data.unknown == 1"]]


@st.composite
def rules(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Enough of them for an index. Most also ask that an amount be large, or most that it be small; sometimes some read
    what is not declared."""
    made = {}
    others = st.lists(st.sampled_from([*OTHERS, *draw(st.sampled_from(UNDECLARED))]), max_size=1)
    signs = st.sampled_from(draw(st.sampled_from(SIGNS)))
    for place in range(draw(st.integers(WORTH, WORTH + 4))):
        forms = [draw(PINNED), draw(OF_THE_AMOUNT), *draw(others)]
        said = [form.replace("SIGN", draw(signs)).replace("LIMIT", str(draw(LIMIT))) for form in forms]
        asked = draw(st.permutations(said))
        on = draw(st.sampled_from(["paid", "paid", ["paid", "refunded"]]))
        made[f"r{place}"] = {"on": on, "when": " && ".join(asked), "then": [{"command": "act", "to": "t"}]}
    return made


AMOUNT: Final = st.sampled_from([-2, -1, 0, 0.5, 1, 2, 2.0, 2.25, 2.5, 3, 9007199254740993, 1e300])
ANYTHING: Final = st.sampled_from([1, 2, 2.5, None, "2", True])
FITTING: Final = st.fixed_dictionaries({"card": st.sampled_from(CARDS), "amount": AMOUNT})
DATA: Final = (
    FITTING
    | FITTING
    | st.fixed_dictionaries(
        {"card": st.sampled_from([*CARDS, "other", 1])},
        optional=dict.fromkeys(["amount", "items", "unknown"], ANYTHING),
    )
)
EVENTS: Final = st.lists(st.tuples(st.sampled_from(["paid", "refunded"]), DATA), min_size=8, max_size=20)


def processor(schemas: str, rules: dict[str, dict[str, Any]]) -> RulesProcessor:
    text = msgspec.json.encode({"ruleset": "t", "rules": rules}).decode()
    return compile_rules(load_sources({"a.yaml": f"ruleset: t\n{schemas}\n", "b.json": text}))


def event(place: int, type: str, data: Any) -> Event:
    text = msgspec.Raw(msgspec.json.encode(data))
    return Event(type, place, "k", "k", "t", str(place), fingerprint("t", str(place)), text)


def seen(processor: RulesProcessor, events: list[Event]) -> tuple[list[tuple[int, str]], Counter[str]]:
    """(offset, rule) of the firings, and how often each rule was not evaluated."""
    partition = OnePartition(processor)
    partition.run(events)
    fired = [(each.offset, each.rule) for each in partition.outputs if isinstance(each, Command)]
    return fired, Counter({name: n for name, n in partition.counts.items() if name.startswith("not_evaluated|")})


@given(st.sampled_from(SCHEMAS), rules(), EVENTS)
@settings(deadline=None, max_examples=60)
def test_a_rule_that_is_looked_up_fires_and_fails_as_it_does_alone(
    schemas: str, rules: dict[str, dict[str, Any]], history: list[tuple[str, Any]]
) -> None:
    events = [event(place, *each) for place, each in enumerate(history, 1)]
    alone = [seen(processor(schemas, {name: said}), events) for name, said in rules.items()]
    fired, failed = seen(processor(schemas, rules), events)
    place = {name: at for at, name in enumerate(rules)}
    assert fired == sorted((each for one, _ in alone for each in one), key=lambda each: (each[0], place[each[1]]))
    assert failed == sum((counts for _, counts in alone), Counter())


def test_types_may_alternate_for_as_long_as_they_like() -> None:
    pinned = {
        f"r{place}": {
            "on": ["paid", "refunded"],
            "when": f"event.data.card == '{CARDS[place % 3]}' && event.data.amount > {place}",
            "then": [{"command": "act", "to": "t"}],
        }
        for place in range(WORTH)
    }
    made = processor(SCHEMAS[1], pinned)
    kinds = ["paid", "refunded", "heard by nobody"]
    events = [
        event(place, kinds[place * place % 3 if place < 300 else 0], {"card": CARDS[place % 3], "amount": place % 10})
        for place in range(1, 350)
    ]
    whole, one_by_one = OnePartition(made), OnePartition(made)
    whole.run(events)
    one_by_one.run(events, set(range(len(events))))
    assert whole.outputs == one_by_one.outputs
    assert len(whole.outputs) > 100
    assert whole.stored == one_by_one.stored
