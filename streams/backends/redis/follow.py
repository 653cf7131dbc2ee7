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

from streams.backends.redis.nodes import Call, Channel, Lost
from streams.backends.redis.servers import RedisServers
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
        """Threads that wait, and whose callers have gone on."""
        self._active: list[_Waiter] = []
        self._closed = threading.Event()

    def wait(self, ids: Mapping[int, Ids], timeout: float) -> None:
        """Returns when one of these streams, by slot, has more, or the time is over; or earlier for nothing. Raises
        LogUnavailable if it may not wait."""
        timeout = min(timeout, LONGEST)
        news = threading.Event()
        waiters = [self._begin(slot, streams) for slot, streams in ids.items()]
        try:
            if not self._servers.clustered:
                for waiter in waiters:
                    waiter.run(timeout)
            else:
                for waiter in waiters:
                    waiter.tell(news)
                news.wait(timeout)
        finally:
            for waiter in waiters:
                waiter.tell(None)
            with self._lock:
                self._active = [each for each in self._active if each not in waiters]
                if not self._closed.is_set():
                    self._idle += [waiter for waiter in waiters if not waiter.done]
        for waiter in waiters:
            if waiter.error is not None:
                raise waiter.error

    def _begin(self, slot: int, ids: Ids) -> _Waiter:
        """One that waits for just this already, else a new one."""
        stale: list[_Waiter] = []
        found = None
        with self._lock:
            kept: list[_Waiter] = []
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
            waiter = found or _Waiter(self._servers, slot, ids, self._closed)
            self._active.append(waiter)
            if self._closed.is_set():
                waiter.give_up()
        for each in stale:
            each.give_up()
        if found is None and self._servers.clustered:
            threading.Thread(target=waiter.run, args=(LONGEST,), name=f"follow slot {slot}", daemon=True).start()
        return waiter

    def close(self) -> None:
        """Those who wait return."""
        with self._lock:
            self._closed.set()
            waiters, self._idle = self._idle + self._active, []
        for waiter in waiters:
            waiter.give_up()


class _Waiter:
    """Waits once, or until it is given up."""

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

    def run(self, seconds: float) -> None:
        try:
            xread(self._servers, self._slot, self.ids, seconds, self._take)
        except Lost:
            if not self._given_up:
                self._servers.look_again()
                self._closed.wait(min(seconds, PAUSE))
        except LogError as error:
            if not self._given_up:
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


def xread(servers: RedisServers, slot: int, ids: Ids, seconds: float, taken: Callable[[Channel | None], None]) -> None:
    """One entry of each stream at most: it is the news that counts, reading comes after it. `taken` is told the channel
    that waits, and None when it does no more."""
    from redis.exceptions import NoPermissionError

    milliseconds = max(int(seconds * 1000), 1)
    call: Call = ("XREAD", "COUNT", 1, "BLOCK", milliseconds, "STREAMS", *ids, *(f"{last}-0" for last in ids.values()))
    with servers.node(slot).borrow() as channel:
        taken(channel)
        try:
            channel.send([call])
            reply = channel.receive(timeout=seconds + GRACE)
        finally:
            taken(None)
    if isinstance(reply, NoPermissionError):
        raise LogUnavailable(f"{channel.address} does not let us wait: {reply}: the user needs +xread")
    if isinstance(reply, Exception):
        raise Lost(f"{channel.address}: {reply}", sent=True)
