"""Redis servers as everything here speaks to them: calls by slot, sent where the slot is, repeated where that is safe.

    servers = RedisServers(parse("redis://host:6379"))
    slot = servers.slot("{name:0}:meta")                       # 0 for all keys, where there is no cluster
    a, b = servers.run(slot, [("HGET", key, "x"), SCRIPT.call([key], ["argument"])], repeatable=True)
    replies = servers.run_many({slot: calls, other: calls}, repeatable=True)     # nodes work at the same time
    replies = servers.run_apart({slot: calls, other: calls})   # what one call raises is its reply

Calls of one run go down one connection, in order, without waiting for each other; those of one slot that have to be
repeated may then come after later ones. Replies are raw: bytes, int, None, lists. A script that the server does not
know is sent in full.

What a server refused before doing anything (moved, loading, read-only, …) is repeated, after a pause that grows, with
full jitter, until the time limit. A connection that breaks after sending leaves it open whether the call was done: it
is repeated if the caller says that doing it twice is doing it once (`repeatable`), else LogUnavailable says so. Waits
are bounded: `timeout` for a call with its repetitions, `timeout / attempts` for one answer. Raises LogUnavailable,
LogFull (the server's memory), LogDamaged (keys that hold something else), and LogError for what is wrong with the call.
Any thread may call.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from streams.backends.redis.nodes import Call, Channel, Lost, Node, Reply, load
from streams.backends.redis.scripts import in_full
from streams.backends.redis.topology import Topology
from streams.backends.redis.url import Address, RedisOptions
from streams.log import LogDamaged, LogError, LogFull, LogUnavailable

SHORTEST_PAUSE: Final = 0.01
SENT_ELSEWHERE: Final = 5
"""How often servers may send us from one to the other before that counts as a failure."""
_NOT_DONE: Final = ("NOREPLICAS", "MISCONF", "BUSY ")
"""Errors without a class of their own after which nothing was done, and which may pass."""


_IN_SCRIPT: Final = "user executing the script can't"


class _Job:
    """The calls of one slot on their way."""

    def __init__(self, slot: int, calls: Sequence[Call]) -> None:
        self.slot = slot
        self.calls = list(calls)
        self.replies: list[Reply] = [None] * len(calls)
        self.open = list(range(len(calls)))
        """Which have no reply yet."""
        self.asked: Address | None = None
        """Where the next attempt goes while the slot moves there."""

    def fail(self, error: LogError) -> None:
        """The reply to all that have none."""
        for index in self.open:
            self.replies[index] = error
        self.open = []

    def to_send(self) -> list[Call]:
        calls = [self.calls[index] for index in self.open]
        return calls if self.asked is None else [each for call in calls for each in (("ASKING",), call)]


class _Trouble:
    """What went wrong in one attempt. `pause`: time may heal it. `picture`: we may have asked the wrong server."""

    def __init__(self) -> None:
        self.reason = ""
        self.errors: list[LogError] = []
        """What calls ended with."""
        self.pause = False
        self.picture = False

    def note(self, reason: str, *, pause: bool = True, picture: bool = True) -> None:
        self.reason = reason
        self.pause = self.pause or pause
        self.picture = self.picture or picture


class RedisServers:
    def __init__(self, options: RedisOptions) -> None:
        """Raises LogError if redis-py is missing or the servers are not what the options say, LogUnavailable if none
        answers."""
        load()
        from redis.backoff import FullJitterBackoff
        from redis.crc import key_slot

        self.options = options
        self.topology = Topology(options)
        self._key_slot = key_slot
        self._pause = FullJitterBackoff(options.longest_pause, SHORTEST_PAUSE).compute
        self._lock = threading.Lock()
        self._nodes: dict[Address, Node] = {}
        self._closed = threading.Event()

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    @property
    def clustered(self) -> bool:
        return self.topology.kind == "cluster"

    def slot(self, key: str) -> int:
        """Keys with the same `{tag}` share one."""
        return self._key_slot(key.encode()) if self.clustered else 0

    def run(self, slot: int, calls: Sequence[Call], *, repeatable: bool) -> list[Reply]:
        return self.run_many({slot: calls}, repeatable=repeatable)[slot]

    def run_many(
        self, calls: Mapping[int, Sequence[Call]], *, repeatable: bool, timeout: float | None = None
    ) -> dict[int, list[Reply]]:
        """By slot. If one raises, others may have been done."""
        jobs = [_Job(slot, asked) for slot, asked in calls.items()]
        for error in self._run(jobs, repeatable, self.options.timeout if timeout is None else timeout):
            raise error
        return {job.slot: job.replies for job in jobs}

    def run_apart(self, calls: Mapping[int, Sequence[Call]]) -> dict[int, list[Reply | LogError]]:
        """By slot, of calls that may be done twice. An error of one is its reply and keeps no other from being done."""
        jobs = [_Job(slot, asked) for slot, asked in calls.items()]
        try:
            for _ in self._run(jobs, True, self.options.timeout):
                pass
        except LogUnavailable as error:
            for job in jobs:
                job.fail(error)
        return {job.slot: job.replies for job in jobs}

    def _run(self, jobs: Sequence[_Job], repeatable: bool, allowed: float) -> Iterator[LogError]:
        """Until each call has its reply; tells errors that are the reply to one, after the attempt that met them."""
        deadline = time.monotonic() + allowed
        failures = attempts = 0
        while waiting := [job for job in jobs if job.open]:
            if self._closed.is_set():
                raise LogUnavailable("the connections to Redis are closed")
            version = self.topology.picture.version
            trouble = self._attempt(waiting, repeatable)
            yield from trouble.errors
            if not trouble.reason:
                continue
            if time.monotonic() >= deadline:
                raise LogUnavailable(f"Redis: {trouble.reason} (tried for {allowed:.0f} s)")
            attempts += 1
            if trouble.pause or attempts > SENT_ELSEWHERE:
                failures += 1
                self._closed.wait(min(self._pause(failures), max(deadline - time.monotonic(), 0.0)))
            if trouble.picture:
                self._look_again(version)

    def node(self, slot: int) -> Node:
        """The pool of the server that has this slot. Raises Lost while there is none."""
        address = self.topology.of(slot)
        if address is None:
            raise Lost(f"no master of the cluster has slot {slot}", sent=False)
        return self._node(address)

    def nodes(self) -> list[Node]:
        """Of all masters."""
        return [self._node(address) for address in self.topology.picture.masters]

    def look_again(self) -> None:
        """For who uses `node` and met Lost."""
        self._look_again(self.topology.picture.version)

    def close(self) -> None:
        """Whoever waits between two attempts gives up."""
        self._closed.set()
        with self._lock:
            nodes, self._nodes = self._nodes, {}
        for node in nodes.values():
            node.close()

    # -- one attempt

    def _attempt(self, jobs: Iterable[_Job], repeatable: bool) -> _Trouble:
        """Sends to all nodes what is open, then reads."""
        trouble = _Trouble()
        groups: dict[Address, list[_Job]] = {}
        for job in jobs:
            address = job.asked or self.topology.of(job.slot)
            if address is None:
                trouble.note(f"no master of the cluster has slot {job.slot}")
            else:
                groups.setdefault(address, []).append(job)
        taken: list[tuple[Node, Channel, list[_Job]]] = []
        try:
            for address in sorted(groups):
                node = self._node(address)
                try:
                    channel = node.take()
                except Lost as error:
                    trouble.note(str(error))
                    _forget_asked(groups[address])
                    continue
                taken.append((node, channel, groups[address]))
                try:
                    channel.send([call for job in groups[address] for call in job.to_send()])
                except Lost as error:
                    taken.pop()
                    node.give(channel)
                    self._unsure(error, groups[address], repeatable, trouble)
            for _, channel, group in taken:
                try:
                    for job in group:
                        self._read(channel, job, trouble)
                except Lost as error:
                    self._unsure(error, [job for job in group if job.open], repeatable, trouble)
        finally:
            for node, channel, _ in taken:
                node.give(channel)
        return trouble

    @staticmethod
    def _unsure(error: Lost, jobs: list[_Job], repeatable: bool, trouble: _Trouble) -> None:
        if error.sent and not repeatable:
            raise LogUnavailable(f"Redis: {error}: what was asked may or may not have been done") from None
        trouble.note(str(error))
        _forget_asked(jobs)

    def _read(self, channel: Channel, job: _Job, trouble: _Trouble) -> None:
        """All replies to what was sent for this job. Those that can be used are taken out of `open` one by one, so that
        nothing that was answered is ever repeated."""
        asking, job.asked = job.asked is not None, None
        for index in tuple(job.open):
            if asking:
                channel.receive()
            reply = channel.receive()
            if isinstance(reply, Exception):
                try:
                    self._refused(reply, channel.address, job, index, trouble)
                except LogError as error:
                    trouble.errors.append(error)
                    job.replies[index] = error
                    job.open.remove(index)
                continue
            job.replies[index] = reply
            job.open.remove(index)

    def _refused(self, error: Exception, address: Address, job: _Job, index: int, trouble: _Trouble) -> None:
        """Returns when the call is to be repeated."""
        from redis import exceptions as known

        text = str(error)
        if isinstance(error, known.NoScriptError) and job.calls[index][0] == "EVALSHA":
            job.calls[index] = in_full(job.calls[index])
            trouble.note(f"{address} did not know a script", pause=False, picture=False)
        elif isinstance(error, known.MovedError):
            self.topology.moved(job.slot, Address(error.host or address.host, error.port))
            trouble.note(f"slot {job.slot} moved to another master", pause=False, picture=False)
        elif isinstance(error, known.AskError):
            job.asked = Address(error.host or address.host, error.port)
            trouble.note(f"slot {job.slot} is moving to another master", pause=False, picture=False)
        elif isinstance(error, known.TryAgainError):
            trouble.note(f"slot {job.slot} is moving to another master", picture=False)
        elif isinstance(error, known.ReadOnlyError):
            trouble.note(f"{address} became a replica")
        elif isinstance(error, (known.ClusterDownError, known.BusyLoadingError)) or text.startswith(_NOT_DONE):
            trouble.note(f"{address}: {text}")
        elif isinstance(error, known.OutOfMemoryError):
            raise LogFull(f"the memory of {address} is full: raise its maxmemory", retry_after=10.0)
        elif isinstance(error, (known.NoPermissionError, known.AuthenticationError)) or _IN_SCRIPT in text:
            raise LogUnavailable(f"{address} refuses the user `{self.options.user}`: {text}: check its ACL")
        elif text.startswith("WRONGTYPE"):
            raise LogDamaged(f"{address}: {text}: something else uses keys that begin with `{{{self.options.name}`")
        else:
            raise LogError(f"{address}: {text}")

    # -- nodes

    def _node(self, address: Address) -> Node:
        with self._lock:
            if self._closed.is_set():
                raise LogUnavailable("the connections to Redis are closed")
            node = self._nodes.get(address)
            if node is None:
                node = self._nodes[address] = Node(address, self.options, self.topology.confirm)
            return node

    def _look_again(self, wrong: int) -> None:
        """What nobody answers is kept as it was: the next attempt meets it, or asks again."""
        try:
            self.topology.refresh(wrong)
        except Lost:
            return
        masters = self.topology.picture.masters
        with self._lock:
            gone = [self._nodes.pop(address) for address in list(self._nodes) if address not in masters]
        for node in gone:
            node.close()


def _forget_asked(jobs: Iterable[_Job]) -> None:
    for job in jobs:
        job.asked = None
