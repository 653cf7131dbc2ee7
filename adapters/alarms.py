"""Tells people what needs them: commands that were parked, and a target whose breaker stays open.

An alarm is a command to the target `alerts`, decided by evaluation from a control event, like a fallback, so that it is
in the log and is delivered, retried and counted like any other. Of one partition and target there is one at a time:
what happens in the next `every` microseconds is told afterwards, as a number. What became of an alert is no alarm.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from adapters.breaker import Switch
from adapters.draft import Draft
from adapters.ledger import Entry
from streams.digest import content_digest
from streams.event import ALARM, Event, control
from streams.outputs import Command, Instead
from streams.state import NEVER

ALERTS: Final = "alerts"
"""The target that alarms are sent to."""
ROW: Final = "#alarm|"
"""How the names of rows begin; the target's name follows."""
RULE: Final = "orchestrator.alarm"
"""What stands in the place of a rule."""
LONGEST: Final = 500
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class AlarmPolicy:
    """Times in microseconds."""

    every: int = 600_000_000
    """Between two alarms of one target and partition."""
    open: int = 300_000_000
    """For which a breaker is open before people are told."""


class _Noted(msgspec.Struct, array_like=True):
    """Of one target, as it is stored."""

    told: int = 0
    """When the newest alarm was given."""
    parked: int = 0
    """Commands since then."""
    key: str = ""
    """Of the newest of what is to be told: an alarm is of its key, which is this partition's."""
    cause: str = ""
    """The id of the newest command of what is to be told."""
    reason: str = ""
    down: int = 0
    """Since when the target has not answered; 0 if that is not to be told."""


class Alarms:
    """Of one partition. `policies`: by target; of others nothing is told."""

    def __init__(self, partition: int, policies: Mapping[str, AlarmPolicy]) -> None:
        self._partition = partition
        self._policies = {target: policy for target, policy in policies.items() if target != ALERTS}
        self._noted: dict[str, _Noted] = {}
        self._touched: set[str] = set()

    @property
    def rows(self) -> list[str]:
        """Names of the rows that say what is to be told."""
        return [f"{ROW}{target}" for target in self._policies]

    def restore(self, rows: Mapping[str, bytes]) -> None:
        """Raises msgspec.MsgspecError for a row that is none."""
        self._touched.clear()
        self._noted = {
            target: msgspec.json.decode(row, type=_Noted)
            for target in self._policies
            if (row := rows.get(ROW + target)) is not None
        }

    @property
    def next(self) -> int:
        """When there is something to tell."""
        return min(
            (self._due(target, noted) for target, noted in self._noted.items() if noted.parked or noted.down),
            default=NEVER,
        )

    def parked(self, entry: Entry) -> None:
        if (noted := self._note(entry.command)) is not None:
            noted.parked += 1
            noted.reason = entry.last_error[:LONGEST]

    def switched(self, switch: Switch, command: Command) -> None:
        """The breaker of the command's target changed."""
        policy = self._policies.get(command.to)
        if policy is None or not switch.open or switch.at - switch.since < policy.open:
            return
        if (noted := self._note(command)) is not None:
            noted.down = switch.since
            noted.reason = switch.reason[:LONGEST]

    def step(self, draft: Draft, now: int) -> None:
        """Gives the alarms that are due, and stores what is to be told later."""
        for target, noted in self._noted.items():
            if (noted.parked or noted.down) and self._due(target, noted) <= now:
                draft.events.append(self._alarm(target, noted, now))
                self._noted[target] = _Noted(now)
                self._touched.add(target)
        for target in self._touched:
            draft.row(ROW + target, msgspec.json.encode(self._noted[target]))
        self._touched.clear()

    def _note(self, command: Command) -> _Noted | None:
        if command.to not in self._policies:
            return None
        noted = self._noted.setdefault(command.to, _Noted())
        self._touched.add(command.to)
        noted.key, noted.cause = command.key, command.id
        return noted

    def _due(self, target: str, noted: _Noted) -> int:
        return noted.told + self._policies[target].every if noted.told else 0

    def _alarm(self, target: str, noted: _Noted, now: int) -> Event:
        text, args = _said(target, noted, now)
        told: dict[str, Any] = {"text": text, "severity": "critical" if noted.down else "warning", **args}
        id = hashlib.blake2b(f"alarm\n{self._partition}\n{target}\n{now}".encode(), digest_size=16).hexdigest()
        command = Command(id, "alert", ALERTS, RULE, noted.key, now, noted.cause, told, content_digest(told))
        return control(ALARM, Instead(noted.cause, (command,)), time=now, key=noted.key, id=id)


def _said(target: str, noted: _Noted, now: int) -> tuple[str, dict[str, Any]]:
    args: dict[str, Any] = {"target": target}
    texts = []
    if noted.down:
        minutes = max(1, (now - noted.down) // 60_000_000)
        args["down_minutes"] = minutes
        texts.append(f"target {target} has not answered for {minutes} min, and its commands wait")
    if noted.parked:
        args["parked"] = noted.parked
        if noted.parked == 1:
            texts.append(f"a command to {target} was parked and needs a decision")
        else:
            texts.append(f"{noted.parked:,} commands to {target} were parked and need a decision")
    return f"{'; '.join(texts)}: {noted.reason}", args
