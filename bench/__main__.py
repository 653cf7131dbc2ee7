"""`python -m bench`: runs the jobs and prints a table, or JSON. Exit status 0 whatever the figures are."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import machine
from bench.jobs import embedded, ingest, latency, memory, peer, simulation
from bench.result import Result
from bench.size import FULL, QUICK

JOBS = {
    "embedded": embedded.run,
    "peer": peer.run,
    "ingest": ingest.run,
    "latency": latency.run,
    "simulate": simulation.run,
    "memory": memory.run,
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench", description="Measure the engine against floors in the same run.")
    parser.add_argument("--quick", action="store_true", help="less work, figures that are only a hint")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--only", action="append", choices=sorted(JOBS), metavar="NAME", help=", ".join(JOBS))
    options = parser.parse_args(arguments)
    size = QUICK if options.quick else FULL
    notes = Console(stderr=True)
    results: list[Result] = []
    on = machine.describe()
    for name, run in JOBS.items():
        if options.only and name not in options.only:
            continue
        notes.print(f"{name} …", style="dim")
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            results += run(size, Path(folder))
    if options.json:
        print(json.dumps({"machine": on, "quick": options.quick, "results": [each.document() for each in results]}))
    else:
        _print(results, on)
    return 0


def _print(results: list[Result], on: dict[str, str]) -> None:
    table = Table(title="best of the rounds (median)", title_justify="left")
    for heading in ("job", "ours", "against", "figure", "by medians", "goal", "reached", ""):
        table.add_column(heading, no_wrap=True)
    for each in results:
        sign = "≥" if each.better == "higher" else "≤"
        spread = "" if each.spread is None else f"{each.spread:.2f} {each.unit}"
        reached = "[green]yes[/]" if each.reached else "[red]no[/]"
        table.add_row(
            each.job,
            each.ours,
            each.floor,
            f"{each.value:.2f} {each.unit}",
            spread,
            f"{sign} {each.goal:g} {each.unit}",
            reached,
            each.note,
        )
    # Wide enough for the table where the output is no terminal.
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in on.items()), style="dim")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
