"""Does delivery know the commands that were decided?

Delivery reads the outputs of its partition in order and keeps a row for each command, named by the command's id, so its
rows are those of the first so many commands: a command without a row before one that has a row was forgotten, and a row
that belongs to no command was invented. What delivery made of a command is the outside world's answer, and not looked
at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from replay.difference import Difference, Kind
from streams.log import Log
from streams.outputs import Command

DELIVERY: Final = "delivery"
PAGE: Final = 5_000
_ID: Final = re.compile(r"[0-9a-f]{32}")
"""Command ids; delivery's other rows are named otherwise."""


def check_ledger(log: Log, partition: int) -> Difference | None:
    """The first difference between outputs and delivery's rows, both of which are read once."""
    first_missing: tuple[int, Command] | None = None
    known = 0
    for page in _commands(log, partition):
        rows = log.rows(partition, DELIVERY, [command.id for _, command in page])
        for number, command in page:
            if command.id not in rows:
                first_missing = first_missing or (number, command)
            elif first_missing is not None:
                number, command = first_missing
                message = (
                    f"command {command.id} (rule {command.rule}, key {command.key}, output {number}) was never taken"
                )
                return Difference(
                    Kind.DELIVERY,
                    partition,
                    f"{message} up by delivery, but later ones were",
                    command.id,
                    command.offset,
                )
            else:
                known += 1
    names = [name for name in _names(log, partition) if _ID.fullmatch(name)]
    if len(names) == known:
        return None
    decided = {command.id for page in _commands(log, partition) for _, command in page}
    extra = next(name for name in names if name not in decided)
    return Difference(Kind.DELIVERY, partition, f"delivery holds a command {extra} that no rule decided", extra)


def _commands(log: Log, partition: int) -> Iterator[list[tuple[int, Command]]]:
    after = 0
    while True:
        first, outputs = log.outputs(partition, after, PAGE)
        if not outputs:
            return
        after = first + len(outputs) - 1
        yield [(number, output) for number, output in enumerate(outputs, first) if isinstance(output, Command)]


def _names(log: Log, partition: int) -> Iterator[str]:
    after = ""
    while page := log.scan(partition, DELIVERY, "", after, PAGE):
        yield from (name for name, _ in page)
        after = page[-1][0]
