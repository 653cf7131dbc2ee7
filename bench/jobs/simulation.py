"""`simulate` on the fines file, without start-up, against `json.loads` and a dict over the same file."""

from __future__ import annotations

import gzip
import json
import time
from itertools import islice
from pathlib import Path
from typing import Any

from bench.contestants import Round, compare
from bench.result import Result, of_times
from bench.size import Size
from replay.simulate import SimulateOptions, simulate
from rules.compile import compile_rules
from rules.load import load_sources

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "traffic-fines"
GOAL = 3.0


class Simulate:
    def __init__(self, events: str, out: str) -> None:
        rules = EXAMPLE / "rules.yaml"
        self._ruleset = load_sources({rules.name: rules.read_bytes()})
        self._options = SimulateOptions(Path(events), Path(out))

    def round(self) -> Round:
        processor = compile_rules(self._ruleset)
        began = time.perf_counter()
        summary = simulate(processor, self._options)
        return Round(summary.events, time.perf_counter() - began)


class Loop:
    """Reads the file, keeps a row a fine: no deadlines, no commands."""

    def __init__(self, events: str) -> None:
        self._events = events

    def round(self) -> Round:
        began = time.perf_counter()
        count = 0
        rows: dict[str, dict[str, Any]] = {}
        with gzip.open(self._events, "rb") as file:
            for line in file:
                event = json.loads(line)
                count += 1
                data, kind = event["data"], event["type"]
                row = rows.setdefault(event["subject"], {})
                if kind == "fine.created":
                    row.update(amount=data["amount"], paid=0.0, status="open")
                elif kind == "fine.penalty_added":
                    row["amount"] = data["amount"]
                elif kind == "fine.paid":
                    row["paid"] = data["total_payment_amount"]
                    row["status"] = "paid" if row["paid"] >= row["amount"] else "open"
        return Round(count, time.perf_counter() - began)


def run(size: Size, folder: Path) -> list[Result]:
    events = folder / "fines.jsonl.gz"
    with gzip.open(EXAMPLE / "traffic-fines.jsonl.gz", "rb") as full, gzip.open(events, "wb") as cut:
        cut.writelines(islice(full, size.events))
    ours, floor = compare(
        [(Simulate, {"events": str(events), "out": str(folder / "commands.jsonl")}), (Loop, {"events": str(events)})],
        size.rounds,
    )
    return [of_times("simulate on the fines file", ours, floor, GOAL, "times the loop's time")]
