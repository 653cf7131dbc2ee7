"""The door of a server, with its siblings where the log is shared: put together, opened and closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from socket import socket
from typing import Final

from aiohttp import web

from adapters.engine import Engine
from adapters.target import Target
from adapters.work import Work
from orchestrator.door import answering, names
from orchestrator.door.door import Alone, Door
from orchestrator.door.here import Here
from orchestrator.door.registry import Registry
from orchestrator.door.siblings import Siblings
from orchestrator.listening import address, bound
from streams.log import Log

SETTING: Final = "ORCHESTRATOR_SIBLINGS_HOST"
LARGER: Final = 4
"""How much larger than the body of a request what is handed on may be."""


class Opened:
    """`kept`: seconds for which a worker is shown after it was heard of. `siblings_host`: where siblings reach this
    process, which they have to if it `delivers`; None where the log is this process's own. Raises OSError if there is
    no port to be had."""

    def __init__(
        self,
        log: Log,
        delivery: Engine,
        targets: Mapping[str, Target],
        member: str,
        *,
        kept: float,
        siblings_host: str | None,
        delivers: bool,
        body_bytes: int,
        now: Callable[[], int],
        observed: Callable[[str, str, float], None],
        lent: Callable[[Work], Work],
    ) -> None:
        self.member = member
        """The name under which this process delivers."""
        self.registry = Registry(now, kept)
        self._here = Here(delivery, self.registry, now=now, observed=observed, lent=lent)
        self._runner: web.AppRunner | None = None
        self._socket: socket | None = None
        if siblings_host is not None and delivers:
            self._socket = bound(siblings_host, SETTING)
            name = names.make(member, address(self._socket))
            self.member = name.member
            app = answering.app(self._here, name.url.rpartition("/")[2], body_bytes * LARGER)
            self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
        others = Alone() if siblings_host is None else Siblings(log, self.member)
        self.door = Door(self._here, targets, log.info.partitions, others)

    async def listen(self) -> None:
        """Siblings are answered from now on."""
        if self._runner is not None and self._socket is not None:
            await self._runner.setup()
            await web.SockSite(self._runner, self._socket).start()

    async def close(self) -> None:
        """After nobody asks any more."""
        await self.door.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._socket is not None:
            self._socket.close()
