"""The compiled step and a naive reading of RULES.md say the same about random rules and random histories."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams import outputs
from streams.event import FORWARDED, TICK, Event, Forwarded, control
from streams.outputs import Forward
from streams.state import DAWN, NEVER
from tests.oracle.histories import histories
from tests.oracle.naive import Oracle
from tests.oracle.partition import OnePartition, plain, written
from tests.oracle.rulesets import Drawn, rulesets
from tests.oracle.telling import told, ways

SLOW = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
CUTS = st.sets(st.integers(0, 40))


def agree(partition: OnePartition, oracle: Oracle, drawn: Drawn) -> None:
    shown = [plain(output, ways(drawn, partition.processor)) for output in partition.outputs]
    assert shown == oracle.outputs
    assert written(shown) == written(oracle.outputs)
    for name in drawn.rules.projections:
        assert partition.rows(name) == {key: row for (of, key), row in oracle.rows.all.items() if of == name}
    counted = {name.split("|")[1]: n for name, n in partition.counts.items() if name.startswith("not_evaluated|")}
    assert counted == oracle.unevaluated
    misfits = {name.split("|")[1]: n for name, n in partition.counts.items() if name.startswith("schema|")}
    assert misfits == oracle.misfits
    agree_on_caps(partition.counts, oracle)
    assert partition.counts.get("late", 0) == oracle.late
    # rows and matches that may be forgotten are looked at when that can first be, and put off then
    rules = drawn.rules
    forgets = any(each.keep for each in rules.projections.values()) or any(
        each.sequence or each.window for each in rules.rules
    )
    for key in partition.stored:
        cell = partition.cell(key)
        due = min((each.due for each in oracle.waiting if each.key == key), default=NEVER)
        assert cell.due <= due if forgets else cell.due == due
        assert cell.clock == max(oracle.clocks.get(key, DAWN), DAWN)
    assert {each.key for each in oracle.waiting} <= set(partition.stored)


def agree_on_caps(counts: dict[str, int], oracle: Oracle) -> None:
    """What there was no room for is said."""
    capped = {name: n for name, n in counts.items() if "_capped|" in name}
    assert oracle.crowded <= capped.keys()
    assert {name: n for name, n in capped.items() if name not in oracle.crowded} == oracle.capped


@given(rulesets(), histories(), CUTS)
@SLOW
def test_one_log_gives_what_the_rules_say_however_it_is_cut(drawn: Drawn, log: list[Event], cuts: set[int]) -> None:
    partition = OnePartition(drawn.compiled())
    partition.run(log, cuts)
    agree(partition, told(drawn, log, partition.processor), drawn)


@given(rulesets(crossing=True), histories(keyed=True), CUTS, CUTS)
@SLOW
def test_what_crosses_keys_is_right_in_the_order_in_which_it_arrives(
    drawn: Drawn, events: list[Event], cuts: set[int], others: set[int]
) -> None:
    processor = drawn.compiled()
    first = OnePartition(processor)
    log: list[Event] = []
    arriving = list(events)
    while arriving and len(log) < 60:
        size = 1 if arriving[0].type == TICK or len(log) in cuts else 2
        batch = arriving[:1] if len(arriving) > 1 and arriving[1].type == TICK else arriving[:size]
        arriving = arriving[len(batch) :]
        log += batch
        for sent in first.step(batch):
            if isinstance(sent, Forward):
                data = Forwarded(sent.route, 0, sent.offset, sent.event)
                arriving.append(control(FORWARDED, data, time=sent.event.time, key=sent.key))
    agree(first, told(drawn, log, processor), drawn)
    again = OnePartition(processor)
    again.run(log, others)
    assert outputs.encode(again.outputs) == outputs.encode(first.outputs)
    assert again.stored == first.stored
