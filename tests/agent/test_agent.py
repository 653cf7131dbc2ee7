"""What an agent promises, on both embedded logs."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from streams.intake import Intake
from streams.keys import partition_of
from streams.log import Append
from streams.outputs import Forward
from tests.agent.running import HOUR, SECOND, Running, counting, event
from tests.rules.compile import building as build

FINES = Path(__file__).parents[2] / "examples" / "traffic-fines" / "traffic-fines.jsonl.gz"


def fines():
    return build.compiled(
        build.projection(
            "fines",
            {
                "fine.created": {"amount": "event.data.amount"},
                "fine.penalty_added": {"amount": "event.data.amount"},
            },
        ),
        build.rule(
            "penalty-due",
            "fine.notified",
            build.command("add-penalty", "police", fine="${event.subject}", amount="${amount * 2}"),
            let={"amount": "fines.amount"},
            after=60 * build.DAY,
        ),
        name="traffic-fines",
    )


def test_the_real_fines_give_the_same_penalties_for_any_batches_and_partitions(make_log, clock):
    events = [Intake().from_json(line, None) for line in gzip.decompress(FINES.read_bytes()).splitlines()]
    last = max(each.time for each in events)
    seen = []
    for partitions, page in ((1, 5000), (3, 137), (8, random.randint(50, 3000))):
        running = Running(make_log(partitions), fines(), clock, page=page).activate(importing=True)
        for begin in range(0, len(events), 2000):
            parts: dict[int, list] = {}
            for each in events[begin : begin + 2000]:
                parts.setdefault(partition_of(each.key, partitions), []).append(each)
            running.log.append([Append(partition, part) for partition, part in parts.items()])
        running.tick(last + 1, limit=10_000).settle()
        seen.append([(c.id, c.key, c.at, c.args["amount"]) for c in running.commands()])
    assert len(seen[0]) == 4635
    assert seen[0] == seen[1] == seen[2]
    assert [(at, amount) for _, key, at, amount in seen[0] if key == "A15"] == [(1169856000 * SECOND, 42)]


def test_an_event_published_twice_is_evaluated_once(make_log, clock):
    running = Running(make_log(), counting(), clock).activate()
    running.publish(*[event("paid", "A", id=name) for name in ("1", "2", "2", "1")]).settle()
    assert running.row("totals", "A") == {"count": 2}
    running.publish(event("paid", "A", id="2"), event("paid", "A", id="3")).settle()
    assert running.row("totals", "A") == {"count": 3}
    assert [command.args for command in running.commands()] == [{"n": 3}]


def test_state_is_found_again_by_the_next_agent(make_log, clock):
    log = make_log()
    Running(log, counting(), clock).activate().publish(event("paid", "A"), event("paid", "A")).settle()
    again = Running(log, counting(), clock).publish(event("paid", "A")).settle()
    assert len(again.commands()) == 1


def test_a_deadline_fires_without_traffic_once_the_wall_clock_has_passed_it(make_log, clock):
    rules = build.compiled(build.rule("late", "open", after=48 * HOUR, unless=build.unless("paid")))
    running = Running(make_log(), rules, clock).activate()
    running.publish(event("open", "A", clock.now)).settle()
    clock.now += 48 * HOUR
    running.settle()
    assert running.commands() == []
    clock.now += SECOND
    assert [command.key for command in running.settle().commands()] == ["A"]


def test_steady_traffic_does_not_hold_deadlines_back(make_log, clock):
    rules = build.compiled(build.rule("late", "open", after=HOUR))
    running = Running(make_log(3), rules, clock).activate()
    running.publish(event("open", "A", clock.now)).settle()
    agent = running.agent()
    clock.now += 2 * HOUR
    for n in range(20):
        running.publish(*[event("other", f"K{n}-{each}", clock.now) for each in range(10)])
        clock.now += SECOND // 10
        assert agent.round()
    agent.leave()
    assert [command.key for command in running.commands()] == ["A"]


def test_a_backlog_anywhere_holds_ticks_back_to_what_is_handled(make_log, clock):
    """Something in the backlog may be on its way to the partition that ticks."""
    rules = build.compiled(build.rule("late", "open", after=HOUR))
    running = Running(make_log(3), rules, clock, page=1).activate()
    running.publish(event("open", "A", clock.now)).settle()
    other = next(key for key in map(str, range(99)) if partition_of(key, 3) != partition_of("A", 3))
    agent = running.agent()
    while agent.round():
        pass
    clock.now += 2 * HOUR
    running.publish(*[event("other", other, clock.now) for _ in range(10)])
    for _ in range(5):
        agent.round()
    assert running.commands() == []
    while agent.round():
        pass
    agent.leave()
    assert [command.key for command in running.commands()] == ["A"]


def test_deadlines_that_follow_each_other_closely_share_ticks(make_log, clock):
    rules = build.compiled(build.rule("late", "open", after=HOUR))
    running = Running(make_log(1), rules, clock, tick_interval=SECOND).activate()
    running.publish(*[event("open", f"K{n}", clock.now + n * SECOND // 100) for n in range(200)]).settle()
    clock.now += HOUR
    agent = running.agent()
    for _ in range(210):
        clock.now += SECOND // 100
        agent.round()
    clock.now += SECOND
    agent.round()
    agent.round()
    agent.leave()
    assert len(running.commands()) == 200
    assert len({command.offset for command in running.commands()}) <= 4


@pytest.mark.parametrize("live", [True, False], ids=["live", "importing"])
@pytest.mark.parametrize("with_b", [True, False])
def test_another_key_in_the_partition_does_not_move_a_clock(make_log, clock, with_b, live):
    rules = build.compiled(build.rule("late", "A.open", after=48 * HOUR, unless=build.unless("A.paid")))
    clock.now = 47 * HOUR
    running = Running(make_log(1), rules, clock).activate(importing=not live)
    running.publish(event("A.open", "A", 0)).settle()
    if with_b:
        running.publish(event("other", "B", 100 * HOUR)).settle()
    running.publish(event("A.paid", "A", 47 * HOUR)).settle()
    if live:
        clock.now = 200 * HOUR
    else:
        running.tick(200 * HOUR)
    assert running.settle().commands() == []


def test_many_deadlines_due_at_once_are_many_bounded_commits(make_log, clock):
    rules = build.compiled(build.rule("late", "open", after=HOUR))
    running = Running(make_log(1), rules, clock, tick_limit=10).activate()
    running.publish(*[event("open", f"K{n}", clock.now) for n in range(95)]).settle()
    clock.now += 2 * HOUR
    running.settle()
    assert len(running.commands()) == 95
    per_tick = [c.offset for c in running.commands()]
    assert max(per_tick.count(offset) for offset in set(per_tick)) == 10


def test_an_event_of_another_key_is_forwarded_once_and_counted_there(make_log, clock):
    rules = build.compiled(
        build.projection("cards", {"paid": {"count": "(has(row.count) ? row.count : 0) + 1"}}, by="event.data.card")
    )
    running = Running(make_log(8), rules, clock, page=3).activate()
    for n in range(20):
        running.publish(event("paid", f"customer{n}", card="C1"))
        if n % 5 == 0:
            running.settle()
    running.settle()
    assert running.row("cards", "C1") == {"count": 20}
    assert sum(isinstance(output, Forward) for output in running.outputs()) == 20
