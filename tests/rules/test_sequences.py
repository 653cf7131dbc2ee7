"""`sequence`: one event after the other, within a time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from rules.compile import compile_rules
from rules.compile.limits import Limits
from rules.load import load_sources
from rules.testing import RuleTestKit, given
from streams import rfc3339
from streams.event import TICK, Event, control, fingerprint
from streams.outputs import Command
from tests.oracle.partition import OnePartition

SECOND = 1_000_000
LOGIN = """
ruleset: t
lateness: LATENESS
projections:
  users: {fold: {login.failed: {last: event.data.ip}, profile.changed: {home: event.data.ip}}}
rules:
  guessed:
    sequence:
      - failed: {on: login.failed, times: TIMES}
      - not: {on: password.reset}
      - granted: {on: login.granted, when: granted.data.ip != failed.data.ip}
    within: 5m
    then: [{command: lock, to: t, args: {from: "${failed.data.ip}", to: "${granted.data.ip}", now: "${now}"}}]
"""


def event(type: str, key: str, data: Any = None, time: int = 0) -> Event:
    id = f"{type}-{key}-{time // SECOND}"
    raw = msgspec.Raw(msgspec.json.encode(data))
    return Event(type, time, key, key, "test", id, fingerprint("test", id), raw)


def login(times: int = 1, lateness: str = "0s") -> str:
    return LOGIN.replace("TIMES", str(times)).replace("LATENESS", lateness)


def told(rules: str, *said: str, until: str = "1h") -> RuleTestKit:
    """Events such as `failed 01:30 a`: the type, minutes and seconds, the address; their ids are e1, e2, …"""
    kit = given(rules, at="2024-01-01T00:00:00Z")
    types = {"failed": "login.failed", "granted": "login.granted", "reset": "password.reset", "home": "profile.changed"}
    for place, each in enumerate(said, 1):
        type, time, ip = each.split()
        kit.event(types[type], "A", {"ip": ip}, time=f"2024-01-01T00:{time}Z", id=f"e{place}")
    return kit.advance(until)


def shown(kit: RuleTestKit) -> list[str]:
    """Each command: its time, its cause, and from where to where."""
    return [
        f"{rfc3339.format(each.at)[14:19]} {each.cause} {each.args['from']}>{each.args['to']}" for each in kit.commands
    ]


@pytest.mark.parametrize(
    ("said", "commands"),
    [
        (["failed 00:00 a", "granted 01:00 b"], ["01:00 e1 a>b"]),
        (["granted 00:00 a", "failed 01:00 b"], []),
        (["failed 00:00 a", "granted 01:00 a", "granted 02:00 b", "granted 03:00 c"], ["02:00 e1 a>b"]),
        # each opens its own, and all complete: the oldest first
        (["failed 00:00 a", "failed 00:30 b", "granted 01:00 c"], ["01:00 e1 a>c", "01:00 e2 b>c"]),
        (["failed 00:00 a", "failed 00:30 b", "granted 01:00 b", "granted 02:00 c"], ["01:00 e1 a>b", "02:00 e2 b>c"]),
        # in time, and out of it
        (["failed 00:00 a", "granted 05:00 b"], ["05:00 e1 a>b"]),
        (["failed 00:00 a", "granted 05:01 b"], []),
        # ended
        (["failed 00:00 a", "reset 01:00 a", "granted 02:00 b"], []),
        (["failed 00:00 a", "reset 01:00 a", "failed 02:00 a", "granted 03:00 b"], ["03:00 e3 a>b"]),
        # equal times are in order, as they arrive
        (["failed 01:00 a", "granted 01:00 b"], ["01:00 e1 a>b"]),
        (["granted 01:00 b", "failed 01:00 a"], []),
    ],
)
def test_a_step_follows_the_other(said: list[str], commands: list[str]) -> None:
    assert shown(told(login(), *said)) == commands


@pytest.mark.parametrize(
    ("said", "commands"),
    [
        (["failed 00:00 a", "failed 01:00 b", "granted 02:00 c"], ["02:00 e1 b>c"]),
        (["failed 00:00 a", "granted 02:00 c"], []),
        (
            ["failed 00:00 a", "failed 01:00 b", "failed 02:00 c", "granted 03:00 d"],
            ["03:00 e1 b>d", "03:00 e2 c>d"],
        ),
        # `not` ends what waits for the step behind it, and has no say before
        (["failed 00:00 a", "reset 00:30 x", "failed 01:00 b", "granted 02:00 c"], ["02:00 e1 b>c"]),
        (["failed 00:00 a", "failed 01:00 b", "reset 01:30 x", "granted 02:00 c"], []),
    ],
)
def test_a_step_of_several_events_counts_the_opening_one_and_is_named_by_the_newest(
    said: list[str], commands: list[str]
) -> None:
    assert shown(told(login(times=2), *said)) == commands


@pytest.mark.parametrize(
    ("said", "commands"),
    [
        # never back in time
        (["failed 02:00 a", "granted 01:00 b"], []),
        (["failed 02:00 a", "reset 01:00 x", "granted 03:00 b"], ["03:00 e1 a>b"]),
        (["failed 02:00 a", "granted 01:00 b", "granted 02:30 c"], ["02:30 e1 a>c"]),
        # what lies behind the end is none of its business, but one that comes late may be
        (["failed 00:00 a", "granted 06:00 b", "granted 04:00 c"], ["04:00 e1 a>c"]),
        (["failed 00:00 a", "reset 06:00 x", "granted 04:00 c"], ["04:00 e1 a>c"]),
        # too old to open
        (["home 10:00 x", "failed 02:59 a", "granted 03:00 b"], []),
        (["home 10:00 x", "failed 03:00 a", "granted 03:01 b"], ["03:01 e2 a>b"]),
        # over when the clock is past its end
        (["failed 00:00 a", "home 07:01 x", "granted 04:00 b"], []),
        (["failed 00:00 a", "home 07:00 x", "granted 04:00 b"], ["04:00 e1 a>b"]),
    ],
)
def test_events_out_of_order_are_taken_as_far_as_they_are_in_order(said: list[str], commands: list[str]) -> None:
    assert shown(told(login(lateness="2m"), *said)) == commands


def test_a_not_counts_only_while_the_step_behind_it_has_none_of_its_events() -> None:
    rules = """
ruleset: t
rules:
  r:
    sequence:
      - a: {on: a}
      - not: {on: x, when: event.data.n == a.data.n}
      - not: {on: y}
      - b: {on: b, times: 2}
    within: 5m
    then: [{command: c, to: t, args: {b: "${b.id}"}}]
"""

    def fires(*said: tuple[str, int]) -> bool:
        kit = given(rules)
        for type, n in said:
            kit.event(type, "A", {"n": n})
        return bool(kit.commands)

    assert fires(("a", 1), ("b", 1), ("b", 1))
    assert fires(("a", 1), ("x", 2), ("b", 1), ("b", 1))
    assert not fires(("a", 1), ("x", 1), ("b", 1), ("b", 1))
    assert not fires(("a", 1), ("y", 1), ("b", 1), ("b", 1))
    assert fires(("a", 1), ("b", 1), ("x", 1), ("y", 1), ("b", 1))


def test_an_event_that_ends_and_fits_ends_first_and_one_event_is_one_step() -> None:
    rules = """
ruleset: t
rules:
  ended:
    sequence: [{a: {on: a}}, {not: {on: b}}, {b: {on: '*'}}]
    within: 5m
    then: [{command: ended, to: t}]
  same:
    sequence: [{one: {on: a}}, {two: {on: a}}, {three: {on: a}}]
    within: 5m
    then: [{command: same, to: t, args: {of: ["${one.id}", "${two.id}", "${three.id}"]}}]
"""
    kit = given(rules)
    for place, type in enumerate(["a", "b", "c", "a", "c", "a", "a"], 1):
        kit.event(type, "A", id=f"e{place}")
    assert [(command.command, command.args.get("of")) for command in kit.commands] == [
        ("ended", None),
        ("same", ["e1", "e4", "e6"]),
        ("ended", None),
        ("same", ["e4", "e6", "e7"]),
    ]


def test_when_and_let_are_of_the_moment_when_it_is_complete() -> None:
    rules = login().replace(
        "    within: 5m\n",
        "    within: 5m\n    let: {home: users.home, waited: granted.time - failed.time}\n"
        "    when: waited > duration('1m') && home != event.data.ip\n",
    )
    rules = rules.replace("now: ", 'home: "${home}", waited: "${waited}", now: ')
    assert shown(told(rules, "failed 00:00 a", "granted 01:00 b")) == []
    kit = told(rules, "failed 00:00 a", "granted 02:00 b")
    assert kit.not_evaluated == {"guessed": "`users.home` is absent"}
    kit = told(rules, "failed 00:00 a", "home 01:00 x", "granted 02:00 b", "home 03:00 y")
    (command,) = kit.commands
    assert command.args == {"from": "a", "to": "b", "home": "x", "waited": "120s", "now": "2024-01-01T00:02:00Z"}
    assert shown(told(rules, "failed 00:00 a", "home 01:00 b", "granted 02:00 b")) == []


def test_a_condition_that_cannot_be_evaluated_takes_no_step_and_is_counted() -> None:
    kit = given(login())
    kit.event("login.failed", "A", {"ip": "a"}).event("login.granted", "A", {}).event("login.granted", "A", {"ip": "b"})
    assert kit.not_evaluated == {"guessed": "`granted.data.ip` is absent"}
    assert len(kit.commands) == 1


def test_a_first_step_has_a_condition_and_a_name_of_its_own() -> None:
    rules = login().replace("times: 1", "when: failed.data.ip.startsWith('1') && event.data.ip != '10'")
    said = ["failed 00:00 10", "failed 00:01 2", "failed 00:02 11", "granted 01:00 b"]
    assert shown(told(rules, *said)) == ["01:00 e3 11>b"]
    typed = rules.replace("rules:\n", "events: {login.failed: {ip: string}, login.granted: {ip: string}}\nrules:\n")
    assert shown(told(typed, *said)) == ["01:00 e3 11>b"]
    kit = given(typed).event("login.failed", "A", {"ip": 1}).event("login.failed", "A", {})
    assert kit.not_evaluated["guessed"] == "`failed.data.ip` is absent"


def test_the_steps_of_a_rule_may_find_the_key_in_different_ways() -> None:
    rules = """
ruleset: t
rules:
  r:
    by: {a: event.data.k, x.*: event.data.j, b: event.subject}
    sequence: [{a: {on: a}}, {not: {on: x.y}}, {b: {on: b}}]
    within: 5m
    then: [{command: c, to: t}]
"""
    for partitions in (1, 4):
        kit = given(rules, partitions=partitions)
        kit.event("a", "1", {"k": "K"}).event("a", "2", {"k": "L"}).event("x.y", "3", {"j": "K"})
        kit.event("b", "K").event("b", "L")
        assert [command.key for command in kit.commands] == ["L"]


def test_a_sequence_settles_and_is_throttled_like_any_rule() -> None:
    rules = login().replace("within: 5m", "within: 5m\n    settle: 30s")
    said = ["failed 00:00 a", "granted 01:00 b", "failed 01:10 c", "granted 01:20 d"]
    assert shown(told(rules, *said)) == ["01:50 e4 c>d"]
    rules = login().replace("within: 5m", "within: 5m\n    once_within: 30s")
    assert shown(told(rules, *said, "failed 01:25 e", "granted 01:30 f")) == ["01:00 e1 a>b", "01:30 e5 e>f"]


def test_what_a_deadline_derives_may_open_and_complete_though_the_key_has_gone_further() -> None:
    """The clock stops at each thing that is due on its way."""
    rules = """
ruleset: t
rules:
  first: {on: start, after: 10s, then: [{emit: a}]}
  second: {on: start, after: 13s, then: [{emit: b}]}
  third: {on: start, after: 16s, then: [{emit: b}]}
  r:
    sequence: [{a: {on: a}}, {b: {on: b}}]
    within: 5s
    then: [{command: c, to: t}]
"""
    log = [event("start", "A", time=0), event("other", "A", time=60 * SECOND)]
    for ticked in (False, True):
        partition = OnePartition(compile_rules(load_sources({"r.yaml": rules})))
        partition.run([log[0], control(TICK, {"limit": 1}, time=60 * SECOND)] if ticked else log)
        (command,) = (output for output in partition.outputs if isinstance(output, Command))
        assert command.at == 13 * SECOND


def partition_of(rules: str, **limits: int) -> OnePartition:
    return OnePartition(compile_rules(load_sources({"r.yaml": rules}), Limits(**limits)))


def failed(time: int, key: str = "A", **data: Any) -> Event:
    return event("login.failed", key, {"ip": "a", **data}, time=time * SECOND)


def granted(time: int, key: str = "A") -> Event:
    return event("login.granted", key, {"ip": "b"}, time=time * SECOND)


def test_a_key_holds_a_bounded_number_of_matches_and_the_oldest_goes_first() -> None:
    partition = partition_of(login(), matches=3)
    for time in (0, 10, 5, 7, 11):
        partition.run([failed(time)])
    assert partition.counts["matches_capped|guessed"] == 2
    partition.run([granted(20)])
    assert [output.cause for output in partition.outputs if isinstance(output, Command)] == [
        "login.failed-A-5",
        "login.failed-A-7",
        "login.failed-A-11",
    ]


def test_a_key_that_is_never_seen_again_holds_no_match_when_its_time_is_over() -> None:
    partition = partition_of(login())
    partition.run([failed(0), failed(1), failed(1, "B"), control(TICK, {"limit": 1}, time=300 * SECOND)])
    assert all(partition.cell(key).nodes for key in "AB")
    partition.run([control(TICK, {"limit": 1}, time=302 * SECOND)])
    assert not any(partition.cell(key).nodes for key in "AB")
    assert partition.due() == []


def test_only_what_is_read_later_is_kept_of_an_event() -> None:
    partition = partition_of(login())
    partition.run([failed(0, comment="never read")])
    assert b"never read" not in partition.stored["A"]
    assert b"login.failed-A-0" in partition.stored["A"]
    partition = partition_of(login().replace("now: ", 'whole: "${failed}", now: '))
    partition.run([failed(0, comment="all of it", deep=[{"n": 1.0}, None]), granted(1)])
    (command,) = (output for output in partition.outputs if isinstance(output, Command))
    assert command.args["whole"]["data"] == {"ip": "a", "comment": "all of it", "deep": [{"n": 1}, None]}
    assert command.args["whole"]["type"] == "login.failed"


@pytest.mark.parametrize(
    ("read", "data", "value"),
    [
        ("one.data.x.y", {"x": {"y": 5, "z": 6}}, 5),
        ("has(one.data.x.y)", {"x": {"z": 6}}, False),
        ("has(one.data.x.y)", {}, False),
        ("has(one.data.x.y)", {"x": [1]}, "error"),
        ("one.data.x[1]", {"x": [1, 2]}, 2),
        ("size(one.data.x) + one.data.x.y", {"x": {"y": 5, "z": 6}}, 7),
        ("one.data.x", [1], "error"),
        ("one.data", [1], [1]),
        ("one.data", None, None),
        ("one.data.x", {"x": 100000000000000000000000}, 1e23),
        ("one.data.x", {"x": {"$time": 5}}, {"$time": 5}),
        ("one.data.x.y", {"x": {"y": {"$error": "no"}}}, {"$error": "no"}),
        ("size(one.data.x)", {"x": [0] * 150_000}, 150_000),
        ("one.subject + one.source + one.id + one.type", {}, "Atesta-A-0a"),
        ("one.time", {}, "1970-01-01T00:00:00Z"),
        ("one.partitionkey", {}, "error"),
        ("has(one.partitionkey)", {}, False),
    ],
)
def test_what_is_kept_of_an_event_reads_as_the_event_did(read: str, data: Any, value: Any) -> None:
    rules = f"""
ruleset: t
rules:
  r:
    sequence: [{{one: {{on: a}}}}, {{b: {{on: b}}}}]
    within: 5m
    then: [{{command: c, to: t, args: {{v: "${{{read}}}"}}}}]
  same: {{on: a, then: [{{command: c, to: t, args: {{v: "${{{read.replace("one.", "event.")}}}"}}}}]}}
"""
    partition = partition_of(rules)
    partition.run([event("a", "A", data)])
    partition.run([event("b", "A", {}, 1)])
    commands = [output for output in partition.outputs if isinstance(output, Command)]
    assert [command.args["v"] for command in commands] == ([] if value == "error" else [value, value])


def test_a_rule_of_many_fires_in_its_place_also_where_an_index_finds_the_others() -> None:
    crowd = "".join(
        f"  crowd{n}: {{on: b, when: event.data.k == '{n}', then: [{{command: crowd{n}, to: t}}]}}\n" for n in range(10)
    )
    rules = f"""
ruleset: t
rules:
  before: {{on: b, priority: 2, then: [{{command: before, to: t}}]}}
  r:
    priority: 1
    sequence:
      - a: {{on: [a, b], when: a.data.k == '7'}}
      - b: {{on: b, when: b.data.k != a.data.k || a.id != b.id}}
    within: 5m
    then: [{{command: r, to: t}}]
{crowd}"""
    kit = given(rules).event("a", "A", {"k": "7"}).event("b", "A", {"k": "7"}).event("b", "A", {"k": "8"})
    names = [command.command for command in kit.commands]
    assert names == ["before", "r", "crowd7", "before", "r", "crowd8"]


def test_what_an_edit_keeps_of_matches() -> None:
    def id_of(*change: str) -> str:
        return compile_rules(load_sources({"r.yaml": login().replace(*change)})).node_ids["rule `guessed`/sequence"]

    same = id_of("x", "x")
    assert id_of("command: lock", "command: unlock") == same
    assert id_of("within: 5m\n", "within: 5m\n    when: now > failed.time - duration('1s')\n") != same  # more is kept
    assert id_of("within: 5m\n", "within: 5m\n    when: granted.data.ip != 'x'\n") == same
    assert id_of("within: 5m", "within: 6m") != same
    assert id_of("{on: password.reset}", "{on: password.changed}") != same
