"""All checks, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from orchestrator.doctor import disk, limits, log, ports, rules, versions
from orchestrator.doctor.finding import Check, Finding
from orchestrator.settings import SettingsError, load
from streams.backends.redis.url import is_redis

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
            yield Finding("settings", "fail", text, "mend the flag or the variable: docs/settings.md lists them")
        return
    yield Finding("settings", "ok", f"the log is {_public(settings.log)}")
    for check in CHECKS:
        yield from check(settings)


def _public(url: str) -> str:
    """Without a password."""
    scheme, between, rest = url.partition("://")
    return scheme + between + rest.rpartition("@")[2] if is_redis(url) else url
