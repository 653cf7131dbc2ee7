"""`orchestrator simulate`: rules over a file of events, as RULES.md §13 says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from orchestrator.cli.exits import OK, USAGE, CommandFailed
from orchestrator.cli.rules import load_rules, rule_paths
from orchestrator.cli.show import json_line, line, progress
from orchestrator.cli.times import micros


def simulate(
    *,
    events: Path,
    rules: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    python_rules: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    commands: Path | None = None,
    partitions: int = 1,
    until: str | None = None,
    rejects: Path | None = None,
    json: bool = False,
) -> int:
    """Run rules over a file of events and deliver nothing.

    Example: orchestrator simulate --rules rules.yaml --events events.jsonl --commands out.jsonl

    Parameters
    ----------
    events
        CloudEvents as JSON lines, gzipped or not.
    rules
        Rule files or folders; by default ./rules.yaml or ./rules.
    python_rules
        Files of Python rules, whose code is run.
    commands
        Where to write the commands, one JSON object a line.
    partitions
        How many partitions to run with; the commands do not depend on it.
    until
        Up to which time deadlines fire, RFC 3339; by default the greatest time in the file.
    rejects
        Where malformed lines go; without it the first one ends the run.
    json
        Print the summary as one JSON object.
    """
    from orchestrator.collector import calm
    from orchestrator.settings import load
    from replay.simulate import SimulateError, SimulateOptions
    from replay.simulate import simulate as run
    from rules.compile import compile_rules

    if partitions < 1:
        raise CommandFailed(f"--partitions={partitions}: choose at least 1", USAGE)
    options = SimulateOptions(events, commands, partitions, micros("--until", until), rejects)
    ruleset = load_rules(rule_paths(rules, load().rules), python_rules)
    calm()
    try:
        with progress("simulating") as advance:
            summary = run(compile_rules(ruleset), options, advance)
    except SimulateError as error:
        raise CommandFailed(str(error)) from error
    if json:
        json_line(summary.document())
    else:
        line(summary.text())
    return OK
