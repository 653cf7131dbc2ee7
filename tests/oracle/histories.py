"""Random histories: few keys, few values, times that coincide, come late, or lie at the very ends of spans."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import strategies as st

from streams.event import OUTSIDE, RESULT, TICK, Event, control, fingerprint
from tests.oracle.drawing import further
from tests.oracle.rulesets import RESULT_TYPE

SECOND = 1_000_000
SUBJECTS = ["s0", "s1", "7"]
TYPES = ["a", "b", "x.a", "x.b", "d", "d.e", RESULT_TYPE]


VERSIONS = [None, None, None, "a/1", "https://x.example/2", "v2", "urn:x:d:3", "3", "4", "x"]
"""Of `dataschema`; types that have no versions have it too."""


def made(
    place: int, type: str, time: int, subject: str, data: Any, key: str | None = None, version: str | None = None
) -> Event:
    kind = RESULT if type == RESULT_TYPE else OUTSIDE
    key = subject if key is None else key
    id, text = f"e{place}", json.dumps(data).encode()
    mark, said = fingerprint("test", id), {"dataschema": version} if version is not None else None
    return Event(type, time * SECOND, key, subject, "test", id, mark, msgspec.Raw(text), kind, 0, said)


PLAIN = st.fixed_dictionaries(
    {"n": st.sampled_from([0, 1, 2, 3]), "k": st.sampled_from(["s0", "s1"]), "flag": st.booleans()}
)
WILD = st.fixed_dictionaries(
    {},
    optional={
        "n": st.sampled_from([0, 1, 2, 2.0, 0.1, 3, True, "2", None, 1e20, -1e20]),
        "k": st.sampled_from(["s0", "s1", 7, 7.0, None, ["s0"], True, 1]),
        "flag": st.sampled_from([True, False, 1]),
    },
)


@st.composite
def histories(draw: st.DrawFn, ticks: bool = True, keyed: bool = False, longest: int = 20) -> list[Event]:
    """Events and ticks, about in order of time. With `keyed` some have a partition key of their own."""
    # few at a time, so that they meet
    types = draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=4, unique=True))
    subjects = draw(st.lists(st.sampled_from(SUBJECTS), min_size=1, unique=True))
    steps = draw(st.sampled_from([[0, 1], [0, 0, 1, 2, 5], [1, 2, 3, 10]]))
    behind = further(draw, [[0], [0, 0, 0, 1, 4, 12], [0, 0, 1, 2, 5], [0, 1, 2, 3]])
    history: list[Event] = []
    time = 100
    for place in range(further(draw, [*range(1, longest + 1)])):
        time += draw(st.sampled_from(steps))
        shown = time - draw(st.sampled_from(behind))
        if ticks and draw(st.integers(0, 9)) == 9:
            history.append(control(TICK, {"limit": draw(st.integers(1, 3))}, time=shown * SECOND, id=f"t{place}"))
            continue
        subject = draw(st.sampled_from(subjects))
        key = draw(st.sampled_from([None, None, *subjects])) if keyed else None
        data = draw(PLAIN if draw(st.integers(0, 3)) < 3 else WILD)
        version = draw(st.sampled_from(VERSIONS))
        history.append(made(place, draw(st.sampled_from(types)), shown, subject, data, key, version))
    return history
