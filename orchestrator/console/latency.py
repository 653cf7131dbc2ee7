"""How long commits take: quantiles of what was observed between two looks at a histogram. Pure, but for the look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from prometheus_client import Histogram

Buckets = tuple[tuple[float, float], ...]
"""(upper bound in seconds, observations up to it), by bound."""
_LABEL: Final = "processor"


def buckets(histogram: Histogram, processor: str) -> Buckets:
    """Of one processor, as they are now; () where it has committed nothing."""
    found = [
        (float(sample.labels["le"]), sample.value)
        for metric in histogram.collect()
        for sample in metric.samples
        if sample.name.endswith("_bucket") and sample.labels.get(_LABEL) == processor
    ]
    return tuple(sorted(found))


def quantile(share: float, before: Buckets, now: Buckets) -> float | None:
    """Seconds within which that share of the observations since `before` lay, straight between bounds. None where
    nothing was observed. Beyond the last bound it is that bound."""
    past = dict(before)
    counts = [(bound, count - past.get(bound, 0.0)) for bound, count in now]
    total = counts[-1][1] if counts else 0.0
    return _within(share * total, counts) if total > 0 else None


def _within(rank: float, counts: Sequence[tuple[float, float]]) -> float:
    low, below = 0.0, 0.0
    for bound, count in counts:
        if count >= rank and count > below:
            if bound == float("inf"):
                return low
            return low + (bound - low) * (rank - below) / (count - below)
        low, below = bound, count
    return low
