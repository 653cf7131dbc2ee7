"""Which server has which keys: one server, the master that sentinels name, or the masters of a cluster.

It is asked when it is needed first and again when a server cannot be reached or sends us elsewhere. Whoever finds the
picture wrong says which version of it was wrong, so that many threads that meet the same failure ask once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from streams.backends.redis.nodes import Lost, Reply, connection_to
from streams.backends.redis.url import Address, RedisOptions
from streams.log import LogError, LogUnavailable

SLOTS: Final = 16_384
FRESH: Final = 1.0
"""Seconds that what the sentinels said is believed by who makes a new connection."""
ANSWERS_WITHIN: Final = 3.0
"""Seconds that one server may take to say what it is, when others could be asked instead."""
Kind = Literal["standalone", "sentinel", "cluster"]
KINDS: Final[dict[str, Kind]] = {"standalone": "standalone", "sentinel": "sentinel", "cluster": "cluster"}


@dataclass(frozen=True, slots=True)
class Picture:
    version: int
    masters: tuple[Address, ...]
    slots: Sequence[Address | None] = field(default=(), repr=False)
    """Of a cluster, by slot."""
    replicas: int = 0
    """Of a cluster, all together."""


class Topology:
    """Asks when it is made: raises LogUnavailable if nobody answers."""

    def __init__(self, options: RedisOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._asked = 0.0
        self.kind, self.version_text = self._recognise()
        self._sentinel = options.sentinel
        self._picture = Picture(0, ())
        try:
            self.refresh(0)
        except Lost as error:
            raise LogUnavailable(f"Redis: {error}") from None

    @property
    def picture(self) -> Picture:
        return self._picture

    def of(self, slot: int) -> Address | None:
        """Where the keys of this slot are; None while a cluster has nobody for it."""
        picture = self._picture
        return picture.slots[slot] if picture.slots else picture.masters[0]

    def moved(self, slot: int, address: Address) -> None:
        """A server said that the slot is there now."""
        with self._lock:
            picture = self._picture
            slots = list(picture.slots)
            slots[slot] = address
            masters = tuple(dict.fromkeys([*picture.masters, address]))
            self._picture = Picture(picture.version + 1, masters, slots, picture.replicas)

    def refresh(self, wrong: int) -> None:
        """Asks again, unless somebody has since `wrong`, the version that failed. Raises Lost if nobody answers."""
        with self._lock:
            if self._picture.version > wrong:
                return
            if self.kind == "sentinel":
                masters: tuple[Address, ...] = (self._master(),)
                self._picture = Picture(wrong + 1, masters)
            elif self.kind == "cluster":
                self._picture = self._cluster(wrong + 1)
            else:
                self._picture = Picture(wrong + 1, self._options.addresses[:1])
            self._asked = time.monotonic()

    def confirm(self, address: Address) -> None:
        """Called before a connection is made. A master that died and came back calls itself one until the sentinels
        have told it, and loses what it is given meanwhile: so they are asked. Raises Lost if it is another."""
        if self.kind != "sentinel":
            return
        if time.monotonic() - self._asked > FRESH:
            self.refresh(self._picture.version)
        if self._picture.masters != (address,):
            raise Lost(f"{address} is no longer the master: the sentinels name {self._picture.masters[0]}", sent=False)

    # -- asking

    def _recognise(self) -> tuple[Kind, str]:
        problems: list[str] = []
        refusal: LogUnavailable | None = None
        for address in self._options.addresses:
            sentinel = self._options.sentinel is not None
            try:
                channel = connection_to(address, self._options, outside=True)
                channel.open()
                try:
                    info = fields(channel.ask("INFO", "server"))
                finally:
                    channel.close()
            except Lost as error:
                problems.append(str(error))
                continue
            except LogUnavailable as error:
                refusal = error
                problems.append(str(error))
                continue
            mode, version = info.get("redis_mode", ""), info.get("redis_version", "0")
            kind = KINDS.get(mode)
            if kind is None:
                raise LogError(f"{address} says that it is `{mode}`, not a Redis server that this version knows")
            if sentinel and mode != "sentinel":
                raise LogError(f"{address} is no sentinel: leave `sentinel` out of the URL, or name the sentinels")
            if len(self._options.addresses) > 1 and mode == "standalone":
                raise LogError(f"{address} is a single server, but the URL names several: name only the one")
            if mode == "cluster" and self._options.database:
                raise LogError("a cluster has no databases: leave the number out of the URL, and choose a `name`")
            if int(version.split(".")[0]) < 7:
                raise LogError(f"{address} is Redis {version}: 7.0 or newer is needed")
            return kind, version
        raise refusal or LogUnavailable("; ".join(problems) + ": start it, or name the right host and port")

    def _first_answer(self, addresses: Sequence[Address], *call: str) -> Iterator[tuple[Address, Reply]]:
        """What each that answers says, until the caller has what it needs; then Lost."""
        problems: list[str] = []
        for address in addresses:
            channel = connection_to(
                address,
                self._options,
                outside=True,
                read_timeout=min(ANSWERS_WITHIN, self._options.read_timeout),
            )
            try:
                channel.open()
                reply = channel.ask(*call)
            except (Lost, LogUnavailable) as error:
                problems.append(str(error))
                continue
            finally:
                channel.close()
            if isinstance(reply, Exception) or not reply:
                problems.append(f"{address} answers {reply or 'nothing'} to {' '.join(call)}")
                continue
            yield address, reply
        raise Lost("; ".join(problems) or "no server gave an answer that can be used", sent=False)

    def _master(self) -> Address:
        addresses = self._options.addresses
        if self._sentinel is None:
            for address, reply in self._first_answer(addresses, "SENTINEL", "MASTERS"):
                names = [_pairs(master).get("name", "") for master in reply]
                if len(names) != 1:
                    raise LogError(
                        f"the sentinel {address} watches {', '.join(names) or 'nothing'}: choose with ?sentinel=NAME"
                    )
                self._sentinel = names[0]
                break
        assert self._sentinel is not None
        for _, reply in self._first_answer(addresses, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._sentinel):
            return Address(reply[0].decode(), int(reply[1]))
        raise AssertionError  # the iterator ends by raising

    def _cluster(self, version: int) -> Picture:
        known = tuple(dict.fromkeys([*self._picture.masters, *self._options.addresses]))
        for address, reply in self._first_answer(known, "CLUSTER", "SLOTS"):
            slots: list[Address | None] = [None] * SLOTS
            masters: dict[Address, None] = {}
            replicas: set[tuple[bytes, int]] = set()
            for first, last, master, *others in reply:
                host = master[0].decode() if master[0] else ""
                found = Address(host if host not in ("", "?") else address.host, int(master[1]))
                masters[found] = None
                replicas |= {(other[0] or b"", other[1]) for other in others}
                slots[first : last + 1] = [found] * (last + 1 - first)
            if masters:
                return Picture(version, tuple(masters), slots, len(replicas))
        raise AssertionError


def fields(reply: Reply) -> dict[str, str]:
    """What INFO answers."""
    if not isinstance(reply, bytes):
        raise LogUnavailable(f"INFO was refused: {reply}: the user needs it (ACL SETUSER … +info)")
    pairs = (line.partition(":") for line in reply.decode().splitlines())
    return {name: value for name, colon, value in pairs if colon}


def _pairs(flat: Sequence[bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}
