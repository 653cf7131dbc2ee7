"""What escapes every handler: callbacks of the event loop, threads, and what aiohttp itself caught.

Such exceptions would end on stderr at best. Here each is reported as any other failure is: log, metrics, `/health`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

Failed = Callable[[str, BaseException], None]
LOGGERS: Final = ("aiohttp.server", "aiohttp.web", "asyncio")


class _Reporter(logging.Handler):
    def __init__(self, noted: Failed) -> None:
        super().__init__(logging.ERROR)
        self._noted = noted

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._noted(record.name.split(".")[0], error if error is not None else RuntimeError(record.getMessage()))


@contextmanager
def reported(loop: asyncio.AbstractEventLoop, failed: Failed, noted: Failed) -> Iterator[None]:
    """While the block runs. Both may be called from any thread, `noted` for what was logged already."""

    def in_loop(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        failed("loop", context.get("exception") or RuntimeError(str(context.get("message"))))

    def in_thread(arguments: threading.ExceptHookArgs) -> None:
        name = arguments.thread.name if arguments.thread is not None else "?"
        failed(f"thread {name}", arguments.exc_value or arguments.exc_type())

    before = (loop.get_exception_handler(), threading.excepthook)
    reporter = _Reporter(noted)
    loop.set_exception_handler(in_loop)
    threading.excepthook = in_thread
    for name in LOGGERS:
        logging.getLogger(name).addHandler(reporter)
    try:
        yield
    finally:
        loop.set_exception_handler(before[0])
        threading.excepthook = before[1]
        for name in LOGGERS:
            logging.getLogger(name).removeHandler(reporter)
