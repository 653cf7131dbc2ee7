"""The target kind `temporal`: a command is one operation on a workflow. Each attempt is one request, and some that
look; retries are the target's. All attempts share the connection; all in one event loop.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from temporalio.service import RPCError

from adapters.targets.temporal.answers import failure, outcome_of
from adapters.targets.temporal.cancelling import Cancelling
from adapters.targets.temporal.connection import ConnectError, Connection, ConnectionOptions, Session
from adapters.targets.temporal.following import Following, Progress
from adapters.targets.temporal.payloads import ConverterError, TooLargeError
from adapters.targets.temporal.plan import Asked, Plan
from adapters.targets.temporal.signalling import Signalling, SignallingWithStart
from adapters.targets.temporal.starting import Starting
from adapters.targets.temporal.updating import Updating
from adapters.template import TemplateError
from adapters.work import Outcome, Work


@dataclass(frozen=True, slots=True)
class TemporalOptions:
    connection: ConnectionOptions
    plan: Plan
    timeout: float = 10.0
    """Seconds of an attempt whose command says nothing else."""
    poll: float = 10.0


class _Operation(Protocol):
    async def deliver(self, session: Session, asked: Asked) -> Outcome: ...


class TemporalAdapter:
    def __init__(self, options: TemporalOptions) -> None:
        self._plan = options.plan
        self._timeout = options.timeout
        self._where = options.connection
        self._connection = Connection(options.connection)
        self._following = Following(options.poll)
        self._operation = _operation(options.plan, self._following)

    async def deliver(self, work: Work) -> Outcome:
        limit = work.timeout or self._timeout
        try:
            async with asyncio.timeout(limit):
                return await self._deliver(work, limit)
        except TimeoutError:
            return failure("timeout", f"no answer within {limit:g} s")
        except ConnectError as error:
            return failure("connect", str(error))
        except RPCError as error:
            return outcome_of(error)
        except TemplateError as error:
            return failure("template", str(error))
        except TooLargeError as error:
            return failure("too-large", str(error))
        except ConverterError as error:
            return failure("converter", str(error))
        finally:
            self._connection.note_use()

    async def preview(self, work: Work) -> Any:
        """Before the data converter."""
        asked = self._plan.ask(msgspec.json.decode(work.body))._asdict()
        said = {name: value for name, value in asked.items() if value not in ("", [])}
        where = {"address": self._where.address, "namespace": self._where.namespace}
        return {**where, "operation": self._plan.operation, **said}

    async def close(self) -> None:
        await self._connection.close()

    async def _deliver(self, work: Work, limit: float) -> Outcome:
        if work.progress:
            progress = msgspec.json.decode(work.progress, type=Progress)
            return await self._following.look(await self._connection.session(work, limit), progress)
        asked = self._plan.ask(msgspec.json.decode(work.body))
        return await self._operation.deliver(await self._connection.session(work, limit), asked)


def _operation(plan: Plan, following: Following) -> _Operation:
    match plan.operation:
        case "start":
            return Starting(plan, following)
        case "signal":
            return Signalling()
        case "signal-with-start":
            return SignallingWithStart(plan, following)
        case "update":
            return Updating(plan, following)
        case "cancel":
            return Cancelling()
