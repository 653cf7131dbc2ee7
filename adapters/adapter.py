"""An adapter: what carries the commands of one target out into the world. One coroutine is all it must have."""

from __future__ import annotations

from typing import Protocol

from adapters.work import Outcome, Work


class Adapter(Protocol):
    """Made once per target and used by as many tasks at once as the target's concurrency."""

    async def deliver(self, work: Work) -> Outcome:
        """One attempt. The same `work.id` may come again, also after it was done: pass it on as an idempotency key.

        What it raises counts as an attempt that failed and may be tried again, and is reported as a fault of the
        adapter. Keeps to the timeout of the work, or else the target's, by itself, and is cancelled if it does
        not; cancelled at shutdown, and then the command comes again."""
        ...

    async def close(self) -> None:
        """Releases connections. Nothing is delivered after it."""
        ...
