"""An import goes on through any process, and one that was overtaken without knowing it does no harm."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from orchestrator import import_session, imports, quiet
from orchestrator.import_session import ImportConflict, Sessions
from orchestrator.quiet import Quiet
from rules.processor import RulesProcessor
from streams.backends.open import open_log
from streams.event import FORWARDED, MODE, TICK, Event
from streams.keys import partition_of
from streams.log import AGENT, IMPORT, Append, Log, LogUnavailable
from streams.worker import RULES
from tests.agent.running import Running, event
from tests.conformance.backends import redis_url
from tests.orchestrator.serving import api, now
from tests.rules.compile import building as build

DIGEST, OTHER = "ab" * 32, "cd" * 32
PATH = f"/v1/imports/{DIGEST}"
UNTIL = "2021-01-01T00:00:00Z"
YEAR_2020 = 1_577_836_800_000_000


@pytest.fixture(params=["memory", "sqlite", "redis"])
def opened_log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Log]]:
    """Opens what another process would; in one process an embedded log is one."""
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/log.db"}
    kind = request.param
    url = redis_url("single", tmp_path) if kind == "redis" else urls[kind]
    logs: list[Log] = []

    def opened() -> Log:
        if not logs or kind == "redis":
            logs.append(open_log(url, partitions=3, now=now))
        return logs[-1]

    yield opened
    for log in logs:
        log.close()


@pytest.fixture
def log(opened_log: Callable[[], Log]) -> Log:
    return opened_log()


@pytest.fixture
def another(opened_log: Callable[[], Log]) -> Log:
    return opened_log()


def lines(*numbers: int) -> bytes:
    events = [
        {"id": str(n), "source": "s", "type": "paid", "subject": f"k{n}", "time": "2020-01-01T00:00:00Z"}
        for n in numbers
    ]
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def rules() -> RulesProcessor:
    """A reminder after a day; and a chain of derived events over keys that lie in different partitions."""
    chain = [
        build.rule(f"step{n}", f"step{n}" if n else "begin", build.emit(f"step{n + 1}", f"hop{n + 1}"))
        for n in range(8)
    ]
    remind = build.rule("remind", "paid", build.command(), after=build.DAY)
    return build.compiled(remind, *chain)


class Owner:
    """Evaluates in a thread, as another process would, and publishes its moments."""

    def __init__(self, log: Log) -> None:
        self.running = Running(log, rules(), now).activate()
        self._log = log
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Owner:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            tails, moment = [self._log.tail(partition) for partition in range(3)], self._log.now()
            self.running.settle()
            if all(self._log.position(partition, RULES) >= tail for partition, tail in enumerate(tails)):
                self._log.beat("test", AGENT, dict.fromkeys(range(3), moment), 10)
            self._stop.wait(0.005)


@asynccontextmanager
async def processes(log: Log, another: Log) -> AsyncIterator[tuple[TestClient, TestClient]]:
    async with api(log) as (first, _), api(another) as (second, _):
        yield first, second


async def opened(client: TestClient, path: str = PATH) -> dict[str, str]:
    answer = await client.put(path)
    assert answer.status == 200, await answer.text()
    return {"Import-Lease": (await answer.json())["lease"]}


async def sent(client: TestClient, lease: dict[str, str], first: int, *numbers: int) -> dict[str, Any]:
    answer = await client.post(f"{PATH}/events?line={first}", data=lines(*numbers), headers=lease)
    assert answer.status == 202, await answer.text()
    return await answer.json()  # type: ignore[no-any-return]


async def state(client: TestClient, lease: dict[str, str] | None = None) -> dict[str, Any]:
    return await (await client.get(PATH, headers=lease)).json()  # type: ignore[no-any-return]


async def seen(client: TestClient, last: str, *others: TestClient) -> list[dict[str, Any]]:
    """What each of them answers in turn, until one of them says `last`."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(10):
        for each in itertools.cycle((client, *others)):
            found.append(await state(each))
            if found[-1]["state"] == last:
                break
            await asyncio.sleep(0.002)
    return found


def modes(log: Log, partition: int) -> list[bool]:
    events = log.read(partition, 0, 10_000).events
    return [event.payload()["importing"] for event in events if event.type == MODE][1:]  # the first is the fixture's


async def test_each_request_may_come_to_another_process(log: Log, another: Log) -> None:
    with Owner(log) as owner:
        async with processes(log, another) as (one, two):
            lease = await opened(one)
            assert (await sent(two, lease, 1, 1, 2))["next_line"] == 3
            assert (await sent(one, lease, 3, 3))["next_line"] == 4
            assert (await sent(two, lease, 3, 3))["known"] == 1
            gap = await one.post(PATH + "/events?line=9", data=lines(9), headers=lease)
            assert (gap.status, "send line 4 next" in (await gap.json())["detail"]) == (409, True)
            shown = await state(two, lease)
            assert (shown["state"], shown["next_line"], shown["stored"], shown["known"]) == ("open", 4, 3, 0)
            answer = await two.post(PATH + "/finish", json={"until": UNTIL}, headers=lease)
            assert (answer.status, (await answer.json())["state"]) == (202, "finishing")
            said = await seen(one, "finished", two)
            assert {each["state"] for each in said} <= {"finishing", "finished"}
            assert (said[-1]["lines"], said[-1]["stored"], said[-1]["known"], said[-1]["until"]) == (3, 3, 0, UNTIL)
            assert (await (await one.put(PATH)).json())["state"] == "finished"
            async with asyncio.timeout(5):  # not for as long as a lease
                while (await two.put(f"/v1/imports/{OTHER}")).status == 409:  # noqa: ASYNC110 - no event tells it
                    await asyncio.sleep(0.002)
        assert len(owner.running.commands()) == 3
        assert [modes(log, partition) for partition in range(3)] == [[True, False, True]] * 3


async def test_another_importer_is_refused_by_every_process_while_the_lease_lives(log: Log, another: Log) -> None:
    async with processes(log, another) as (one, two):
        lease = await opened(one)
        for client, path, said in ((two, PATH, "this file is"), (two, f"/v1/imports/{OTHER}", "another file is")):
            refused = await client.put(path)
            assert (refused.status, "Retry-After" in refused.headers) == (409, True)
            assert (await refused.json())["detail"].startswith(said)
        for wrong in ({"Import-Lease": "0"}, {"Import-Lease": ""}):
            assert (await two.post(PATH + "/events?line=1", data=lines(1), headers=wrong)).status == 409
            assert (await two.post(PATH + "/finish", json={}, headers=wrong)).status == 409
        assert (await sent(two, lease, 1, 1))["stored"] == 1


async def test_who_is_given_the_lease_of_an_import_that_just_ended_does_not_begin_it_again(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Sessions.open

    def late(self: Sessions, digest: str, secret: str) -> import_session.Session:
        log.put_document(f"import:{digest}", b'{"state": "finished"}')
        return take(self, digest, secret)

    monkeypatch.setattr(Sessions, "open", late)
    async with api(log) as (one, _):
        assert await (await one.put(PATH)).json() == {"state": "finished"}
        assert log.tail(0) == 0
        monkeypatch.undo()
        await opened(one, f"/v1/imports/{OTHER}")


async def test_asking_with_the_lease_keeps_it_whichever_process_answers() -> None:
    clock = [now()]
    log = open_log("memory://", partitions=3, now=lambda: clock[0])
    async with processes(log, log) as (one, two):
        lease = await opened(one)
        for client in (two, one, two):
            clock[0] += 6_000_000
            assert (await state(client, lease))["state"] == "open"
        assert (await one.put(PATH)).status == 409
        clock[0] += 11_000_000
        assert (await sent(two, lease, 1, 1))["stored"] == 1, "nobody else took it"
        clock[0] += 11_000_000
        await opened(one, f"/v1/imports/{OTHER}")
        late = await two.post(PATH + "/events?line=2", data=lines(2), headers=lease)
        assert late.status == 409
        assert (await two.get(PATH)).status == 404


async def test_a_process_that_finishes_and_dies_is_seen_and_another_finishes(log: Log, another: Log) -> None:
    owner = Owner(log)
    async with api(another) as (two, _):
        async with api(log) as (one, _):  # nobody evaluates: it waits
            lease = await opened(one)
            await sent(one, lease, 1, 1, 2)
            assert (await one.post(PATH + "/finish", json={"until": UNTIL}, headers=lease)).status == 202
            assert (await state(two))["state"] == "finishing"
            again = await two.post(PATH + "/finish", json={"until": UNTIL}, headers=lease)
            assert (await again.json())["state"] == "finishing", "one finishes it already"
            more = await two.post(PATH + "/events?line=3", data=lines(3), headers=lease)
            assert (more.status, "no more events" in (await more.json())["detail"]) == (409, True)
        assert (await state(two))["state"] == "open"
        with owner:
            assert (await two.post(PATH + "/finish", json={"until": UNTIL}, headers=lease)).status == 202
            said = await seen(two, "finished")
        assert (said[-1]["lines"], said[-1]["stored"], said[-1]["known"]) == (2, 2, 0)
        assert len(owner.running.commands()) == 2


async def test_an_import_goes_on_after_a_restart_unless_another_began_meanwhile(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    with closing(open_log(url, partitions=3, now=now)) as log:
        async with api(log) as (client, _):
            lease = await opened(client)
            await sent(client, lease, 1, 1, 2)
    with closing(open_log(url, partitions=3, now=now)) as log:
        async with api(log) as (client, _):
            assert (await state(client))["next_line"] == 3
            assert (await sent(client, lease, 2, 2, 3))["next_line"] == 4
    with closing(open_log(url, partitions=3, now=now)) as log:
        async with api(log) as (client, _):
            await opened(client)  # the one before is dead: nobody waits for its lease
            assert (await client.post(PATH + "/events?line=4", data=lines(4), headers=lease)).status == 409


async def test_a_finish_that_fails_is_seen_everywhere_and_may_be_asked_for_again(
    log: Log, another: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiet, "STALLED", 0.05)
    failures: list[tuple[str, BaseException]] = []
    async with api(log, failures=failures) as (one, _), api(another) as (two, _):
        lease = await opened(one)
        await sent(one, lease, 1, 1)
        assert (await one.post(PATH + "/finish", json={"until": UNTIL}, headers=lease)).status == 202
        shown = (await seen(two, "failed"))[-1]
        assert "events wait and nothing moves" in shown["reason"]
        assert [where for where, _ in failures] == ["import"]
        monkeypatch.undo()
        with Owner(log):
            assert (await two.post(PATH + "/finish", json={"until": UNTIL}, headers=lease)).status == 202
            await seen(one, "finished")


async def test_who_was_overtaken_while_it_finished_neither_ticks_nor_ends_the_import_of_another(log: Log) -> None:
    """The first is frozen between a look at its lease and what it appends then."""
    sessions = Sessions(log)
    async with api(log) as (one, _):
        stale = sessions.open(OTHER, "secret")
        log.release(stale.lease)  # it ran out
        lease = await opened(one)
        await sent(one, lease, 1, 1)
        for number in (1, imports.STEPS - 1):
            append = Append(0, [event(TICK, "")], IMPORT, [stale.epoch * imports.STEPS + number])
            assert log.append([append])[0].stored == 0
        with pytest.raises(ImportConflict):
            sessions.save(stale)
        with pytest.raises(ImportConflict):
            sessions.attend(stale)
        assert (await sent(one, lease, 2, 2))["stored"] == 1


async def test_whoever_adopts_looks_again_once_it_has_the_lease(log: Log, another: Log) -> None:
    one, two = Sessions(log), Sessions(another)
    session = one.open(DIGEST, "secret")
    one.save(session)
    log.release(session.lease)
    between = Sessions(log)
    other = between.open(OTHER, "another")
    between.save(other)
    between.release(other)
    with pytest.raises(ImportConflict):
        two.adopt(session)
    assert two.open(DIGEST, "third").epoch == 4, "what it should not have is free again"


async def test_a_batch_whose_answer_was_lost_is_counted_once(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[tuple[str, BaseException]] = []
    async with api(log, failures=failures) as (one, _):
        lease = await opened(one)
        save = Sessions.save

        def lost(self: Sessions, session: import_session.Session, how: str) -> None:
            if how == "after":
                save(self, session)
            raise LogUnavailable("the answer was lost")

        for first, how in ((1, "before"), (3, "after")):
            monkeypatch.setattr(Sessions, "save", lambda self, session, how=how: lost(self, session, how))
            body = lines(first, first + 1)
            assert (await one.post(f"{PATH}/events?line={first}", data=body, headers=lease)).status == 503
            monkeypatch.setattr(Sessions, "save", save)
            assert (await sent(one, lease, first, first, first + 1))["next_line"] == first + 2
        shown = await state(one)
        assert shown["stored"] + shown["known"] == 4


async def quietly(log: Log, seconds: float = 10.0, pulse: Callable[[], None] = lambda: None) -> None:
    async def each() -> None:
        pulse()

    async with asyncio.timeout(seconds):
        await Quiet(log, time.monotonic, each).reached()


def published(log: Log, *events: Event) -> None:
    for each in events:
        log.append([Append(partition_of(each.key, 3), [each])])


async def test_what_is_forwarded_again_and_again_is_waited_for(log: Log) -> None:
    owner = Owner(log)
    published(log, event("begin", "hop0", YEAR_2020))
    with owner:
        await quietly(log)
        hops = [each for p in range(3) for each in log.read(p, 0, 10_000).events if each.type == FORWARDED]
        assert len(hops) == 8
        assert quiet.behind(log) == 0


@pytest.mark.parametrize("type", ["other", "begin"])
async def test_traffic_that_never_ends_does_not_keep_it_from_its_end(log: Log, type: str) -> None:
    """Also where there is something new at every look, which leads to forwards."""
    with Owner(log):
        await quietly(log, pulse=lambda: published(log, event(type, "k", YEAR_2020)))


async def test_it_waits_for_the_owner_that_is_behind(log: Log) -> None:
    published(log, event("paid", "k1", YEAR_2020))
    for partitions in ({}, {0: 1, 1: 1}, {0: 2**60, 1: 2**60, 2: log.now() - 1}):
        log.beat("owner", AGENT, partitions, 10)
        with pytest.raises(TimeoutError):
            await quietly(log, 0.05)
    log.beat("owner", AGENT, {2: 2**60}, 10)
    await quietly(log)
