"""The garbage collector of a process that works for long: a server, a worker, a replay."""

from __future__ import annotations

import gc
from typing import Final

YOUNG: Final = 20_000
"""Objects that are made before it looks for circles among them."""


def calm() -> None:
    """What is there now stays: it looks only at what comes, and not after every few hundred objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 50)
