"""Memory, settings, due times at the ends of their range, many of one time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.backends.redis.dues import due, score
from streams.backends.redis.open import open_redis
from streams.backends.redis.url import parse
from streams.event import TICK, UNPARKED, control
from streams.log import Append, Code, Log, LogError, LogFull
from streams.park import AT_ONCE
from tests.agent.running import HOUR, PoisonedBy, Running
from tests.agent.running import event as happened
from tests.conformance.backends import SMALL, Clock, Writer, command, event, events, put, redis_url
from tests.conformance.redis_servers import Servers, addresses
from tests.rules.compile import building as build


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    servers = Servers(tmp_path / "servers")
    yield servers
    servers.stop()


def opened(url: str, **limits: int) -> Log:
    return open_redis(parse(url), partitions=2, limits=replace(SMALL, **limits), clock=Clock())


def test_a_server_whose_memory_is_nearly_full_takes_commits_but_no_appends(servers: Servers) -> None:
    client = servers.client()
    log = opened(servers.url())
    client.config_set("maxmemory", "40mb")
    large = event(1, data=b'"' + b"x" * 300_000 + b'"')
    writer = Writer(log)

    def fill() -> None:
        for _ in range(1_000):
            log.append([Append(0, [large])])

    with pytest.raises(LogFull, match=r"uses \d+ MB of 40 MB.*raise its maxmemory"):
        fill()
    tail = log.tail(0)
    assert tail > 50
    assert log.append([Append(0, [control(TICK, {}, time=1)], follows=True)])[0].offset == tail + 1
    assert writer.commit(put("k", b"1"), outputs=[command(1)], events=[event(2)]) is Code.COMMITTED

    # Somebody else takes the rest: what drains the log still works.
    for number in range(40):
        if int(client.info("memory")["used_memory"]) < 39 << 20:
            client.set(f"other{number}", bytes(500_000))
    client.config_set("maxmemory", "20mb")
    assert writer.commit(put("k", bytes(1_000)), outputs=[command(2)], events=[event(3)]) is Code.COMMITTED
    assert log.renew(writer.lease, 10)
    log.put_document("digest", b"body")
    log.forget(0, "rules", 2)
    log.release(writer.lease)
    assert log.acquire(0, "another", 10) is not None
    with pytest.raises(LogFull):
        log.append([Append(0, [large])])

    client.config_set("maxmemory", "400mb")
    time.sleep(0.15)  # as long as a reading of the memory is believed
    assert log.append([Append(0, [large])])[0].offset == tail + 4
    log.close()
    client.close()


def test_a_bound_of_our_own_counts_as_the_servers(servers: Servers) -> None:
    log = opened(servers.url(), max_bytes=1 << 20)
    with pytest.raises(LogFull, match="of 1 MB"):
        log.append([Append(0, events(1, 1))])
    log.close()


def test_deadlines_fire_and_a_key_is_freed_though_memory_is_full(servers: Servers) -> None:
    clock = Clock()
    rules = PoisonedBy(
        build.compiled(
            build.projection("totals", {"paid": {"count": "(has(row.count) ? row.count : 0) + 1"}}),
            build.rule("late", "paid", build.command(), when="totals.count == 1", after=HOUR),
        )
    )
    with closing(open_redis(parse(servers.url()), partitions=1, limits=SMALL, clock=clock)) as log:
        behind = 2 * AT_ONCE
        running = Running(log, rules, clock).activate().publish(happened("bad", "K")).settle()
        log.append([Append(0, [happened("paid", "K", clock.now) for _ in range(behind)])])
        running.settle()
        rules.cured = True
        log.append([Append(0, [control(UNPARKED, {}, time=clock.now, key="K")])])
    with closing(open_redis(parse(servers.url()), limits=replace(SMALL, max_bytes=1 << 20), clock=clock)) as full:
        with pytest.raises(LogFull):
            full.append([Append(0, events(1, 1))])
        running = Running(full, rules, clock).settle()
        assert running.row("totals", "K") == {"count": behind}
        assert running.commands() == []
        clock.advance(2 * 3600)
        running.settle()
        assert [each.rule for each in running.commands()] == ["late"]


def test_a_server_that_throws_keys_away_is_refused(servers: Servers) -> None:
    client = servers.client()
    client.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(LogError, match=r"throws keys away.*allkeys-lru.*noeviction"):
        opened(servers.url())
    client.close()


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("appendonly", "no", "set appendonly to yes"),
        ("appendfsync", "no", "set appendfsync to everysec"),
        ("no-appendfsync-on-rewrite", "yes", "no-appendfsync-on-rewrite to no"),
        ("maxmemory", "0", "set maxmemory"),
    ],
)
def test_settings_that_endanger_events_are_warned_of(servers: Servers, setting: str, value: str, says: str) -> None:
    client = servers.client()
    client.config_set("maxmemory", "100mb")
    calm = opened(servers.url())
    assert calm.warnings() == []
    calm.close()
    client.config_set(setting, value)

    log = opened(servers.url())
    (text,) = log.warnings()
    assert says in text
    assert str(servers.port) in text
    log.close()
    client.close()


def test_a_server_that_syncs_at_once_or_promises_nothing_makes_nobody_wait(servers: Servers) -> None:
    client = servers.client()
    for setting, value in (("appendfsync", "always"), ("appendfsync", "no"), ("appendonly", "no")):
        client.config_set(setting, value)
        log = opened(servers.url())
        answer = log.append([Append(0, events(1, 3))])[0]
        assert log.durable(0) == answer.offset
        log.close()
    client.close()


def test_a_log_of_another_shape_is_refused_with_the_remedy(tmp_path: Path) -> None:
    url = redis_url("single", tmp_path)
    opened(url).close()
    with pytest.raises(LogError, match="has 2 partitions, not 3"):
        open_redis(parse(url), partitions=3, limits=SMALL)
    with pytest.raises(LogError, match=r"no log `nothing` in Redis: start the server once"):
        open_redis(parse(f"redis://{addresses('single')}?name=nothing"), create=False, limits=SMALL)
    log = open_redis(parse(url), limits=SMALL)
    assert log.info.partitions == 2
    log.close()


# -- due times

dues = st.integers(-(2**62), 2**62)


@given(dues, dues)
def test_scores_are_ordered_as_due_times_and_lead_back_to_them(one: int, other: int) -> None:
    assert (one < other) == (float(score(one)) < float(score(other)))
    assert due(score(one).encode()) == one
    assert due(b"%.17g" % float(score(one))) == one


def test_due_times_next_to_each_other_are_told_apart(tmp_path: Path) -> None:
    log = opened(redis_url("single", tmp_path))
    ends = [-(2**62), -(2**62) + 1, -(2**53) - 1, -1, 0, 1, 2**53 + 1, 2**53 + 2, 1_700_000_000_000_001, 2**62 - 1]
    Writer(log).commit(*(put(f"k{number}", b"", at) for number, at in enumerate(ends)))

    expected = sorted((at, f"k{number}") for number, at in enumerate(ends))
    assert log.due(0, "rules", (-(2**63), ""), 100) == expected
    for place, each in enumerate(expected):
        assert log.due(0, "rules", each, 100) == expected[place + 1 :]
    log.close()


def test_a_page_of_many_rows_of_one_due_time_costs_what_any_page_costs(servers: Servers) -> None:
    client = servers.client()
    log = opened(servers.url())
    writer = Writer(log)
    names = sorted(f"k{number}" for number in range(100_000))
    for begin in range(0, len(names), 20_000):
        writer.commit(*(put(name, b"", 77) for name in names[begin : begin + 20_000]))
    writer.commit(put("early", b"", 1), put("late", b"", 78))

    for place in (0, 50_000, 99_990):
        client.config_resetstat()
        page = log.due(0, "rules", (77, names[place]), 100)
        assert [name for _, name in page][:-1] == names[place + 1 : place + 100][: len(page) - 1]
        looks = client.info("commandstats")["cmdstat_zrange"]["calls"]
        assert looks <= 20, "17 halvings of 100,000, and the page"
    # A place whose row is gone meanwhile.
    assert log.due(0, "rules", (77, f"{names[500]}!"), 1) == [(77, names[501])]
    assert log.due(0, "rules", (76, "z"), 1) == [(77, names[0])]
    log.close()
    client.close()
