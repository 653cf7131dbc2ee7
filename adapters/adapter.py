"""An adapter: what carries the commands of one target out into the world. One coroutine is all it must have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

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


@runtime_checkable
class BatchAdapter(Adapter, Protocol):
    """One that also takes several commands at once, where the target says so (`Target.batch`)."""

    async def deliver_many(self, works: Sequence[Work]) -> list[Outcome]:
        """One attempt at each, all with the same timeout; what became of them, in the same order. Everything else is
        as for `deliver`, which is not called then."""
        ...


@runtime_checkable
class PreviewingAdapter(Adapter, Protocol):
    """One that can say what it would send."""

    async def preview(self, work: Work) -> Any:
        """JSON values, for people: what `deliver` would send for a first attempt. Asks nobody. What stands for a
        credential is HIDDEN (`redact.py`). Raises TemplateError for a command that cannot be sent."""
        ...


async def preview(adapter: Adapter, work: Work) -> Any | None:
    """None of one that does not say it."""
    return await adapter.preview(work) if isinstance(adapter, PreviewingAdapter) else None
