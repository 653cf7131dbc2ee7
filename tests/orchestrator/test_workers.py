"""Several workers of one server on a real Redis, as a user starts them; and servers that do different things."""

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.activation import Processors, active
from orchestrator.wiring import tables
from projections.stores.redis.store import QueryStore
from streams.backends.open import open_log
from streams.backends.redis.url import parse
from streams.log import AGENT, DELIVERY, Log
from tests.conformance.backends import redis_url
from tests.projections.dump import redis_shows

CALL = [sys.executable, "-c", "from orchestrator.cli import main; main()", "server"]
RULES = """
ruleset: shop
projections:
  orders:
    fold:
      order.placed: {total: event.data.total}
rules:
  big:
    on: order.placed
    when: event.data.total > 100
    then: [{command: look-at, to: log, args: {order: "${key}"}}]
"""
PARTITIONS = 6
WAIT = 40.0
"""Seconds in which anything must have happened."""


class Running:
    """`orchestrator server` with the log in Redis, until the end of the test."""

    def __init__(self, folder: Path, url: str, *arguments: str, **settings: str) -> None:
        folder.mkdir()
        (folder / "rules.yaml").write_text(RULES)
        self.errors = folder / "errors.txt"
        call = [*CALL, "--rules", "rules.yaml", "--port", "0", "--metrics-port", "0", "--lease", "1s", "--json"]
        ours = {"REDIS_URL": url, "ORCHESTRATOR_PARTITIONS": str(PARTITIONS)}
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*call, *arguments],
                cwd=folder,
                env={**os.environ, **ours, **settings},
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            assert selector.select(WAIT), self.said()
        ready = self.process.stdout.readline()
        assert ready, self.said()
        self.addresses: dict[str, str] = json.loads(ready)
        self.url = self.addresses["http"]

    def said(self) -> str:
        return self.errors.read_text()

    def pids(self) -> dict[int, int]:
        """Worker → its process."""
        lines = [json.loads(line) for line in self.said().splitlines() if line.startswith("{")]
        return {line["worker"]: line["pid"] for line in lines if line["event"] == "worker ready"}

    def metrics(self) -> dict[str, float]:
        with urllib.request.urlopen(self.addresses["metrics"], timeout=20) as answer:
            lines = answer.read().decode().splitlines()
        return {
            name: float(value)
            for name, _, value in (each.rpartition(" ") for each in lines if not each.startswith("#"))
        }

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(WAIT)
        assert self.process.stdout is not None
        self.process.stdout.close()


def asked(url: str, body: bytes | None = None) -> tuple[int, Any]:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def publish(url: str, numbers: range) -> None:
    for number in numbers:
        event = {"id": str(number), "source": "shop", "type": "order.placed", "subject": f"A{number}"}
        assert asked(f"{url}/v1/events", json.dumps({**event, "data": {"total": 250}}).encode())[0] == 202


def wait_for(question: Callable[[], bool], said: Callable[[], str] = str) -> None:
    until = time.monotonic() + WAIT
    while not question():
        assert time.monotonic() < until, said() or "it did not happen in time"
        time.sleep(0.05)


def row(server: Running, number: int) -> dict[str, Any]:
    status, found = asked(f"{server.url}/v1/projections/orders/A{number}")
    assert status in (200, 404)
    return found  # type: ignore[no-any-return]


def settled(server: Running) -> bool:
    """Everything is evaluated, delivered and shown."""
    found = asked(f"{server.url}/v1/partitions")[1]["partitions"]
    return all(not each["lag"] and not each["undelivered"] and each["shown"] for each in found)


def owners(log: Log) -> list[str]:
    """Of the partitions, one entry for each owner."""
    return sorted({str(status.owner) for status in log.status()})


def released(log: Log) -> bool:
    return all(status.owner is None and status.deliverer is None for status in log.status()) and not any(
        log.beat("", role, {}, 1.0).members for role in (AGENT, DELIVERY)
    )


@pytest.fixture
def redis(tmp_path: Path) -> str:
    return redis_url("single", tmp_path)


@pytest.fixture
def log(redis: str) -> Iterator[Log]:
    with closing(open_log(redis, partitions=PARTITIONS, now=lambda: 0)) as opened:
        yield opened


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def started(ends: ExitStack, folder: Path, redis: str, *arguments: str, **settings: str) -> Running:
    running = Running(folder, redis, *arguments, **settings)
    ends.callback(running.close)
    return running


@pytest.mark.timeout(240)
def test_workers_share_partitions_and_a_port_and_one_that_dies_is_replaced(
    tmp_path: Path, redis: str, log: Log, ends: ExitStack
) -> None:
    server = started(ends, tmp_path / "server", redis, WORKERS="2")
    pids = server.pids()
    assert set(pids) == {1, 2}
    wait_for(lambda: len(owners(log)) == 2 and None not in {status.owner for status in log.status()}, server.said)
    assert {re.split(":", owner)[1] for owner in owners(log)} == {str(pid) for pid in pids.values()}

    # Either process says of some partitions only that they are evaluated elsewhere: both are asked.
    seen: dict[int, set[str]] = {partition: set() for partition in range(PARTITIONS)}

    def ask() -> bool:
        for each in asked(f"{server.url}/v1/partitions")[1]["partitions"]:
            seen[each["partition"]].add(each["state"])
        return all(states >= {"running", "elsewhere"} for states in seen.values())

    wait_for(ask, lambda: str(seen))

    publish(server.url, range(20))
    firings = 'orchestrator_rule_firings_total{rule="big"}'
    wait_for(lambda: server.metrics().get(firings) == 20, lambda: str(server.metrics()))
    metrics = server.metrics()
    running = [metrics[f'orchestrator_partition_running{{partition="{each}"}}'] for each in range(PARTITIONS)]
    assert running == [1] * PARTITIONS
    assert [metrics[f'orchestrator_worker_up{{worker="{worker}"}}'] for worker in (1, 2)] == [1, 1]

    os.kill(pids[1], signal.SIGKILL)
    wait_for(lambda: f":{pids[1]}:" not in "".join(owners(log)), server.said)
    wait_for(lambda: server.pids()[1] != pids[1], server.said)
    wait_for(lambda: len(owners(log)) == 2 and f":{server.pids()[1]}:" in "".join(owners(log)), server.said)
    said = asked(f"{server.url}/health")[1]
    assert said["status"] == "degraded"
    assert "worker 1 ended by SIGKILL, and was started again" in said["problems"]
    publish(server.url, range(20, 30))
    wait_for(lambda: server.metrics()[firings] == 30, lambda: str(server.metrics()))
    metrics = server.metrics()
    assert [metrics[f'orchestrator_worker_restarts_total{{worker="{worker}"}}'] for worker in (1, 2)] == [1, 0]

    assert server.stop() == 0
    assert released(log)


@pytest.mark.timeout(240)
def test_what_roles_do_can_be_split_over_servers(tmp_path: Path, redis: str, log: Log, ends: ExitStack) -> None:
    api = started(ends, tmp_path / "api", redis, "--roles", "api", "--workers", "2")
    agent = started(ends, tmp_path / "agent", redis, "--roles", "agent")
    delivery = started(ends, tmp_path / "delivery", redis, "--roles", "delivery")
    publish(api.url, range(3))
    wait_for(lambda: '"event": "command"' in delivery.said(), agent.said)

    def states() -> list[str]:
        return [each["state"] for each in asked(f"{api.url}/v1/commands")[1]["commands"]]

    wait_for(lambda: states() == ["done"] * 3)
    assert row(api, 2)["row"] == {"total": 250}
    own = [":".join(map(str, ("", server.process.pid, ""))) for server in (agent, delivery)]
    for status in log.status():
        assert own[0] in str(status.owner)
        assert own[1] in str(status.deliverer)
    for other in (agent, delivery):
        assert asked(f"{other.url}/v1/partitions")[0] == 404
        assert asked(f"{other.url}/health")[0] == 200
    assert [server.stop() for server in (api, agent, delivery)] == [0, 0, 0]
    assert released(log)


@pytest.mark.timeout(240)
def test_who_evaluates_a_partition_shows_its_rows_to_all(tmp_path: Path, redis: str, log: Log, ends: ExitStack) -> None:
    """The query tables are in Redis, fed by whoever has a partition: nobody makes them anew when it changes hands."""
    api = started(ends, tmp_path / "api", redis, "--roles", "api")
    roles = ("--roles", "agent,delivery")
    agents = [started(ends, tmp_path / name, redis, *roles) for name in ("first", "second")]
    wait_for(lambda: len(owners(log)) == 2 and None not in {status.owner for status in log.status()})
    publish(api.url, range(30))
    wait_for(lambda: all(row(api, number).get("row") == {"total": 250} for number in range(30)))
    wait_for(lambda: settled(api))

    agents[0].process.kill()
    publish(api.url, range(30, 50))
    wait_for(lambda: all(row(api, number).get("row") == {"total": 250} for number in range(50)), agents[1].said)
    wait_for(lambda: settled(api), agents[1].said)
    found = row(api, 49)
    partition = int(found["as_of"].split(".")[1])
    assert found["as_of"] == f"{log.info.generation}.{partition}.{log.position(partition, 'rules')}"

    # What one process left is what the next one finds, without anybody who evaluates.
    assert agents[1].stop() == 0
    another = started(ends, tmp_path / "another", redis, "--roles", "api")
    assert all(row(another, number)["row"] == {"total": 250} for number in range(50))
    assert settled(another)
    listed = asked(f"{another.url}/v1/commands?state=done&rule=big&limit=1000")[1]["commands"]
    assert {command["key"] for command in listed} == {f"A{number}" for number in range(50)}
    assert '"level": "error"' not in agents[1].said()

    # What was fed is what the state makes of it.
    shown = tables(Processors(log)(active(log, 0)))
    with closing(QueryStore(parse(redis), log.info, shown)) as store:
        fed = redis_shows(store)
        done = rebuild(tmp_path, redis)
        assert redis_shows(store) == fed
    assert (done["tables"], done["commands"]) == ({"orders": 50}, 50)


def rebuild(folder: Path, redis: str) -> Any:
    done = subprocess.run(
        [*CALL[:-1], "replay", "rebuild", "--json"],
        cwd=folder,
        env={**os.environ, "REDIS_URL": redis},
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_no_worker_can_do_is_said_once_with_its_status(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    call = [*CALL, "--rules", "rules.yaml", "--port", "0", "--metrics-port", "0", "--workers", "2"]
    done = subprocess.run(
        [*call, "--log", "redis://127.0.0.1:6379/none"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert "worker 1 ended 3 times in a row before it was ready: see above" in done.stderr
