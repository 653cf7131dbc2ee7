"""Log lines of what commits decided: events and commands that were parked, by their ids, one line each.

Told after a commit was written, in the committer's thread. At the level `debug` each commit has a line, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import structlog

from orchestrator.logs import debugging
from streams.log import DELIVERY, Commit
from streams.outputs import Decision

PARKED: Final = "orchestrator.command.parked"
MOST: Final = 20
"""Lines of one commit: a flood of events that cannot be evaluated must not fill the log."""
LONGEST: Final = 500
"""Characters of a reason."""
_log = structlog.get_logger()


def told(commit: Commit) -> None:
    lines = list(_commands(commit) if commit.processor == DELIVERY else _events(commit))
    for text, fields in lines[:MOST]:
        _log.warning(text, partition=commit.lease.partition, **fields)
    if len(lines) > MOST:
        _log.warning("more was parked", partition=commit.lease.partition, lines=len(lines) - MOST)
    if debugging():
        _log.debug(
            "committed",
            processor=commit.processor,
            partition=commit.lease.partition,
            start=commit.start,
            end=commit.end,
            outputs=len(commit.outputs),
            events=len(commit.events),
        )


def _events(commit: Commit) -> Iterator[tuple[str, dict[str, Any]]]:
    for output in commit.outputs:
        if type(output) is Decision:
            yield (
                f"event {output.verdict}",
                {
                    "offset": output.offset,
                    "event_id": output.id,
                    "source": output.source,
                    "key": output.key,
                    "reason": output.reason[:LONGEST],
                },
            )


def _commands(commit: Commit) -> Iterator[tuple[str, dict[str, Any]]]:
    for event in commit.events:
        if event.type == PARKED:
            data = msgspec.json.decode(event.data)
            yield (
                "command parked",
                {
                    "command_id": data["id"],
                    "command": data["command"],
                    "target": data["to"],
                    "rule": data["rule"],
                    "attempts": data["attempts"],
                    "reason": data["reason"][:LONGEST],
                },
            )
