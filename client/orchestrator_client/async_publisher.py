"""The same publisher for asyncio: a task instead of a thread. What each method promises is said in `publisher.py`.

What touches files is done in threads, so that the event loop never waits for a disk.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

from orchestrator_client.async_client import AsyncClient
from orchestrator_client.calls import publish
from orchestrator_client.delivery import Delivery
from orchestrator_client.errors import ClientError, Invalid, NotPublished, QueueFull, Refusal
from orchestrator_client.event import AnyEvent, encode
from orchestrator_client.publisher import AGE, BATCH, BATCH_BYTES, FOREVER, MOST_TOLD, PATIENCE
from orchestrator_client.retry import ONCE, Attempts
from orchestrator_client.waiting import Queue, Waiting

T = TypeVar("T")


class AsyncPublisher:
    """An asynchronous context, which starts it and ends with `close`. Parameters as of `Publisher`."""

    def __init__(
        self,
        client: AsyncClient,
        waiting: Waiting | None = None,
        *,
        batch: int = BATCH,
        age: float = AGE,
        refused: Callable[[Refusal], None] | None = None,
    ) -> None:
        if batch < 1:
            raise ValueError(f"a batch of {batch} events is none")
        self._client = client
        self._waiting = waiting if waiting is not None else Queue()
        self._batch = batch
        self._age = age
        self._tell = refused
        self._changed = asyncio.Condition()
        self._stopped = False
        self._hurry = 0
        self._due = 0.0
        self._given = len(self._waiting)
        self._gone = 0
        self._refusals: list[Refusal] = []
        self._refused = 0
        self._last: ClientError | None = None
        self._failure: BaseException | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def last_error(self) -> ClientError | None:
        return self._last

    def __len__(self) -> int:
        return len(self._waiting)

    async def __aenter__(self) -> AsyncPublisher:
        self._task = asyncio.create_task(self._run(), name="orchestrator-publisher")
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def publish(self, *events: AnyEvent, timeout: float = PATIENCE) -> None:
        now = datetime.now(UTC)
        encoded = [encode(event, now) for event in events]
        until = time.monotonic() + timeout
        async with self._changed:
            while True:
                self._check()
                empty = not len(self._waiting)
                try:
                    await self._do(self._waiting.put, encoded)
                    break
                except QueueFull:
                    left = until - time.monotonic()
                    if left <= 0 or empty:
                        raise
                    await self._wait(left)
            self._given += len(encoded)
            if empty:
                self._due = time.monotonic() + self._age
            self._changed.notify_all()

    async def flush(self, timeout: float = PATIENCE) -> None:
        until = time.monotonic() + timeout
        async with self._changed:
            goal = self._given
            self._hurry += 1
            self._changed.notify_all()
            try:
                while self._gone < goal and not self._stopped and (left := until - time.monotonic()) > 0:
                    self._check_failure()
                    await self._wait(left)
                self._check_failure()
            finally:
                self._hurry -= 1
            self._raise_if_left(goal - self._gone)

    async def close(self, timeout: float = PATIENCE) -> None:
        if self._stopped or self._task is None:
            return
        try:
            await self.flush(timeout)
        finally:
            self._stopped = True
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def _raise_if_left(self, left: int) -> None:
        refusals, self._refusals = self._refusals, []
        count, self._refused = self._refused, 0
        if left > 0 or refusals:
            raise NotPublished(max(left, 0), refusals, count, self._last)

    def _check(self) -> None:
        self._check_failure()
        if self._stopped or self._task is None:
            raise ClientError("the publisher is not open: use it as an asynchronous context")

    def _check_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _wait(self, seconds: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def _do(self, function: Callable[..., T], *arguments: object) -> T:
        if isinstance(self._waiting, Queue):
            return function(*arguments)
        return await asyncio.to_thread(function, *arguments)

    # -- in the task
    async def _run(self) -> None:
        try:
            while True:
                await self._send(Delivery(self._waiting, await self._next()))
        except Exception as error:  # raised by whoever calls next
            async with self._changed:
                self._failure = error
                self._changed.notify_all()

    async def _next(self) -> list[bytes]:
        async with self._changed:
            while True:
                count = len(self._waiting)
                left = self._due - time.monotonic()
                if count >= self._batch or (count and (left <= 0 or self._hurry)):
                    return await self._do(self._waiting.peek, self._batch, BATCH_BYTES)
                await self._wait(left if count else None)

    async def _send(self, delivery: Delivery) -> None:
        attempts = Attempts(FOREVER)
        while part := delivery.part:
            try:
                await self._client.call(publish(part), ONCE)
            except Invalid as problem:
                refusal = await self._do(delivery.refused, problem)
                if refusal is not None:
                    await self._keep(refusal)
            except ClientError as error:
                self._last = error
                error.passing = True  # the events are good: whatever is wrong may be put right
                await asyncio.sleep(attempts.pause(error))
            else:
                self._last = None
                attempts.succeeded()
                async with self._changed:
                    self._gone += await self._do(delivery.taken)
                    self._changed.notify_all()

    async def _keep(self, refusal: Refusal) -> None:
        if self._tell is not None:
            self._tell(refusal)
        async with self._changed:
            if self._tell is None:
                self._refused += 1
                self._refusals += [refusal] if len(self._refusals) < MOST_TOLD else []
            self._gone += 1
            self._changed.notify_all()
