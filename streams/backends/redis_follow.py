"""Waiting until a stream grows, without polling: XREAD BLOCK.

One server watches all streams for one connection, so there the caller's thread waits. In a cluster each XREAD knows one
slot, so a thread with a connection of its own waits for each, and goes on waiting when its caller has been woken by
another: the next caller mostly wants the same and finds it at that. One that waits for an entry that was read meanwhile
is given up by closing its connection.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

from streams.backends.redis_nodes import Call, Channel, Lost
from streams.backends.redis_servers import RedisServers
from streams.log import LogError, LogUnavailable

LONGEST: Final = 5.0
"""Seconds of one XREAD, so that a connection that went away unseen is noticed, and threads that nobody needs end."""
GRACE: Final = 5.0
"""Seconds that its answer may be late."""
PAUSE: Final = 0.2
"""Seconds until it is tried again where it failed."""
Ids = Mapping[str, int]
"""Stream → the last entry that is known."""


class Follower:
    def __init__(self, servers: RedisServers) -> None:
        self._servers = servers
        self._lock = threading.Lock()
        self._idle: list[_Waiter] = []
        self._closed = threading.Event()

    def wait(self, ids: Mapping[int, Ids], timeout: float) -> None:
        """Returns when one of these streams, by slot, has more, or the time is over; or earlier for nothing. Raises
        LogUnavailable if it may not wait."""
        if timeout <= 0 or self._closed.is_set():
            return
        if self._servers.clustered:
            self._wait_for_threads(ids, timeout)
            return
        for slot, streams in ids.items():
            try:
                xread(self._servers, slot, streams, min(timeout, LONGEST))
            except Lost:
                self._servers.look_again()
                self._closed.wait(min(timeout, PAUSE))

    def _wait_for_threads(self, ids: Mapping[int, Ids], timeout: float) -> None:
        news = threading.Event()
        waiters: list[_Waiter] = []
        try:
            for slot, streams in ids.items():
                waiters.append(self._waiter(slot, streams))
                waiters[-1].tell(news)
            news.wait(min(timeout, LONGEST))
        finally:
            for waiter in waiters:
                waiter.tell(None)
            with self._lock:
                self._idle += waiters
        if self._closed.is_set():
            self.close()
        for waiter in waiters:
            if waiter.error is not None:
                raise waiter.error

    def _waiter(self, slot: int, ids: Ids) -> _Waiter:
        """One that waits for just this already, else a new one."""
        stale: list[_Waiter] = []
        with self._lock:
            kept: list[_Waiter] = []
            found = None
            for each in self._idle:
                if each.done:
                    continue
                if found is None and each.ids == ids:
                    found = each
                elif each.ids.keys() == ids.keys() and each.ids != ids:
                    stale.append(each)
                else:
                    kept.append(each)
            self._idle = kept
        for waiter in stale:
            waiter.give_up()
        return found or _Waiter(self._servers, slot, ids, self._closed)

    def close(self) -> None:
        """Those who wait return."""
        self._closed.set()
        with self._lock:
            idle, self._idle = self._idle, []
        for waiter in idle:
            waiter.give_up()


class _Waiter:
    """A thread that waits once, or until it is given up."""

    def __init__(self, servers: RedisServers, slot: int, ids: Ids, closed: threading.Event) -> None:
        self.ids = dict(ids)
        self.done = False
        self.error: LogError | None = None
        self._servers = servers
        self._slot = slot
        self._closed = closed
        self._lock = threading.Lock()
        self._news: threading.Event | None = None
        self._channel: Channel | None = None
        self._given_up = False
        threading.Thread(target=self._run, name=f"follow slot {slot}", daemon=True).start()

    def tell(self, news: threading.Event | None) -> None:
        """Who is to be told; at once if it is over already."""
        with self._lock:
            self._news = news
            if self.done and news is not None:
                news.set()

    def give_up(self) -> None:
        with self._lock:
            self._given_up = True
            if self._channel is not None:
                self._channel.close()

    def _run(self) -> None:
        try:
            xread(self._servers, self._slot, self.ids, LONGEST, self._take)
        except Lost:
            if not self._given_up:
                self._servers.look_again()
                self._closed.wait(PAUSE)
        except LogError as error:
            self.error = error
        finally:
            with self._lock:
                self.done = True
                if self._news is not None:
                    self._news.set()

    def _take(self, channel: Channel | None) -> None:
        """What `give_up` closes. Raises Lost if that was asked for before."""
        with self._lock:
            self._channel = channel
            if self._given_up and channel is not None:
                raise Lost("nobody waits for it any more", sent=False)


def xread(
    servers: RedisServers, slot: int, ids: Ids, seconds: float, taken: Callable[[Channel | None], None] | None = None
) -> None:
    """One entry of each stream at most: it is the news that counts, reading comes after it."""
    from redis.exceptions import NoPermissionError

    milliseconds = max(int(seconds * 1000), 1)
    call: Call = ("XREAD", "COUNT", 1, "BLOCK", milliseconds, "STREAMS", *ids, *(f"{last}-0" for last in ids.values()))
    with servers.node(slot).borrow() as channel:
        if taken is not None:
            taken(channel)
        try:
            channel.send([call])
            reply = channel.receive(timeout=seconds + GRACE)
        finally:
            if taken is not None:
                taken(None)
    if isinstance(reply, NoPermissionError):
        raise LogUnavailable(f"{channel.address} does not let us wait: {reply}: the user needs +xread")
    if isinstance(reply, Exception):
        raise Lost(f"{channel.address}: {reply}", sent=True)
