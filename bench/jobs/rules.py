"""A thousand rules, from the JSON of an event to the firings: against all by hand, zen-engine, durable_rules."""

from __future__ import annotations

from pathlib import Path

from bench.contestants import compare
from bench.durable_load import MISSING, Durable, installed
from bench.result import Result, of_rates, of_times
from bench.rule_load import ByHand, Ours, Zen
from bench.size import Size

RULES = 1_000
FUSED, ZEN, DURABLE = 0.7, 15.0, 100.0
TEN_TIMES = (10, 1_000, 2.5), (1_000, 10_000, 2.0)


def run(size: Size, folder: Path) -> list[Result]:
    results: list[Result] = []
    rules = min(RULES, size.keys)
    for types in (1, 50):
        events = {"ours": size.events, "hand": max(size.events // 5, 10), "zen": max(size.events // 10, 10)}
        options = {"count": rules, "types": types}
        ours, hand, zen = compare(
            [
                (Ours, {**options, "events": events["ours"]}),
                (ByHand, {**options, "events": events["hand"]}),
                (Zen, {**options, "events": events["zen"]}),
            ],
            size.rounds,
        )
        title = f"{rules:,} rules on {'one type' if types == 1 else f'{types} types'}"
        note = (
            "ours is the whole step; by hand there is neither clock nor state, and all rules of a type in one function"
        )
        results.append(of_rates(f"{title}, against all by hand", ours, hand, FUSED, note if types == 1 else ""))
        absent = "" if installed() or types > 1 else MISSING
        results.append(of_rates(f"{title}, against zen-engine", ours, zen, ZEN, absent))
        if installed():
            few = max(size.events // 40, 10)
            ours, durable = compare(
                [(Ours, {**options, "events": size.events}), (Durable, {**options, "events": few})], size.rounds
            )
            results.append(of_rates(f"{title}, against durable_rules", ours, durable, DURABLE))
    for least, most, goal in TEN_TIMES:
        few, many = min(least, max(1, size.keys // 10)), min(most, size.keys)
        options = {"types": 1, "events": size.events, "watched": few}
        small, large = compare([(Ours, {**options, "count": few}), (Ours, {**options, "count": many})], size.rounds)
        results.append(of_times(f"{few:,} → {many:,} rules on the same events, cost", large, small, goal))
    return results
