"""`orchestrator doctor`: what keeps a server from working here, and what to do about it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from orchestrator.cli.exits import FAILED, OK
from orchestrator.cli.show import json_line, line, one_line

_MARKS: Final = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


def doctor(
    *,
    log: str | None = None,
    rules: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    python_rules: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    targets: Path | None = None,
    host: str | None = None,
    port: int | None = None,
    metrics_port: int | None = None,
    json: bool = False,
) -> int:
    """Look for what keeps a server from working here: each finding with a remedy; exit status 1 if one is a failure.

    Changes nothing. Takes the flags and the environment of `orchestrator server`.

    Example: orchestrator doctor --log redis://127.0.0.1:6379 --rules rules/

    Parameters
    ----------
    log
        Where events are kept, as of `server`.
    rules
        Rule files or folders.
    python_rules
        Files of Python rules, whose code is run.
    targets
        The file that says where commands go.
    host
        Address of the HTTP API.
    port
        Port of the HTTP API.
    metrics_port
        Port of the metrics.
    json
        Print one JSON object a line.
    """
    from orchestrator.doctor.checks import examine

    flags = {"log": log, "rules": rules or None, "python_rules": python_rules or None, "targets": targets}
    verdicts: Counter[str] = Counter()
    for finding in examine(**flags, host=host, port=port, metrics_port=metrics_port):
        verdicts[finding.verdict] += 1
        if json:
            json_line(finding._asdict())
            continue
        line(f"{_MARKS[finding.verdict]}  {finding.what}: {one_line(finding.said)}")
        if finding.remedy:
            line(f"      → {one_line(finding.remedy)}")
    return FAILED if verdicts["fail"] else OK
