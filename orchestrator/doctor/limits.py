"""How much the system lets a process have."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from typing import Final

from orchestrator.doctor.finding import Finding
from orchestrator.settings import Settings

BESIDE: Final = 256
"""Files and connections beside the live streams: the log, the query tables, requests, targets."""


def open_files(settings: Settings) -> Iterator[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.streams + BESIDE
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        yield Finding(
            "open files", "ok", f"{'any number' if soft == resource.RLIM_INFINITY else format(soft, ',')} a process"
        )
        return
    reached = hard == resource.RLIM_INFINITY or hard >= wanted
    yield Finding(
        "open files",
        "warn",
        f"{soft:,} a process; {settings.streams:,} live streams and the rest may need {wanted:,}",
        f"ulimit -n {wanted}"
        + ("" if reached else " as root, or LimitNOFILE= of the service")
        + "; or fewer streams (ORCHESTRATOR_STREAMS)",
    )
