"""Whatever fails under agents, wherever they die, and however their work is cut: the same rows and the same commands.

Rules that do not cross keys are held to the oracle over the history as it was published. For rules that do, the order
in which forwards reach the owner's log is part of the run: each is there exactly once, and the oracle over the log that
there is, and a replay of it, give what the run gave.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replay.verify import verify
from streams.backends.open import open_log
from streams.event import ACTIVATED, FORWARDED, MODE, SKIPPED, TICK, UNPARKED, Event, control, encode
from streams.keys import partition_of
from streams.log import Batch
from streams.outputs import Decision, Forward
from streams.park import Park
from streams.processor import Poisoned, Step
from tests.agent.wounded import FAULTS, SECOND, Agents, Fault
from tests.conformance.backends import SMALL, Clock
from tests.oracle.histories import histories
from tests.oracle.naive import Oracle
from tests.oracle.partition import plain
from tests.oracle.rulesets import OF_ONE_KEY, Drawn, rulesets
from tests.oracle.telling import forwarded, told, ways

SLOW = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
END = 1_000_000 * SECOND
WHOLE = 1_000_000
"""Of a tick: all that is due."""


@dataclass(frozen=True)
class Circumstances:
    """All that must make no difference."""

    backend: str
    partitions: int
    page: int
    """With one event a page and no cache, one row is what a partition holds between two commits."""
    cache: int
    tick_limit: int
    steps: tuple[tuple[int, int, bool], ...]
    """(events of one append, rounds of agents behind it, whether the overtaken take part): over and over."""
    faults: tuple[Fault, ...]
    doubled: frozenset[int]
    """Places of events that are published a second time."""


circumstances = st.builds(
    Circumstances,
    st.sampled_from(["memory", "sqlite"]),
    st.integers(1, 8),
    st.sampled_from([1, 1, 2, 3, 5, 7]),
    st.sampled_from([0, 0, 2000, 1 << 30]),
    st.integers(1, 3),
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3), st.booleans()), min_size=1, max_size=5).map(tuple),
    st.lists(st.sampled_from(FAULTS), max_size=20).map(tuple),
    st.frozensets(st.integers(0, 13), max_size=3),
)


@contextmanager
def agents(given: Circumstances, processors: Sequence[Any], *, live: bool = False) -> Iterator[Agents]:
    """Over a new log, with the first of the processors active. A live log's clock stands in the middle of histories."""
    clock = Clock()
    clock.now = (110 if live else 1_000_000) * SECOND
    with tempfile.TemporaryDirectory() as folder:
        url = "memory://" if given.backend == "memory" else f"sqlite:///{folder}/log.db?synchronous=normal"
        log = open_log(url, partitions=given.partitions, now=clock, limits=SMALL)
        try:
            options = {"page": given.page, "cache": given.cache, "tick_limit": given.tick_limit}
            made = Agents(log, processors, given.faults, clock, **options)
            for each in processors:
                log.put_document(each.digest, each.digest.encode())
            made.activate(processors[0], importing=not live)
            yield made
            made.leave()
        finally:
            log.close()


def work(agents: Agents, history: Sequence[Event], steps: Sequence[tuple[int, int, bool]]) -> None:
    """Publishes in small appends and lets agents work in between; leaves the rest to whoever settles."""
    at = 0
    for count, rounds, rivals in itertools.cycle(steps):
        if at >= len(history):
            return
        agents.publish(history[at : at + count])
        at += count
        for _ in range(rounds):
            agents.round(rivals)


def with_doubles(history: Sequence[Event], places: Iterable[int]) -> list[Event]:
    """Events that come twice, the second time behind all others."""
    return [*history, *(history[place] for place in sorted(places) if place < len(history) and isevent(history[place]))]


def isevent(event: Event) -> bool:
    return event.type != TICK


def tick(time: int, limit: int = WHOLE, id: str = "") -> Event:
    return control(TICK, {"limit": limit}, time=time, id=id)


def key_of(shown: tuple[Any, ...]) -> str:
    match shown[0]:
        case "command":
            return str(shown[4])
        case "derived":
            return str(shown[3])
        case "forward" | "copy":
            return ""  # of any key: the order among them is a partition's
        case _:
            return str(shown[1])


def by_key(shown: Iterable[tuple[Any, ...]]) -> dict[str, list[tuple[Any, ...]]]:
    """Outputs of one key in their order, which is the rules'. Between keys the order is that of ticks and pages."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for each in shown:
        found.setdefault(key_of(each), []).append(each)
    return found


def assert_as_told(agents: Agents, partitions: Iterable[int], drawn: Drawn, processor: Any, oracle: Oracle) -> None:
    """Outputs and rows of these partitions are the oracle's."""
    outputs = [each for partition in partitions for each in agents.outputs(partition)]
    shown = [
        plain(each, ways(drawn, processor))
        for each in outputs
        if not isinstance(each, Decision) or each.verdict == "looped"
    ]
    assert by_key(shown) == by_key(oracle.outputs)
    rows = {}
    for partition in partitions:
        for key, cell in agents.cells(partition).items():
            rows |= {(name, key): cell.rows[id] for name, id in processor.projection_ids.items() if id in cell.rows}
    assert rows == oracle.rows.all


def assert_replays(agents: Agents, processors: Sequence[Any]) -> None:
    found = verify(agents.log, lambda body: next(each for each in processors if each.digest.encode() == body))
    assert found.clean, found.text()


@given(rulesets(constructs=OF_ONE_KEY), histories(), circumstances)
@SLOW
def test_what_depends_on_one_key_is_the_same_for_any_cut_any_crash_and_any_partitions(
    drawn: Drawn, history: list[Event], given: Circumstances
) -> None:
    processor = drawn.compiled()
    oracle = told(drawn, [*history, tick(END)], processor)
    with agents(given, [processor]) as running:
        work(running, with_doubles(history, given.doubled), given.steps)
        running.settle()
        running.publish([tick(END)])
        running.settle()
        assert_as_told(running, range(given.partitions), drawn, processor, oracle)
        assert_replays(running, [processor])


class PoisonedBy:
    """Compiled rules that some events are poison to, by id, as to a Python rule with a bug."""

    def __init__(self, inner: Any, ids: Iterable[str]) -> None:
        self.digest, self.lateness, self.keys = "poisoned", inner.lateness, inner.keys
        self._inner, self._ids = inner, set(ids)

    def step(self, batch: Batch, step: Step) -> None:
        self._inner.step(batch, step)
        for offset, event in zip(batch.offsets, batch.events, strict=True):
            if event.id in self._ids:
                raise Poisoned(offset, event, "a bug")


POISON = st.sets(st.integers(0, 13), min_size=1, max_size=3)


@given(rulesets(constructs=OF_ONE_KEY), histories(ticks=False), circumstances, POISON, st.booleans())
@SLOW
def test_keys_that_were_blocked_and_freed_end_as_if_they_had_never_been(
    drawn: Drawn, history: list[Event], given: Circumstances, poisoned: set[int], skipped: bool
) -> None:
    """Freed by rules without the bug, or by skipping what is poisoned; a few events at once."""
    cured = drawn.compiled()
    bad = PoisonedBy(cured, (event.id for place, event in enumerate(history) if place in poisoned))
    kept = [event for place, event in enumerate(history) if not skipped or place not in poisoned]
    with patch.multiple("streams.park", AT_ONCE=2, CHUNK=2), agents(given, [bad, cured]) as running:
        work(running, with_doubles(history, given.doubled), given.steps)
        running.settle()
        assert bool(blocked(running)) == any(place < len(history) for place in poisoned)
        if not skipped:
            running.activate(cured, importing=True)
        while keys := blocked(running):
            running.publish([control(SKIPPED if skipped else UNPARKED, {}, time=0, key=key) for key in keys])
            running.settle()
        running.publish([tick(END)])
        running.settle()
        assert_as_told(running, range(given.partitions), drawn, cured, told(drawn, [*kept, tick(END)], cured))
        assert_replays(running, [bad, cured])


def blocked(agents: Agents) -> list[str]:
    return [key for partition in range(agents.log.info.partitions) for key in Park(agents.log, partition, "rules").keys]


@given(rulesets(crossing=True), histories(keyed=True), circumstances, st.booleans())
@SLOW
def test_what_crosses_keys_arrives_exactly_once_and_in_order_and_a_replay_gives_the_run(
    drawn: Drawn, history: list[Event], given: Circumstances, live: bool
) -> None:
    processor = drawn.compiled()
    if seen_by_other_keys(drawn):
        # between two parts of a tick come events of other keys, and the ticks of the oracle are whole
        given = replace(given, tick_limit=WHOLE)
        history = [each if isevent(each) else tick(each.time, id=each.id) for each in history]
    with agents(given, [processor], live=live) as running:
        work(running, with_doubles(history, given.doubled), given.steps)
        running.settle()
        if live:  # now the agents' own ticks fire what is left
            running.clock.now += END
        else:
            running.publish([tick(END)])
        running.settle()
        for partition in range(given.partitions):
            assert_arrived(running, partition)
            # a row that was touched at the end is looked at after it
            assert [due for due, _ in running.due(partition) if due <= END] == []
            heard = without_doubles(running.events(partition))
            assert_as_told(running, [partition], drawn, processor, told(drawn, heard, processor))
        assert_replays(running, [processor])


def seen_by_other_keys(drawn: Drawn) -> bool:
    """Whether something that a tick makes happen leaves its key: a row that is everywhere is forgotten, or an event is
    derived."""
    forgotten = any(each.everywhere and each.keep for each in drawn.rules.projections.values())
    return forgotten or '"emit"' in drawn.text


def assert_arrived(agents: Agents, origin: int) -> None:
    """What a partition forwarded lies in the owners' logs: each once, in the order in which it was decided."""
    sent: dict[int, list[Any]] = {}
    for output in agents.outputs(origin):
        if isinstance(output, Forward):
            to = partition_of(output.key, agents.log.info.partitions)
            sent.setdefault(to, []).append((output.route, output.key, output.offset, encode([output.event])))
    arrived: dict[int, list[Any]] = {}
    for partition in range(agents.log.info.partitions):
        for event in agents.events(partition):
            if event.type == FORWARDED and (data := forwarded(event)).partition == origin:
                arrived.setdefault(partition, []).append((data.route, event.key, data.offset, encode([data.event])))
    assert arrived == sent


def without_doubles(events: Iterable[Event]) -> list[Event]:
    """What rules are to see of a partition's log."""
    seen: set[tuple[str, str]] = set()
    found = []
    for event in events:
        if event.type in (ACTIVATED, MODE) or (event.fingerprint and (event.source, event.id) in seen):
            continue
        seen.add((event.source, event.id))
        found.append(event)
    return found
