"""Structured logs on stderr: for people on a terminal, one JSON object a line elsewhere. stdout belongs to results.

Libraries that use the standard `logging` are heard from warnings on, in the same form.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO, cast

import structlog
from aiohttp.http import HttpProcessingError

from orchestrator.settings import LogLevel


def configure(level: LogLevel, worker: int | None = None) -> None:
    """Once, at start. One of several workers says which one it is."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if worker is not None:
        shared.append(lambda logger, method, event: {**event, "worker": worker})
    last: list[structlog.types.Processor]
    if sys.stderr.isatty():
        last = [structlog.dev.ConsoleRenderer()]
    else:
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    stderr = _Stderr()
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=_wrapper(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, stderr)),
    )
    handler = logging.StreamHandler(stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    set_level(level)
    server = logging.getLogger("aiohttp.server")
    server.filters.clear()
    server.addFilter(_is_ours)


def set_level(level: LogLevel) -> None:
    """From now on. `configure` comes before it."""
    global _debugging
    structlog.configure(**{**structlog.get_config(), "wrapper_class": _wrapper(level)})
    logging.getLogger().setLevel(max(logging.WARNING, _number(level)))
    _debugging = level == "debug"


def debugging() -> bool:
    """Whether lines of this level are logged: for who would not even make them otherwise."""
    return _debugging


_debugging = False


def _wrapper(level: LogLevel) -> type[structlog.typing.FilteringBoundLogger]:
    return structlog.make_filtering_bound_logger(_number(level))


def _number(level: LogLevel) -> int:
    return int(getattr(logging, level.upper()))


class _Stderr:
    """Logging fails nobody: where the log cannot be written, a full disk perhaps, lines are lost and counted, and the
    next that can be written says so."""

    def __init__(self) -> None:
        self._lost = 0

    def write(self, text: str) -> None:
        try:
            if self._lost:
                sys.stderr.write(f'{{"event": "log lines were lost", "level": "warning", "lines": {self._lost}}}\n')
                self._lost = 0
            sys.stderr.write(text)
        except (OSError, ValueError):
            self._lost += 1

    def flush(self) -> None:
        try:
            sys.stderr.flush()
        except (OSError, ValueError):
            self._lost += 1


def _is_ours(record: logging.LogRecord) -> bool:
    """Whoever sends what is no HTTP gets its answer; it is no failure here, and would fill the log."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
