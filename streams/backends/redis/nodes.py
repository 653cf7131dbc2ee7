"""One Redis server as a process speaks to it: a bounded pool of connections, and what its errors mean.

A `Channel` is one connection: it sends packed commands and reads replies, errors among them as values. The pool hands
out the one that was used last, so that few stay warm; one that the server closed meanwhile is noticed before anything
is sent on it, unless it was used less than QUIET ago. One that lay unused for long is asked with PING, too: what stands
between us and the server may have forgotten it without a word. Any thread may borrow; a channel belongs to one at a
time.

redis-py does connecting, TLS, logging in and parsing, hiredis packs; only their public API is used, and nothing of it
leaks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from streams.backends.redis.url import Address, RedisOptions
from streams.log import LogError, LogUnavailable

if TYPE_CHECKING:
    from redis import Connection

QUIET: Final = 0.05
"""Seconds."""

Argument: TypeAlias = bytes | str | int | float
Call: TypeAlias = Sequence[Argument]
"""A command and its arguments."""
Reply: TypeAlias = Any
"""bytes, int, None or a list of these, as RESP 2 knows them; or, where it is said, an exception of redis-py."""


class Lost(Exception):
    """The connection, before all replies came. `sent`: the server may have done what was asked."""

    def __init__(self, reason: str, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


def load() -> None:
    """Raises LogError if redis-py or hiredis is not installed."""
    try:
        import hiredis  # noqa: F401
        import redis  # noqa: F401
    except ImportError:
        raise LogError("Redis needs its client library: pip install 'business-logic-orchestrator[redis]'") from None


class Channel:
    """`received` is the time of the last reply, by time.monotonic."""

    def __init__(self, address: Address, connection: Connection) -> None:
        self.address = address
        self.received = 0.0
        self._connection = connection
        self._awaited = 0
        """Replies that have not been read."""

    def usable(self, health_check: float) -> bool:
        """Whether it is connected and nothing came that nobody asked for; and, if it lay unused for `health_check`
        seconds, whether the server answers on it. Else it is closed."""
        import redis

        connection = self._connection
        unused = time.monotonic() - self.received
        try:
            quiet = self.reusable and (unused <= QUIET or not connection.can_read(0))
            if quiet and (unused < health_check or self.ask("PING") == b"PONG"):
                return True
        except (redis.RedisError, Lost):
            pass  # the server closed it, or is not there
        self.close()
        return False

    def open(self) -> None:
        """Connects. Raises Lost, and LogUnavailable for what repeating cannot heal."""
        import redis

        connection = self._connection
        try:
            connection.connect()
        except redis.BusyLoadingError as error:
            raise Lost(f"{self.address} is loading its data ({error})", sent=False) from None
        except (redis.AuthenticationError, redis.ResponseError) as error:
            raise LogUnavailable(f"{self.address} does not let us in: {error}: check user and password") from error
        except (redis.RedisError, OSError) as error:
            raise Lost(f"{self.address} cannot be reached: {error}", sent=False) from None

    def send(self, calls: Sequence[Call]) -> None:
        import redis
        from hiredis import pack_command

        self._awaited += len(calls)
        # Not by the connection, which looks at each argument in Python before.
        packed = b"".join([pack_command(tuple(call)) for call in calls])  # type: ignore[arg-type]  # a tuple of one
        try:
            self._connection.send_packed_command([packed], check_health=False)
        except redis.RedisError as error:
            raise Lost(f"{self.address}: {error}", sent=True) from None

    def receive(self, timeout: float | None = None) -> Reply:
        """The next reply; an error of the server is returned, not raised. `timeout` instead of the usual one."""
        import redis

        try:
            if timeout is None:
                reply = self._connection.read_response()
            else:
                reply = self._connection.read_response(timeout=timeout)
        except (redis.ResponseError, redis.BusyLoadingError, redis.AuthenticationError) as error:
            reply = error
        except redis.RedisError as error:
            raise Lost(f"{self.address}: {error}", sent=True) from None
        self.received = time.monotonic()
        self._awaited -= 1
        return reply

    def ask(self, *call: Argument) -> Reply:
        self.send([call])
        return self.receive()

    @property
    def reusable(self) -> bool:
        return self._connection.is_connected and not self._awaited

    def close(self) -> None:
        """Whoever waits for a reply, in another thread, gets Lost."""
        self._connection.disconnect()
        self._awaited = 0


def connection_to(
    address: Address, options: RedisOptions, *, outside: bool = False, read_timeout: float | None = None
) -> Channel:
    """Not connected yet. `outside`: to ask what servers there are, and so in no database; sentinels have users of their
    own."""
    sentinel = outside and options.sentinel is not None
    import redis

    arguments: dict[str, Any] = {
        "host": address.host,
        "port": address.port,
        "username": options.sentinel_username if sentinel else options.username,
        "password": options.sentinel_password if sentinel else options.password,
        "db": 0 if outside else options.database,
        "socket_timeout": read_timeout or options.read_timeout,
        "socket_connect_timeout": min(options.connect_timeout, options.timeout),
        "socket_keepalive": True,
        "socket_read_size": 1 << 18,
        "protocol": 2,
    }
    if not options.tls:
        return Channel(address, redis.Connection(**arguments))
    arguments |= {
        "ssl_ca_certs": options.ca_certs,
        "ssl_certfile": options.certfile,
        "ssl_keyfile": options.keyfile,
        "ssl_check_hostname": options.check_hostname,
    }
    return Channel(address, redis.SSLConnection(**arguments))


class Node:
    """The pool of one server. A channel whose replies were not all read is not used again. `before` is called before
    a new connection is made, and may refuse by raising."""

    def __init__(self, address: Address, options: RedisOptions, before: Callable[[Address], None]) -> None:
        self.address = address
        self._options = options
        self._before = before
        self._places = threading.Semaphore(options.pool)
        self._lock = threading.Lock()
        self._idle: list[Channel] = []
        self._closed = False

    @contextmanager
    def borrow(self) -> Iterator[Channel]:
        """A connected channel. It is kept for the next one if it is connected at the end."""
        channel = self.take()
        try:
            yield channel
        finally:
            self.give(channel)

    def take(self) -> Channel:
        """As `borrow`, for who calls `give` itself."""
        options = self._options
        if not self._places.acquire(timeout=options.timeout):
            raise LogUnavailable(
                f"all {options.pool} connections to {self.address} are in use: more threads need a larger `pool`"
            )
        try:
            with self._lock:
                channel = self._idle.pop() if self._idle else None
            if channel is None or not channel.usable(options.health_check):
                self._before(self.address)
                channel = channel or connection_to(self.address, options)
                channel.open()
            return channel
        except BaseException:
            self._places.release()
            raise

    def give(self, channel: Channel) -> None:
        with self._lock:
            kept = channel.reusable and not self._closed
            if kept:
                self._idle.append(channel)
        if not kept:
            channel.close()
        self._places.release()

    def close(self) -> None:
        """Connections in use are closed when they are given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for channel in idle:
            channel.close()
