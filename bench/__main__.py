"""`python -m bench`: runs the jobs and prints a table, Markdown or JSON. Exit status 0 whatever the figures are."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import machine
from bench.jobs import (
    deadlines,
    deliveries,
    embedded,
    feeding,
    ingest,
    isolation,
    latency,
    leases,
    ledger,
    lists,
    memory,
    mixed,
    peer,
    redis_append,
    redis_latency,
    redis_loop,
    redis_memory,
    redis_noise,
    redis_scale,
    row,
    rules,
    sequences,
    simulation,
    tables,
    windows,
)
from bench.result import Result
from bench.size import FULL, QUICK

JOBS = {
    "embedded": embedded.run,
    "mixed": mixed.run,
    "peer": peer.run,
    "ingest": ingest.run,
    "latency": latency.run,
    "row": row.run,
    "list": lists.run,
    "ledger": ledger.run,
    "deliver": deliveries.run,
    "lease": leases.run,
    "isolation": isolation.run,
    "feed": feeding.run,
    "simulate": simulation.run,
    "rules": rules.run,
    "tables": tables.run,
    "windows": windows.run,
    "memory": memory.run,
    "deadlines": deadlines.run,
    "sequences": sequences.run,
    "redis": redis_loop.run,
    "redis-append": redis_append.run,
    "redis-scale": redis_scale.run,
    "redis-latency": redis_latency.run,
    "redis-memory": redis_memory.run,
    "redis-noise": redis_noise.run,
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench", description="Measure the engine against floors in the same run.")
    parser.add_argument("--quick", action="store_true", help="less work, figures that are only a hint")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    form.add_argument("--markdown", action="store_true", help="the table as docs/performance.md has it")
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
    elif options.markdown:
        print(_markdown(results, on, options.quick))
    else:
        _print(results, on)
    return 0


def _markdown(results: list[Result], on: dict[str, str], quick: bool) -> str:
    lines = ["| job | ours | against | figure | by medians | to reach | reached |", "|---|---|---|---|---|---|---|"]
    lines += [f"| {' | '.join((*each.cells(), 'yes' if each.reached else '**no**'))} |" for each in results]
    lines += ["", *(f"- {each.job}: {each.note}." for each in results if each.note), ""]
    lines.append("Measured on: " + ", ".join(f"{name} {value}" for name, value in on.items()) + ".")
    if quick:
        lines.append("With `--quick`: the figures are only a hint.")
    return "\n".join(lines)


def _print(results: list[Result], on: dict[str, str]) -> None:
    table = Table(title="best of the rounds (median)", title_justify="left")
    for heading in ("job", "ours", "against", "figure", "by medians", "to reach", "reached"):
        table.add_column(heading)
    for each in results:
        table.add_row(*each.cells(), "[green]yes[/]" if each.reached else "[red]no[/]")
    # Wide enough for the table where the output is no terminal.
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    for each in results:
        if each.note:
            console.print(f"{each.job}: {each.note}", style="dim", highlight=False)
    console.print(", ".join(f"{name} {value}" for name, value in on.items()), style="dim")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
