"""The log: whether it opens, whether its clock and the machine's agree, and what of its backend endangers it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.doctor.finding import Finding
from orchestrator.settings import Settings
from orchestrator.wiring import query_path, wall_clock
from streams import rfc3339
from streams.backends.open import open_log
from streams.backends.redis.survey import survey
from streams.backends.redis.url import is_redis, parse
from streams.log import Log, LogError

REDIS: Final = (7, 0)
"""The oldest version that serves."""
WAITS: Final = (7, 2)
"""From here on it says by itself what has reached the disk."""
APART: Final = 2_000_000
"""Microseconds that clocks may differ."""
FAR: Final = 300_000_000
"""Microseconds beyond which events from this machine are refused: their time is too far ahead."""


def log(settings: Settings) -> Iterator[Finding]:
    """What is stored. Of an embedded log also the clock, against what it has seen."""
    tables = query_path(settings.log)
    if tables is not None and not (tables.with_name(tables.name.replace(".query.db", ".db"))).exists():
        yield Finding("log", "ok", f"{settings.log} is not there yet: the server makes it")
        return
    if settings.log.startswith("memory:"):
        yield Finding("log", "warn", "memory://: everything is gone when the server ends", "sqlite:///path/to/log.db")
        return
    if is_redis(settings.log):
        return
    try:
        opened = open_log(settings.log, partitions=settings.partitions, now=wall_clock, create=False)
    except LogError as error:
        yield Finding(
            "log", "fail", str(error), "see what it says; ORCHESTRATOR_LOG and ORCHESTRATOR_PARTITIONS name it"
        )
        return
    try:
        info = opened.info
        said = f"{settings.log}: {info.partitions} partitions, generation {info.generation}"
        yield Finding("log", "ok", said)
        yield _clock(opened)
    except LogError as error:
        yield Finding("log", "fail", str(error), "keep the files as they are, and see docs/operations")
    finally:
        opened.close()


def _clock(opened: Log) -> Finding:
    newest = 0
    for partition in range(opened.info.partitions):
        tail = opened.tail(partition)
        newest = max([newest, *(event.time for event in opened.read(partition, max(0, tail - 1), 1).events)])
    ahead = newest - wall_clock()
    if ahead > FAR + APART:
        return Finding(
            "clock",
            "warn",
            f"the newest event is of {rfc3339.format(newest)}, {ahead / 1e6:,.0f} s ahead of this machine's clock",
            "set the clock (timedatectl set-ntp true): deadlines wait until it has come there",
        )
    return Finding("clock", "ok", "not behind what the log has seen")


def redis(settings: Settings) -> Iterator[Finding]:
    """Each master."""
    if not is_redis(settings.log):
        return
    try:
        masters = survey(parse(settings.log))
    except LogError as error:
        yield Finding("redis", "fail", str(error), "start it, or name another (REDIS_URL, ORCHESTRATOR_LOG)")
        return
    for master in masters:
        yield redis_version(master.address, master.version)
        yield _apart(master.address, master.now - wall_clock())
        if master.refusal is not None:
            yield Finding(
                "redis settings", "fail", master.refusal, "set it with CONFIG SET and in its configuration file"
            )
        for warning in master.warnings:
            yield Finding("redis settings", "warn", warning, "set it with CONFIG SET and in its configuration file")


def redis_version(address: str, version: str) -> Finding:
    parts = version.split(".")
    number = tuple(int(part) for part in parts[:2] if part.isdigit())
    if number < REDIS:
        said = f"{address} has version {version}, older than {'.'.join(map(str, REDIS))}"
        return Finding("redis", "fail", said, "use a newer Redis, or Valkey")
    if number < WAITS:
        said = f"{address} has version {version}, which does not say what is on disk (WAITAOF): effects wait longer"
        return Finding("redis", "warn", said, f"use Redis {'.'.join(map(str, WAITS))} or newer, or Valkey")
    return Finding("redis", "ok", f"{address} has version {version}")


def _apart(address: str, ahead: int) -> Finding:
    said = f"{address} is {abs(ahead) / 1e6:,.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine"
    if abs(ahead) <= APART:
        return Finding("clock", "ok", f"{address} and this machine agree")
    remedy = "set both clocks by NTP (timedatectl set-ntp true)"
    if ahead < -FAR:
        return Finding("clock", "fail", f"{said}: events from here are refused as being ahead of its clock", remedy)
    return Finding("clock", "warn", said, remedy)
