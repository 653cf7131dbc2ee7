"""`/`: how everything is, on one page."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
from aiohttp import web

from orchestrator.console.lines import Series, chart
from orchestrator.console.recent import SPAN, Point, Recent
from orchestrator.console.site import CONSOLE, HOME, UNDER, elsewhere, page
from orchestrator.partitions import MOST_BLOCKED, MOST_UNDELIVERED, partitions
from projections.query import CommandFilter, Queries

EVERY: Final = 3.0
COUNTED_UP_TO: Final = 100
"""Parked commands are counted up to this."""


class Trend(NamedTuple):
    sign: str
    word: str
    kind: str
    """Whether that is good or bad, for the colour: better, worse or still."""


RISES: Final = Trend("▲", "rising", "worse")
FALLS: Final = Trend("▼", "falling", "better")
STANDS: Final = Trend("▬", "steady", "still")


def add(app: web.Application) -> None:
    app.router.add_get(HOME, overview)

    async def home(request: web.Request) -> web.Response:
        return elsewhere(HOME)

    app.router.add_get(UNDER, home)


async def overview(request: web.Request) -> web.Response:
    console = request.app[CONSOLE]
    context, recent = console.context, console.recent
    found, parked = await asyncio.gather(
        asyncio.to_thread(partitions, context.log, context.views(), context.queries),
        asyncio.to_thread(_parked, context.queries),
    )
    lag = sum(each["lag"] for each in found)
    rates = recent.rates()
    return page(
        request,
        "overview.html",
        "Overview",
        every=EVERY,
        problems=context.problems(),
        waiting_for=context.waiting_for(),
        partitions=[_shown(each, recent) for each in found],
        lag=lag,
        trend=_trend(recent.trend(None, lag)),
        drained_in=recent.drained_in(lag),
        arrived=None if rates is None else rates[0],
        evaluated=None if rates is None else rates[1],
        half=recent.commit_seconds(0.5),
        most=recent.commit_seconds(0.99),
        latency_span=SPAN,
        undelivered=_bounded([each["undelivered"] for each in found], MOST_UNDELIVERED),
        blocked=_bounded([each["blocked_keys"] for each in found], MOST_BLOCKED),
        parked=parked,
        charts=_charts(list(recent.points)),
    )


def _parked(queries: Queries) -> str:
    found = queries.commands(CommandFilter("parked"), COUNTED_UP_TO)
    return _bounded([len(found.commands) + (found.next is not None)], COUNTED_UP_TO)


def _bounded(counts: Sequence[int], most: int) -> str:
    """The sum of counts that end at a bound, and whether there may be more."""
    cut = any(count >= most for count in counts)
    return f"{sum(min(count, most) for count in counts):,}" + ("+" if cut else "")


def _shown(each: dict[str, Any], recent: Recent) -> dict[str, Any]:
    partition: int = each["partition"]
    reasons: dict[str, str] | None = each["not_evaluated"]
    return {
        **each,
        "trend": _trend(recent.trend(partition, each["lag"])),
        "rate": recent.rate(partition),
        "undelivered": _bounded([each["undelivered"]], MOST_UNDELIVERED),
        "blocked": _bounded([each["blocked_keys"]], MOST_BLOCKED),
        "not_evaluated": None if reasons is None else sum(not name.startswith("event ") for name in reasons),
    }


def _trend(change: int | None) -> Trend | None:
    if change is None:
        return None
    return RISES if change > 0 else FALLS if change < 0 else STANDS


def _charts(points: Sequence[Point]) -> list[dict[str, Any]]:
    times = [point.at for point in points]
    return [
        _chart("lag", "Lag", "events", times, Series("lag", [point.lag for point in points])),
        _chart(
            "rates",
            "Throughput",
            "events/s",
            times,
            Series("arrived", [point.arrived for point in points]),
            Series("evaluated", [point.evaluated for point in points]),
        ),
        _chart(
            "commits",
            "Commit latency",
            "ms",
            times,
            Series("half", [_milliseconds(point.half) for point in points]),
            Series("99 of 100", [_milliseconds(point.most) for point in points]),
        ),
    ]


def _milliseconds(value: float | None) -> float | None:
    return None if value is None else value * 1e3


def _chart(id: str, title: str, unit: str, times: Sequence[int], *series: Series) -> dict[str, Any]:
    """`data`: what the browser draws it from; `drawn`: what it looks like where nothing else draws it."""
    return {
        "id": id,
        "title": title,
        "unit": unit,
        "series": series,
        "data": msgspec.json.encode(
            {"names": [each.name for each in series], "unit": unit, "data": [times, *(each.rounded for each in series)]}
        ).decode(),
        "drawn": chart(times, series),
    }
