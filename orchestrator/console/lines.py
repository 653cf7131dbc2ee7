"""Small charts as SVG, made on the server: what a browser shows that runs no scripts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from markupsafe import Markup

WIDTH: Final = 320
HEIGHT: Final = 96


class Series(NamedTuple):
    name: str
    values: Sequence[float | None]
    """At the times of the chart; None is a gap."""

    @property
    def newest(self) -> float | None:
        return self.values[-1] if self.values else None

    @property
    def largest(self) -> float | None:
        return max((value for value in self.values if value is not None), default=None)

    @property
    def rounded(self) -> list[float | None]:
        return [None if value is None else round(value, 3) for value in self.values]


def chart(times: Sequence[int], series: Sequence[Series]) -> Markup:
    """One line for each, from zero to the largest value of all."""
    top = max((each.largest or 0.0 for each in series), default=0.0) or 1.0
    begin, span = (times[0], max(times[-1] - times[0], 1)) if times else (0, 1)
    lines = Markup("").join(
        Markup('<polyline class="line line-{}" points="{}"/>').format(number, points)
        for number, each in enumerate(series)
        for points in _runs(times, each.values, begin, span, top)
    )
    return Markup(
        '<svg class="drawn" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(WIDTH, HEIGHT, lines)


def _runs(times: Sequence[int], values: Sequence[float | None], begin: int, span: int, top: float) -> list[str]:
    """The points of each stretch without a gap."""
    runs: list[list[str]] = [[]]
    for at, value in zip(times, values, strict=True):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{(at - begin) / span * WIDTH:.1f},{HEIGHT - 2 - value / top * (HEIGHT - 6):.1f}")
    return [" ".join(run) for run in runs if run]
