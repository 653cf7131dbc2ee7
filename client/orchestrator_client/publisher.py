"""Publishes in the background: events go in batches, from one thread, in the order in which they were handed over.

Nothing is dropped in silence. What waits is bounded, and `publish` blocks where there is no room; while the server is
away or busy the thread tries on for as long as it takes; what the server will never take is told of.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf
from threading import Condition, Event, Thread
from typing import Final

from orchestrator_client.calls import publish
from orchestrator_client.client import Client
from orchestrator_client.delivery import Delivery
from orchestrator_client.errors import ClientError, Invalid, NotPublished, QueueFull, Refusal
from orchestrator_client.event import AnyEvent, encode
from orchestrator_client.retry import ONCE, Attempts, Retry
from orchestrator_client.waiting import Queue, Waiting

BATCH: Final = 500
BATCH_BYTES: Final = 1 << 20
AGE: Final = 0.05
PATIENCE: Final = 60.0
FOREVER: Final = Retry(within=inf)
MOST_TOLD: Final = 100
"""Refusals that are kept for `flush` to tell of."""


class Publisher:
    """A context that ends with `close`. `publish`, `flush` and `close` may be called from any thread.

    waiting
        Where events wait: a `Spool`, which is yours to close afterwards, or by default a `Queue` of 10,000 in memory.
        What a spool holds already is sent first.
    batch, age
        A request holds so many events at most (and about 1 MiB), and waits no longer than `age` seconds for more.
    refused
        Told of every event that the server will never take, from the thread. Without it `flush` and `close` raise.
    """

    def __init__(
        self,
        client: Client,
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
        self._changed = Condition()
        self._stop = Event()
        self._hurry = 0
        """How many `flush` and `close` are waited for."""
        self._due = 0.0
        self._given = len(self._waiting)
        self._gone = 0
        self._refusals: list[Refusal] = []
        self._refused = 0
        self._last: ClientError | None = None
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run, name="orchestrator-publisher", daemon=True)
        self._thread.start()

    @property
    def last_error(self) -> ClientError | None:
        """Why the newest request was not taken; None after one that was."""
        return self._last

    def __len__(self) -> int:
        """Events that wait."""
        return len(self._waiting)

    def publish(self, *events: AnyEvent, timeout: float = PATIENCE) -> None:
        """Returns when they wait to be sent: with a spool, when they are in it. Events of one call stay together.
        Raises EventError, and QueueFull when there is no room for `timeout` seconds."""
        now = datetime.now(UTC)
        encoded = [encode(event, now) for event in events]
        until = time.monotonic() + timeout
        with self._changed:
            while True:
                self._check()
                empty = not len(self._waiting)
                try:
                    self._waiting.put(encoded)
                    break
                except QueueFull:
                    left = until - time.monotonic()
                    if left <= 0 or empty:
                        raise
                    self._changed.wait(left)
            self._given += len(encoded)
            if empty:
                self._due = time.monotonic() + self._age
            self._changed.notify_all()

    def flush(self, timeout: float = PATIENCE) -> None:
        """Returns when everything handed over before is on the server. Raises NotPublished."""
        with self._changed:
            goal = self._given
            self._hurry += 1
            self._changed.notify_all()
            try:
                self._changed.wait_for(lambda: self._gone >= goal or self._failure or self._stop.is_set(), timeout)
                self._check_failure()
            finally:
                self._hurry -= 1
            self._raise_if_left(goal - self._gone)

    def close(self, timeout: float = PATIENCE) -> None:
        """`flush`, then ends the thread; it ends even if that raises. What is left in a spool stays there."""
        if self._stop.is_set():
            return
        try:
            self.flush(timeout)
        finally:
            self._stop.set()
            with self._changed:
                self._changed.notify_all()
            self._thread.join(1.0)

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self.close()

    def _raise_if_left(self, left: int) -> None:
        refusals, self._refusals = self._refusals, []
        count, self._refused = self._refused, 0
        if left > 0 or refusals:
            raise NotPublished(max(left, 0), refusals, count, self._last)

    def _check(self) -> None:
        self._check_failure()
        if self._stop.is_set():
            raise ClientError("the publisher is closed")

    def _check_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    # -- in the thread
    def _run(self) -> None:
        try:
            while batch := self._next():
                self._send(Delivery(self._waiting, batch))
        except BaseException as error:  # raised by whoever calls next
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _next(self) -> list[bytes]:
        """Empty at the end."""
        with self._changed:
            while not self._stop.is_set():
                count = len(self._waiting)
                left = self._due - time.monotonic()
                if count >= self._batch or (count and (left <= 0 or self._hurry)):
                    return self._waiting.peek(self._batch, BATCH_BYTES)
                self._changed.wait(left if count else None)
        return []

    def _send(self, delivery: Delivery) -> None:
        attempts = Attempts(FOREVER)
        while (part := delivery.part) and not self._stop.is_set():
            try:
                self._client.call(publish(part), ONCE)
            except Invalid as problem:
                with self._changed:
                    refusal = delivery.refused(problem)
                if refusal is not None:
                    self._keep(refusal)
            except ClientError as error:
                self._last = error
                error.passing = True  # the events are good: whatever is wrong may be put right
                self._stop.wait(attempts.pause(error))
            else:
                self._last = None
                attempts.succeeded()
                with self._changed:
                    if self._stop.is_set():
                        return  # whoever has the spool next sends it again, and it counts once
                    self._gone += delivery.taken()
                    self._changed.notify_all()

    def _keep(self, refusal: Refusal) -> None:
        if self._tell is not None:
            self._tell(refusal)
        with self._changed:
            if self._tell is None:
                self._refused += 1
                self._refusals += [refusal] if len(self._refusals) < MOST_TOLD else []
            self._gone += 1
            self._changed.notify_all()
