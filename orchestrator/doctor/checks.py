"""All checks, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from orchestrator.doctor import disk, limits, log, ports, rules, versions
from orchestrator.doctor.finding import Check, Finding
from orchestrator.settings import SettingsError, load

CHECKS: Final[tuple[Check, ...]] = (
    versions.python,
    versions.sqlite,
    versions.time_zones,
    limits.open_files,
    disk.permissions,
    disk.room,
    disk.file_system,
    log.log,
    log.redis,
    ports.http,
    ports.metrics,
    rules.rules,
    rules.targets,
)


def examine(**flags: Any) -> Iterator[Finding]:
    """Flags as of `orchestrator.settings.load`. Without settings nothing else can be looked at."""
    try:
        settings = load(**flags)
    except SettingsError as error:
        for text in str(error).splitlines():
            yield Finding("settings", "fail", text, "mend the flag or the variable: docs/operations lists them")
        return
    yield Finding("settings", "ok", f"the log is {settings.log.partition('@')[2] or settings.log}")
    for check in CHECKS:
        yield from check(settings)
