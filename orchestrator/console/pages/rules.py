"""`/console/rules`: each rule of this process's rule set, how often it fired, and how often it could not be evaluated.

Counts are those of the partitions that this process evaluates, since it began; where others evaluate all of them,
nothing is known here.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from orchestrator.activation import active
from orchestrator.api.problem import Problem
from orchestrator.console.site import CONSOLE, UNDER, Console, asked, page
from rules.model.rule import NEVER, Rule
from streams import duration
from streams.log import Log
from streams.owned import PartitionView

PATH: Final = f"{UNDER}/rules"
EVERY: Final = 3.0


def add(app: web.Application) -> None:
    app.router.add_get(PATH, rules)
    app.router.add_get(f"{PATH}/one", rule)


async def rules(request: web.Request) -> web.Response:
    console = request.app[CONSOLE]
    wanted = asked(request, "q")
    counted = Counted(console)
    found = [counted.shown(each) for each in console.ruleset.rules if wanted is None or _fits(each, wanted)]
    return page(
        request,
        "rules.html",
        "Rules",
        every=EVERY,
        rules=found,
        wanted=wanted,
        ruleset=console.ruleset,
        here_of=counted.here,
        partitions=console.context.log.info.partitions,
        over=counted.over,
        active=await asyncio.to_thread(_active, console.context.log),
        unheard={name: text for name, text in counted.reasons.items() if name.startswith(("projection ", "event "))},
    )


async def rule(request: web.Request) -> web.Response:
    console = request.app[CONSOLE]
    name = asked(request, "name")
    found = next((each for each in console.ruleset.rules if each.name == name), None)
    if found is None:
        raise Problem(404, f"there is no rule `{(name or '')[:80]}` in this process's rule set")
    counted = Counted(console)
    return page(
        request,
        "rule.html",
        f"Rule {name}",
        every=EVERY,
        rule=counted.shown(found),
        over=counted.over,
        text=_text(console, found),
        file=found.span.file,
        line=found.span.line,
    )


class Counted:
    """What this process counted, as of now."""

    def __init__(self, console: Console) -> None:
        views = console.context.views()
        self.here = sum(view.state in ("running", "stalled") for view in views)
        """Partitions that this process evaluates."""
        self.reasons = _reasons(views)
        self._known = self.here > 0
        self._counts = console.recent.counts()
        before = console.recent.counted_before()
        self._before = {} if before is None else before[0]
        self.over = None if before is None else before[1]
        """Seconds that rates speak of."""

    def shown(self, rule: Rule) -> dict[str, Any]:
        return {
            "name": rule.name,
            "description": rule.description,
            "kind": _kind(rule),
            "on": rule.listened,
            "priority": rule.priority,
            "enabled": rule.enabled,
            "shadow": rule.shadow,
            "fired": self._count(f"fired|{rule.name}"),
            "fired_rate": self._rate(f"fired|{rule.name}"),
            "not_evaluated": self._count(f"not_evaluated|{rule.name}"),
            "not_evaluated_rate": self._rate(f"not_evaluated|{rule.name}"),
            "reason": self.reasons.get(rule.name),
        }

    def _count(self, name: str) -> float | None:
        return self._counts.get(name, 0) if self._known else None

    def _rate(self, name: str) -> float | None:
        """A minute."""
        if not self._known or self.over is None:
            return None
        return (self._counts.get(name, 0) - self._before.get(name, 0)) / self.over * 60


def _reasons(views: Sequence[PartitionView]) -> dict[str, str]:
    return {name: reason for view in views for name, reason in view.reasons.items()}


def _fits(rule: Rule, wanted: str) -> bool:
    return any(wanted.lower() in text.lower() for text in (rule.name, rule.description, *rule.listened))


def _kind(rule: Rule) -> str:
    if rule.function is not None:
        return "Python"
    kind = "at once"
    if rule.window is not None:
        kind = "window"
    elif rule.sequence is not None:
        kind = "sequence"
    elif rule.deadline is not None:
        kind = f"after {duration.format(rule.deadline.after)}" + (" unless" if rule.deadline.unless else "")
    if rule.settle is not None:
        kind += f", settles {duration.format(rule.settle)}"
    if rule.once_within is not None:
        kind += ", once" if rule.once_within >= NEVER else f", once in {duration.format(rule.once_within)}"
    return kind


def _active(log: Log) -> list[tuple[str, int]]:
    """(digest, in how many partitions it is active), the most first."""
    return Counter(active(log, partition) for partition in range(log.info.partitions)).most_common()


def _text(console: Console, rule: Rule) -> list[str]:
    """The lines of its file from its name (of a function, its decorator) up to what follows it."""
    file = console.ruleset.sources.get(rule.span.file) or console.ruleset.modules.get(rule.span.file)
    if file is None:
        return []
    lines = file.splitlines()
    begin = rule.span.line - 1
    indent = len(lines[begin]) - len(lines[begin].lstrip())
    end = begin + 1
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
        end += 1
    while end > begin + 1 and not lines[end - 1].strip():
        end -= 1
    while begin and lines[begin - 1].startswith("@"):
        begin -= 1
    return [line[indent:] for line in lines[begin:end]]
