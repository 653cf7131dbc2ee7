"""Tells people what needs them: commands that were parked, and a target whose breaker stays open.

An alarm is a command to the target `alerts`, decided by evaluation from a control event, like a fallback, so that it is
in the log and is delivered, retried and counted like any other. Of one target there is one at a time, for all
partitions of a process (`alarm_board.py`): what happens in the next `every` microseconds is told afterwards, as a
number. What became of an alert is no alarm.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, Final

import msgspec

from adapters.alarm_board import ALERTS, AlarmBoard, Noted, Teller
from adapters.breaker import Switch
from adapters.draft import Draft
from adapters.ledger import Entry
from streams.digest import content_digest
from streams.event import ALARM, Event, control
from streams.outputs import Command, Instead
from streams.state import NEVER

ROW: Final = "#alarm|"
"""How the names of rows begin; the target's name follows."""
RULE: Final = "orchestrator.alarm"
"""What stands in the place of a rule."""
LONGEST: Final = 500
"""Characters of a reason."""


class Alarms:
    """Of one partition, in the hands of one owner."""

    def __init__(self, partition: int, board: AlarmBoard) -> None:
        self._partition = partition
        self._board = board
        self._teller = Teller(partition)
        self._noted: dict[str, Noted] = {}
        self._touched: set[str] = set()
        self._took_off: dict[str, Noted] = {}
        """By target, what others told of it, in the turn that runs or is not stored yet."""
        self._storing: dict[str, Noted] = {}

    @property
    def rows(self) -> list[str]:
        """Names of the rows that say what is to be told."""
        return [f"{ROW}{target}" for target in self._board.policies]

    def restore(self, rows: Mapping[str, bytes]) -> None:
        """Raises msgspec.MsgspecError for a row that is none."""
        self._forget_turn()
        self._noted = {
            target: msgspec.json.decode(row, type=Noted)
            for target in self._board.policies
            if (row := rows.get(ROW + target)) is not None
        }
        self._board.restore(self._teller, self._noted)

    def next_at(self, now: int) -> int:
        """When there is something to tell."""
        return min(
            (self._board.due(target, now) for target, noted in self._noted.items() if noted.untold),
            default=NEVER,
        )

    def parked(self, entry: Entry) -> None:
        if (noted := self._note(entry.command)) is not None:
            noted.parked += 1
            noted.reason = entry.last_error[:LONGEST]

    def switched(self, switch: Switch, command: Command) -> None:
        """The breaker of the command's target changed."""
        policy = self._board.policies.get(command.to)
        if policy is None or not switch.open or switch.at - switch.since < policy.open:
            return
        if (noted := self._note(command)) is not None:
            noted.down = switch.since
            noted.reason = switch.reason[:LONGEST]

    def step(self, draft: Draft, now: int) -> None:
        """Takes off what others told, gives the alarms that are due, and stores what is to be told later."""
        for target, told in self._board.taken(self._teller).items():
            noted = self._touch(target)
            noted.parked = max(0, noted.parked - told.parked)
            noted.down = 0 if told.down else noted.down
            self._took_off[target] = told
        for target, noted in self._noted.items():
            if noted.untold and (others := self._board.claim(self._teller, target, now)) is not None:
                draft.events.append(self._alarm(target, noted, others, now))
                self._noted[target] = Noted(now)
                self._touched.add(target)
        for target in self._touched:
            draft.row(ROW + target, msgspec.json.encode(self._noted[target]))
            self._storing[target] = copy(self._noted[target])
        self._touched.clear()

    def stored(self) -> None:
        """What the last turns put into rows is committed."""
        for target, noted in self._storing.items():
            self._board.stored(self._teller, target, noted, self._took_off.get(target))
        self._forget_turn()

    def _forget_turn(self) -> None:
        self._touched.clear()
        self._took_off.clear()
        self._storing.clear()

    def _note(self, command: Command) -> Noted | None:
        if command.to not in self._board.policies:
            return None
        noted = self._touch(command.to)
        noted.key, noted.cause = command.key, command.id
        return noted

    def _touch(self, target: str) -> Noted:
        """It says when people were told, for who reads it before the row of the partition that told them."""
        noted = self._noted.setdefault(target, Noted())
        noted.told = max(noted.told, self._board.told(target))
        self._touched.add(target)
        return noted

    def _alarm(self, target: str, noted: Noted, others: Sequence[Noted], now: int) -> Event:
        every = [noted, *others]
        parked, down = sum(each.parked for each in every), min((each.down for each in every if each.down), default=0)
        text, args = _said(target, parked, down, now)
        text = f"{text}: {noted.reason}"
        told: dict[str, Any] = {"text": text, "severity": "critical" if down else "warning", **args}
        id = hashlib.blake2b(f"alarm\n{self._partition}\n{target}\n{now}".encode(), digest_size=16).hexdigest()
        command = Command(id, "alert", ALERTS, RULE, noted.key, now, noted.cause, told, content_digest(told))
        return control(ALARM, Instead(noted.cause, (command,)), time=now, key=noted.key, id=id)


def _said(target: str, parked: int, down: int, now: int) -> tuple[str, dict[str, Any]]:
    args: dict[str, Any] = {"target": target}
    texts = []
    if down:
        minutes = max(1, (now - down) // 60_000_000)
        args["down_minutes"] = minutes
        texts.append(f"target {target} has not answered for {minutes} min, and its commands wait")
    if parked:
        args["parked"] = parked
        if parked == 1:
            texts.append(f"a command to {target} was parked and needs a decision")
        else:
            texts.append(f"{parked:,} commands to {target} were parked and need a decision")
    return "; ".join(texts), args
