"""Explanations along a simulation: `tests:` that fail, and files of events."""

from __future__ import annotations

from collections.abc import Callable

from rules.explain.explainer import Known
from rules.simulation import Simulation


def known(simulation: Simulation) -> Callable[[str], Known]:
    """What is known of each key now. Call `Simulation.approach` with the event before."""
    copies = simulation.copies.apart()
    return lambda key: Known(simulation.cell(key), simulation.clock, copies)
