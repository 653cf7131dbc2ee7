"""`make chaos`: ten minutes of it, a line every ten seconds, a table at the end. Status 1 for any difference."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.crash.chaos.storm import MEANING, Kind
from tests.crash.chaos.trial import LEASE, WORKERS, Report, Trial

EVERY: Final[dict[Kind, float]] = {
    "kill": 9.0,
    "freeze": 9.0,
    "cut": 7.0,
    "tear": 11.0,
    "stall": 19.0,
    "jump": 5.0,
    "restart": 90.0,
}


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="of trouble (default: 600)")
    parser.add_argument("--rate", type=int, default=20_000, help="events published a second (default: 20000)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="of the order of troubles")
    parser.add_argument("--unfenced", action="store_true", help="without the fence: differences must be found")
    asked = parser.parse_args()
    say(f"{WORKERS} processes, leases of {LEASE:g} s, {asked.rate:,} events/s, seed {asked.seed}")
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        report = Trial(
            Path(folder),
            seconds=asked.seconds,
            rate=asked.rate,
            every=EVERY,
            seed=asked.seed,
            fenced=not asked.unfenced,
            say=say,
        ).run()
    show(report)
    sys.exit(bool(report.differences) is not asked.unfenced)


def show(report: Report) -> None:
    lines = [(count, MEANING[kind]) for kind, count in report.counts.items()]
    lines.append((report.revived, "processes that met no Redis when they started, and were started again"))
    lines.append((report.sent, f"events published, {report.sent / report.seconds:,.0f}/s"))
    lines.append((report.refused, "times that the producer had to come again"))
    lines.append((report.commands, "commands that must be decided and delivered, each once"))
    for count, what in lines:
        say(f"{count:12,}  {what}")
    say(f"{report.drained:12,.1f}  seconds after the last trouble until every event was evaluated")
    for line in report.differences:
        say(f"DIFFERENT: {line}")
    if not report.differences:
        say("no difference from the undisturbed run on the embedded log")


if __name__ == "__main__":
    main()
