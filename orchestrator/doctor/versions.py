"""Python, SQLite and the time zones."""

from __future__ import annotations

import platform
import sqlite3
import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import Final

from orchestrator.doctor.finding import Finding
from orchestrator.settings import Settings
from rules.cel.errors import CelEvaluationError
from rules.cel.times import zone

SQLITE: Final = (3, 37, 0)
"""With STRICT tables and RETURNING."""
OLD: Final = 2
"""Years after which laws on daylight saving have changed somewhere."""


def python(settings: Settings) -> Iterator[Finding]:
    ours = version("business-logic-orchestrator")
    yield Finding("python", "ok", f"orchestrator {ours} on Python {platform.python_version()}, {platform.machine()}")


def sqlite(settings: Settings) -> Iterator[Finding]:
    if sqlite3.sqlite_version_info < SQLITE:
        needed = ".".join(map(str, SQLITE))
        yield Finding(
            "sqlite",
            "fail",
            f"SQLite {sqlite3.sqlite_version} is older than {needed}",
            "use a Python that was built with a newer one, such as that of a current distribution",
        )
    else:
        yield Finding("sqlite", "ok", f"SQLite {sqlite3.sqlite_version}")


def time_zones(settings: Settings) -> Iterator[Finding]:
    remedy = "pip install --upgrade tzdata"
    try:
        zone("Europe/Berlin")
        found = version("tzdata")
    except (ImportError, OSError, CelEvaluationError) as error:
        yield Finding("time zones", "fail", f"the time zone data cannot be read ({error})", remedy)
        return
    said = f"tzdata {found}"
    year = found.partition(".")[0]
    if year.isdigit() and int(year) + OLD <= time.gmtime().tm_year:
        yield Finding("time zones", "warn", f"{said} is old: local times of rules may be off by an hour", remedy)
    else:
        yield Finding("time zones", "ok", said)
