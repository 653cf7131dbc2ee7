"""The connection of one target to its Temporal server: made when it is first needed, by one attempt for all that wait
for it, used by all of them, and made again by the library when it breaks.
"""

from __future__ import annotations

import asyncio
import gc
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Protocol, TypeVar

from google.protobuf.message import Message
from temporalio.client import Client
from temporalio.converter import DataConverter, WorkflowSerializationContext
from temporalio.service import TLSConfig

from adapters.work import Work

CONNECT: Final = 5.0
"""Seconds to connect, at most."""
SETTLING: Final = 0.3
"""Seconds between the last answer and the end of the connection: a process that ends sooner may crash, because the
library's threads still hand things over (seen with temporalio 1.35)."""
NAME: Final = "business-logic-orchestrator"

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message, covariant=True)
_Request = TypeVar("_Request", bound=Message, contravariant=True)


class ConnectError(Exception):
    """There is no connection; the text says why."""


class Method(Protocol[_Request, Response]):
    """Of the service, as the library offers it."""

    async def __call__(
        self,
        req: _Request,
        retry: bool = False,
        metadata: Mapping[str, str | bytes] = {},  # as theirs
        timeout: timedelta | None = None,
    ) -> Response: ...


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    address: str
    namespace: str = "default"
    api_key: str | None = field(default=None, repr=False)
    tls: bool | TLSConfig | None = field(default=None, repr=False)
    converter: DataConverter = field(default_factory=lambda: DataConverter.default, repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """One attempt's use of the connection."""

    client: Client
    work: Work
    limit: float
    """Seconds that the attempt has."""

    @property
    def namespace(self) -> str:
        return self.client.namespace

    @property
    def identity(self) -> str:
        return self.client.identity

    def converter(self, workflow_id: str) -> DataConverter:
        return self.client.data_converter.with_context(WorkflowSerializationContext(self.namespace, workflow_id))

    async def call(self, method: Method[Request, Response], request: Request, limit: float | None = None) -> Response:
        """One request, which is not repeated here: the retry policy of the target counts. Raises RPCError."""
        return await method(request, retry=False, timeout=timedelta(seconds=limit or self.limit))


class Connection:
    def __init__(self, options: ConnectionOptions) -> None:
        self._options = options
        self._client: Client | None = None
        self._connecting: asyncio.Task[Client] | None = None
        self._used = 0.0

    async def session(self, work: Work, limit: float) -> Session:
        """Raises ConnectError."""
        if self._client is None:
            if self._connecting is None:
                self._connecting = asyncio.create_task(self._connect())
                self._connecting.add_done_callback(self._connected)
            await asyncio.shield(self._connecting)
        assert self._client is not None
        return Session(self._client, work, limit)

    def note_use(self) -> None:
        """When an attempt is over."""
        self._used = asyncio.get_running_loop().time()

    async def close(self) -> None:
        if (connecting := self._connecting) is not None:
            connecting.cancel()
            await asyncio.wait([connecting], timeout=CONNECT)
        if self._used:
            await asyncio.sleep(max(0.0, self._used + SETTLING - asyncio.get_running_loop().time()))
        self._client = None
        gc.collect()  # the library closes what nobody has any more; its client and the services of it have each other

    async def _connect(self) -> Client:
        options = self._options
        more: dict[str, Any] = {} if options.tls is None else {"tls": options.tls}
        try:
            async with asyncio.timeout(CONNECT):
                return await Client.connect(
                    options.address,
                    namespace=options.namespace,
                    api_key=options.api_key,
                    data_converter=options.converter,
                    identity=f"{NAME}@{platform.node()}",
                    **more,
                )
        except TimeoutError:
            raise ConnectError(f"no connection to {options.address} within {CONNECT:g} s") from None
        except RuntimeError as error:  # what the library makes of all that can go wrong here
            raise ConnectError(f"no connection to {options.address}: {error}") from error

    def _connected(self, task: asyncio.Task[Client]) -> None:
        """Before those that wait for it go on."""
        self._connecting = None
        if not task.cancelled() and task.exception() is None:
            self._client = task.result()
