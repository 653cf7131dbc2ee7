"""A processor: `step(batch, cells) → outputs`, pure. The compiled rules are one.

The agent calls, per batch and always in this order: `keys`, which says what the step will look at; the agent reads
those cells that are not in its cache, once; `step`, which changes cells in place, notes which in `Step.dirty`, and adds
outputs; then the agent encodes and commits. No I/O, no clock, no await inside. The same events after the same state
give the same outputs, whatever the batches were.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from streams.copies import Copies
from streams.event import Event
from streams.log import Batch
from streams.outputs import Output
from streams.state import DAWN, Cell


class Partition(msgspec.Struct, array_like=True):
    """The partition's own small state: one row beside the cells, committed with them."""

    tick: int = DAWN
    """The time of the latest tick: no key's clock is earlier."""
    importing: bool = False
    rules: str = ""
    """Digest of the active rule set; "" before the first activation."""
    remembered: int = 0
    """How many fingerprints were ever remembered: the place of the next."""


class Step:
    """What one step reads and writes. Made by the agent for each batch; `cells` and `partition` live longer."""

    __slots__ = ("cells", "copies", "counts", "dirty", "due", "outputs", "partition", "reasons")

    def __init__(
        self,
        partition: Partition,
        cells: dict[str, Cell],
        due: list[tuple[int, str]] | None = None,
        copies: Copies | None = None,
    ) -> None:
        self.partition = partition
        self.cells = cells
        """Key → cell; holds every key of `Processor.keys`, new ones included."""
        self.copies = Copies() if copies is None else copies
        self.dirty: set[str] = set()
        """Keys whose cell this step changed."""
        self.outputs: list[Output] = []
        self.due = due or []
        """For a batch that is one tick: (due, key), in order, of the keys with something due before it."""
        self.counts: dict[str, int] = {}
        """Counter name → how much: local integers, added to metrics once a commit. Labels after `|`:
        `fired|RULE`, `not_evaluated|RULE`, `late`, `schema|TYPE`."""
        self.reasons: dict[str, str] = {}
        """`RULE` → the newest reason why it was not evaluated; `event TYPE` → why one was not as it is declared."""


class Processor(Protocol):
    """What the agent drives. The agent itself handles control events other than ticks and forwards, recognises
    duplicates and holds back blocked keys: a processor sees only what it shall evaluate."""

    lateness: int
    """Microseconds."""

    def keys(self, batch: Batch) -> Iterable[str]:
        """The keys whose cells `step` will need."""
        ...

    def step(self, batch: Batch, step: Step) -> None:
        """Evaluates either a run of events (outside, derived, results, forwards) or one single tick.

        For a tick `data` is `{"limit": n}`: at most n deadlines fire, earliest first, of the keys in `step.due`.
        Raises `Poisoned` for an event that cannot be evaluated; cells are then in an undefined state and the agent
        throws them away, evaluates again what came before the event, and parks it."""
        ...


class Poisoned(Exception):
    """The event at this offset cannot be evaluated, ever: it is parked with this reason."""

    def __init__(self, offset: int, event: Event, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.event = event
        self.reason = reason
