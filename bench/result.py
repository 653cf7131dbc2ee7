"""What a job found: a figure, what it is compared with, the goal, and whether it is reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bench.contestants import Rates


@dataclass(frozen=True)
class Result:
    job: str
    ours: str
    floor: str
    """Best of the rounds, the median in brackets; "" where there is nothing to compare with."""
    value: float
    """What the goal is about."""
    spread: float | None
    """The same by medians."""
    goal: float
    better: Literal["higher", "lower"]
    unit: str
    """Of value and goal: `×` for a ratio."""
    note: str = ""

    @property
    def reached(self) -> bool:
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal

    def cells(self) -> tuple[str, ...]:
        """For people: job, ours, against, figure, by medians, goal."""
        sign = "≥" if self.better == "higher" else "≤"
        return (
            self.job,
            self.ours,
            self.floor or "—",
            f"{self.value:.2f} {self.unit}",
            "—" if self.spread is None else f"{self.spread:.2f} {self.unit}",
            f"{sign} {self.goal:g} {self.unit}",
        )

    def document(self) -> dict[str, Any]:
        return {
            "job": self.job,
            "ours": self.ours,
            "floor": self.floor,
            "value": round(self.value, 3),
            "by_medians": None if self.spread is None else round(self.spread, 3),
            "goal": self.goal,
            "better": self.better,
            "unit": self.unit,
            "reached": self.reached,
            "note": self.note,
        }


def shown(rates: Rates, unit: str = "/s") -> str:
    return f"{rates.best:,.0f}{unit} ({rates.median:,.0f})"


def of_rates(job: str, ours: Rates, floor: Rates, goal: float, note: str = "") -> Result:
    """How many times the floor's rate ours is, by the best rounds of each."""
    return Result(
        job, shown(ours), shown(floor), ours.best / floor.best, ours.median / floor.median, goal, "higher", "×", note
    )


def of_times(job: str, ours: Rates, floor: Rates, goal: float, note: str = "") -> Result:
    """How many times the floor's time ours is, by the best rounds of each."""
    return Result(
        job, shown(ours), shown(floor), floor.best / ours.best, floor.median / ours.median, goal, "lower", "×", note
    )
