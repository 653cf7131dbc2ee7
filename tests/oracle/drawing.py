"""How random rules and histories choose."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


def further(draw: st.DrawFn, options: list[T]) -> T:
    """One of them, the later ones more often: of what is drawn simplest, which is the first, there is always enough."""
    index = st.integers(0, len(options) - 1)
    return options[max(draw(index), draw(index))]
