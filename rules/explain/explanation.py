"""What an explanation says, as records: of an event, under each key that it concerns, of each rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from rules.expectations import Shown
from streams import rfc3339

Verdict = Literal[
    "fired",
    "waits",
    "silent",
    "does not hold",
    "not evaluated",
    "looped",
    "cancelled",
    "nothing",
]
"""Of a rule: it fired; the event opened or joined something that may fire later; a throttle kept it silent; `when`,
`having` or the condition of a step is false; something that it reads has no value; it was taken for a loop; the event
cancelled what was pending; the rule met the event, and nothing follows."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One thing that was looked at."""

    text: str
    """As it stands in the rule."""
    read: tuple[Any, ...]
    """The values, as JSON."""
    result: bool | str
    """The outcome, or the error."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a decision table looked at, and which of its rows fit."""

    table: str
    inputs: dict[str, Any]
    """As it stands in the table → the value as JSON, or the reason why there is none."""
    rows: tuple[int, ...]
    """The lines of the file in which they begin."""
    error: str | None
    """Why a row that decides could not be evaluated."""

    def as_json(self) -> dict[str, Any]:
        return {"table": self.table, "inputs": self.inputs, "rows": list(self.rows), "error": self.error}


@dataclass(frozen=True, slots=True)
class RuleExplained:
    rule: str
    verdict: Verdict
    reason: str
    """One sentence, without a full stop."""
    comparisons: tuple[Comparison, ...]
    """In the order in which they were made; the last one decided, where `when` does not hold."""
    lets: dict[str, Any]
    """Name → value as JSON, or the reason why there is none."""
    state: tuple[str, ...]
    """What the rule remembered of the key before the event."""
    takes: str | None
    """What it would take for the rule to fire."""
    commands: tuple[Shown, ...]
    emitted: tuple[str, ...]
    """Types of derived events."""
    tables: tuple[Decided, ...] = ()
    """Those that `let` and `when` read."""
    aggregates: dict[str, Any] = field(default_factory=dict)
    """As they stand in the rule → what they say with this event, as JSON, or the reason why there is no value."""

    def as_json(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "verdict": self.verdict,
            "reason": self.reason,
            "comparisons": [{"text": c.text, "read": list(c.read), "result": c.result} for c in self.comparisons],
            "let": self.lets,
            "tables": [each.as_json() for each in self.tables],
            "aggregates": self.aggregates,
            "state": list(self.state),
            "takes": self.takes,
            "commands": list(self.commands),
            "emitted": list(self.emitted),
        }


@dataclass(frozen=True, slots=True)
class Folded:
    """What became of one projection's row."""

    projection: str
    row: dict[str, Any] | None
    """After the event; None: there is none."""
    error: str | None
    """Why it was not folded."""


@dataclass(frozen=True, slots=True)
class KeyExplained:
    """All that listens under one key."""

    key: str
    known: bool
    """Whether the key's state was there to look at."""
    clock: int
    """Microseconds: where the event found the clock of the key, after it moved it."""
    late: bool
    before: tuple[str, ...]
    """What fired before the event was looked at, because its time had come."""
    folds: tuple[Folded, ...]
    rules: tuple[RuleExplained, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "known": self.known,
            "late": self.late,
            "before": list(self.before),
            "projections": [
                {"projection": each.projection, "row": each.row, "error": each.error} for each in self.folds
            ],
            "rules": [each.as_json() for each in self.rules],
        }


@dataclass(frozen=True, slots=True)
class Explained:
    """One event. `unheard`: no rule and no projection listens to its type."""

    id: str
    source: str
    type: str
    subject: str
    time: int
    unheard: bool
    misfit: str | None
    """Why it does not fit the schema of its type, if it does not."""
    keyless: dict[str, str]
    """Rule or `projection NAME` → why the event has no key for it."""
    keys: tuple[KeyExplained, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "event": {
                "id": self.id,
                "source": self.source,
                "type": self.type,
                "subject": self.subject,
                "time": rfc3339.format(self.time),
            },
            "unheard": self.unheard,
            "fits_schema": self.misfit is None,
            "misfit": self.misfit,
            "without_key": self.keyless,
            "keys": [each.as_json() for each in self.keys],
        }
