"""`orchestrator events publish|import`: send events as they happen, or a file of history."""

from __future__ import annotations

import gzip
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Final

from cyclopts import Parameter

from orchestrator.cli.client import Client, Refused, connect
from orchestrator.cli.exits import FAILED, OK, CommandFailed
from orchestrator.cli.show import count, json_line, line
from streams.intake import Intake, IntakeError

BATCH: Final = 500
LONGEST: Final = 1 << 20
"""Bytes of one line."""
BATCH_BYTES: Final = 4 << 20
GZIP: Final = b"\x1f\x8b"
_INTAKE: Final = Intake(max_bytes=LONGEST, fingerprints=False)
"""A line is checked before it is put between others: what is no event could pass for two. The server's bound for one
event is a setting of its own."""


def publish(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)], /, *, url: str | None = None, json: bool = False
) -> int:
    """Publish events, JSON lines, as they happen now.

    A line that is sent twice is evaluated once: events are recognised by source and id.

    Example: orchestrator events publish events.jsonl

    Parameters
    ----------
    file
        A file of CloudEvents, one JSON object a line, gzipped or not; `-` is standard input.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    with connect(url) as client:
        published, last = _publish(client, file)
    if json:
        json_line({"published": published, "last_position": last or None})
    else:
        line(f"{count(published, 'event')} published")
    return OK


def _publish(client: Client, file: str) -> tuple[int, str]:
    """(how many, position of the last). Raises CommandFailed that names the line."""
    published = 0
    last = ""
    for first, lines in batches(file):
        present = [(number, each) for number, each in enumerate(lines, first) if each.strip()]
        if not present:
            continue
        where = f"{file}: lines {first} to {first + len(lines) - 1}"
        try:
            for number, each in present:
                where = f"{file}:{number}"
                _INTAKE.from_json(each, time.time_ns() // 1000)
            where = f"{file}: lines {first} to {first + len(lines) - 1}"
            body = b"[" + b",".join(each for _, each in present) + b"]"
            found = client.patient("POST", "/v1/events", body, within=30.0)
        except (CommandFailed, IntakeError) as error:
            text, status = str(error), FAILED
            if isinstance(error, CommandFailed):
                status = error.status
            if isinstance(error, Refused) and "index" in error.document:
                index = error.document["index"]
                where, text = f"{file}:{present[index][0]}", text.removeprefix(f"event {index}: ")
            raise CommandFailed(f"{where}: {text} ({published:,} events were published)", status) from error
        published += found["accepted"]
        last = found["positions"][-1]
    return published, last


def batches(file: str) -> Iterator[tuple[int, list[bytes]]]:
    """(number of the first line, lines without their ends), small enough for one request. Raises CommandFailed."""
    lines: list[bytes] = []
    first = number = 1
    size = 0
    for number, text in enumerate(_lines(file), 1):
        if lines and (len(lines) == BATCH or size + len(text) > BATCH_BYTES):
            yield first, lines
            first, lines, size = number, [], 0
        lines.append(text)
        size += len(text) + 1
        if file == "-" and text:
            yield first, lines
            first, lines, size = number + 1, [], 0
    if lines:
        yield first, lines


def _lines(file: str) -> Iterator[bytes]:
    try:
        if file == "-":
            yield from _split(file, sys.stdin.buffer)
            return
        with Path(file).open("rb") as opened:
            packed = opened.read(2) == GZIP
            opened.seek(0)
            if packed:
                with gzip.open(opened) as unpacked:
                    yield from _split(file, unpacked)  # type: ignore[arg-type]
            else:
                yield from _split(file, opened)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CommandFailed(f"{file} cannot be unpacked any further ({error}): it is cut off or damaged") from error
    except OSError as error:
        raise CommandFailed(f"{file}: {error.strerror or error}", FAILED) from error


def _split(file: str, reader: IO[bytes]) -> Iterator[bytes]:
    number = 0
    while text := reader.readline(LONGEST + 1):
        number += 1
        if len(text) > LONGEST:
            raise CommandFailed(f"{file}:{number} is longer than {LONGEST:,} bytes: is it a file of JSON lines?")
        text = text.rstrip(b"\r\n")
        yield text.removeprefix(b"\xef\xbb\xbf") if number == 1 else text
