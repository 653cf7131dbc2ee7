"""`sequence` and `within`: one event after the other (RULES.md §5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rules.model.source import Expression, Span


@dataclass(frozen=True, slots=True)
class Not:
    """What ends a match that waits for the step behind it."""

    on: tuple[str, ...]
    when: Expression | None
    on_spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    """Under which expressions read its event; `when` sees it as `event` too."""
    on: tuple[str, ...]
    when: Expression | None
    times: int
    nots: tuple[Not, ...]
    """Those that stand before it. The first step has none."""
    span: Span
    on_spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Sequence:
    steps: tuple[Step, ...]
    within: int
    """Microseconds from the opening event to the last."""

    @property
    def listeners(self) -> Iterator[tuple[Step, Step | Not]]:
        """All that takes events, in order of the text, each with the step that it belongs to."""
        for step in self.steps:
            for ended in step.nots:
                yield step, ended
            yield step, step
