"""A server that cannot evaluate events of the type `bad`, as a bug in a Python rule would have it:
`python -m tests.crash.poisonous server …`.
"""

from __future__ import annotations

from rules.processor import RulesProcessor
from streams.log import Batch
from streams.processor import Poisoned, Step

BAD = "bad"
_step = RulesProcessor.step


def step(processor: RulesProcessor, batch: Batch, step: Step) -> None:
    """What comes before the first bad event is evaluated, as by rules that meet it then."""
    at = next((place for place, event in enumerate(batch.events) if event.type == BAD), None)
    if at is None:
        _step(processor, batch, step)
        return
    _step(processor, Batch(batch.offsets[:at], batch.events[:at]), step)
    raise Poisoned(batch.offsets[at], batch.events[at], "a bug")


if __name__ == "__main__":
    from orchestrator.cli import main

    RulesProcessor.step = step  # type: ignore[method-assign]
    main()
