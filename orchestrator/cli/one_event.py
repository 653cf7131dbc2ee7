"""One CloudEvent in a file or on stdin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson

from orchestrator.cli.exits import CommandFailed


def event_attributes(file: Path) -> dict[str, Any]:
    """The attributes of an event. Raises CommandFailed."""
    name = "stdin" if str(file) == "-" else str(file)
    try:
        body = sys.stdin.buffer.read() if name == "stdin" else file.read_bytes()
    except OSError as error:
        raise CommandFailed(f"{name}: {error.strerror or error}") from error
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise CommandFailed(f"{name} holds no JSON: {error}") from error
    if not isinstance(found, dict):
        raise CommandFailed(f"{name} holds no event: an event is a JSON object")
    return found
