"""A log whose commits tests write themselves, and query tables behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from projections.feeder import Bounds, Feeder
from projections.query import Queries
from projections.store import QueryStore
from projections.stores.redis import store as redis
from projections.stores.sqlite import store as sqlite
from projections.table import CommandRow, QueryTable
from streams.backends.limits import LogLimits
from streams.backends.open import open_log
from streams.backends.redis.url import is_redis, parse
from streams.keys import partition_of
from streams.log import AGENT, DELIVERY, Code, Commit, Lease, Log, role_of
from streams.state import Cell, Change, encode_cell
from tests.conformance.backends import redis_url
from tests.projections.dump import Shown, file_shows, redis_shows

FINES = QueryTable("fines", "aaa1")
CLASSES = QueryTable("classes", "bbb2")


def decode_command(name: str, value: bytes) -> CommandRow | None:
    """As the shell's decoder: delivery keeps other rows, too."""
    if name.startswith("#"):
        return None
    found = msgspec.json.decode(value)
    return CommandRow(
        name, found["state"], found["to"], found["rule"], found["key"], found["at"], found["number"], value.decode()
    )


def summary(id: str, state: str = "pending", at: int = 1, **more: Any) -> bytes:
    fields = {"id": id, "state": state, "to": "police", "rule": "r", "key": "A", "at": at, "number": 1}
    return msgspec.json.encode({**fields, **more})


class World:
    def __init__(self, folder: Path, url: str, partitions: int = 3, limits: LogLimits | None = None) -> None:
        self.folder = folder
        self.url = url
        self.log: Log = open_log(url, partitions=partitions, now=lambda: 1, limits=limits)
        self.partitions = partitions
        self.notices: list[str] = []
        self.failures: list[Exception] = []
        self._ends: dict[tuple[int, str], int] = {}
        self._leases: dict[tuple[int, str], Lease] = {}
        for partition in range(partitions):
            for role in (AGENT, DELIVERY):
                lease = self.log.acquire(partition, "me", 3600, role)
                assert lease is not None
                self._leases[partition, role] = lease
        self.stores: list[QueryStore] = []
        self.store = self.open()
        self.feeder = self.make_feeder()

    def open(self, tables: tuple[QueryTable, ...] = (FINES, CLASSES), log: Log | None = None) -> QueryStore:
        info = (log or self.log).info
        store: QueryStore
        if is_redis(self.url):
            store = redis.QueryStore(parse(self.url), info, tables)
        else:
            path = self.folder / "query.db"
            store = sqlite.QueryStore(path, info, tables, notice=self.notices.append, busy_timeout=5.0)
        self.stores.append(store)
        return store

    def make_feeder(
        self, store: QueryStore | None = None, partitions: Callable[[], Iterable[int]] | None = None, **bounds: Any
    ) -> Feeder:
        return Feeder(
            self.log,
            store or self.store,
            decode_command,
            partitions=partitions,
            apart=not is_redis(self.url),
            monotonic=time.monotonic,
            failed=self.failures.append,
            bounds=Bounds(**bounds),
        )

    @property
    def queries(self) -> Queries:
        return Queries(self.store)

    def partition(self, key: str) -> int:
        return partition_of(key, self.partitions)

    def commit(self, partition: int, processor: str, changes: list[Change], step: int = 1) -> int:
        start = self._ends.get((partition, processor), 0)
        end = self._ends[partition, processor] = start + step
        code = self.log.commit(Commit(self._leases[partition, role_of(processor)], processor, start, end, changes))
        assert code is Code.COMMITTED
        return end

    def put(self, key: str, step: int = 1, **rows: dict[str, Any]) -> int:
        """Commits a cell with these rows, by the tables' names."""
        ids = {"fines": FINES.id, "classes": CLASSES.id}
        cell = Cell(clock=5, rows={ids.get(name, name): row for name, row in rows.items()}, nodes={"n": [1, "x"]})
        return self.commit(self.partition(key), "rules", [Change("k" + key, encode_cell(cell))], step)

    def drop(self, key: str) -> int:
        return self.commit(self.partition(key), "rules", [Change("k" + key, None)])

    def decide(self, id: str, partition: int = 0, **fields: Any) -> int:
        return self.commit(partition, "delivery", [Change("#outputs", b"7"), Change(id, summary(id, **fields))])

    @property
    def file(self) -> sqlite.QueryStore:
        assert isinstance(self.store, sqlite.QueryStore)
        return self.store

    def shown(self) -> Shown:
        """Everything in the query tables."""
        if isinstance(self.store, redis.QueryStore):
            return redis_shows(self.store)
        return file_shows(self.file)

    def close(self) -> None:
        for store in self.stores:
            store.close()
        self.log.close()


def url_of(kind: str, folder: Path) -> str:
    """Of a log that no other test has. Its query tables are in a file, or in Redis beside it."""
    if kind == "memory":
        return "memory://"
    if kind == "sqlite":
        return f"sqlite:///{folder}/log.db"
    return redis_url("cluster" if kind == "redis-cluster" else "single", folder)


@pytest.fixture(params=["memory", "sqlite", "redis", "redis-cluster"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, url_of(request.param, tmp_path))
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "redis"])
def make_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., World]]:
    worlds: list[World] = []

    def make(**options: Any) -> World:
        folder = tmp_path / str(len(worlds))
        folder.mkdir()
        worlds.append(World(folder, url_of(request.param, folder), **options))
        return worlds[-1]

    yield make
    for each in worlds:
        each.close()
