"""Metrics of several processes as those of one.

Counters and histograms are summed, and keep what processes counted that have ended (`Growing`). What a gauge of several
processes means is in `measures.py`: partitions are seen by all, and evaluated by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.growing import Growing
from orchestrator.measures import GAUGES


class _Series(NamedTuple):
    family: str
    sample: str
    labels: tuple[tuple[str, str], ...]


class Merged:
    """Sources are processes, by a number that the next process in its place has too."""

    def __init__(self) -> None:
        self._growing: Growing[int, _Series] = Growing()
        self._about: dict[str, tuple[str, str]] = {}

    def ended(self, source: int) -> None:
        """Its process is no more, and what comes from this source next is another's."""
        self._growing.ended(source)

    def merge(self, texts: Mapping[int, str]) -> list[Metric]:
        """`texts` are what they answer now, in the Prometheus format. A source that gave no answer has the counts that
        it had, and no gauges."""
        gauges: dict[_Series, list[float]] = {}
        for source, text in texts.items():
            counts: dict[_Series, float] = {}
            for family in text_string_to_metric_families(text):
                if family.name.endswith("_created"):
                    continue  # when a sum began says nothing
                self._about[family.name] = (family.documentation, family.type)
                for sample in family.samples:
                    series = _Series(family.name, sample.name, tuple(sorted(sample.labels.items())))
                    if family.type == "gauge":
                        gauges.setdefault(series, []).append(sample.value)
                    else:
                        counts[series] = sample.value
            self._growing.seen(source, counts)
        found = self._growing.total()
        found.update({series: GAUGES.get(series.family, max)(values) for series, values in gauges.items()})
        return self._families(found)

    def _families(self, values: Mapping[_Series, float]) -> list[Metric]:
        families = {name: Metric(name, help, kind) for name, (help, kind) in self._about.items()}
        for series in sorted(values, key=_order):
            families[series.family].add_sample(series.sample, dict(series.labels), values[series])
        return list(families.values())


def _order(series: _Series) -> tuple[list[tuple[str, str]], str, float]:
    """Buckets of one histogram stand together, the smallest first."""
    plain = [label for label in series.labels if label[0] != "le"]
    return plain, series.sample, float(dict(series.labels).get("le", 0))
