"""A rule file as plain parts: YAML 1.2 text in, small dataclasses out. Mistakes are for the real reader to find.

Shares nothing with `rules.reading`: expressions stay text here, times are microseconds.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

import yaml

NEVER = 10**30
UNITS = {"ms": 1_000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6, "w": 7 * 86400 * 10**6}


class _Yaml12(yaml.SafeLoader):
    """`on` is a key, times are text, only `true` and `false` are booleans."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


for tag, pattern, first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", "n~"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Yaml12.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{pattern})$"), [*first, ""])


def load(text: str) -> Any:
    return yaml.load(text, _Yaml12)  # a subclass of the safe loader


def micros(text: str) -> int:
    return sum(int(float(n) * UNITS[unit]) for n, unit in re.findall(r"([0-9.]+)(ms|[smhdw])", text))


def said(value: Any) -> str:
    """A YAML value in the place of an expression: text is CEL, the rest is itself."""
    return value if isinstance(value, str) else json.dumps(value)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def heard(patterns: list[str], type: str) -> bool:
    """A pattern is about business events; the engine's own are named in full."""
    return any(
        pattern == type
        or (not type.startswith("orchestrator.") and pattern.endswith("*") and type.startswith(pattern[:-1]))
        for pattern in patterns
    )


@dataclass(frozen=True)
class By:
    """How an event finds its key: (type or pattern, CEL), the more exact first."""

    entries: tuple[tuple[str, str], ...] = ()
    other: str = "event.subject"
    """For the types that are not named."""
    text: str = "event.subject"

    def of(self, type: str) -> str:
        return next((expression for pattern, expression in self.entries if heard([pattern], type)), self.other)


def by(value: Any) -> By:
    if value is None:
        return By()
    if not isinstance(value, dict):
        return By((), said(value), said(value))
    entries = sorted(((type, said(cel)) for type, cel in value.items()), key=lambda e: ("*" in e[0], -len(e[0]), e[0]))
    text = "{" + ", ".join(f"{type}: {cel}" for type, cel in entries) + "}"
    return By(tuple(entries), "event.subject", text)


@dataclass(frozen=True)
class Condition:
    """What `unless` and the steps of a sequence listen to."""

    on: list[str]
    when: str | None


def condition(value: Any) -> Condition:
    if not isinstance(value, dict):
        return Condition(listed(value), None)
    return Condition(listed(value["on"]), said(value["when"]) if "when" in value else None)


@dataclass(frozen=True)
class Step:
    name: str
    fits: Condition
    times: int
    nots: list[Condition]
    """What stands as `not` between the step before and this one."""


def steps(values: list[dict[str, Any]]) -> list[Step]:
    made: list[Step] = []
    nots: list[Condition] = []
    for each in values:
        ((name, value),) = each.items()
        if name == "not":
            nots.append(condition(value))
            continue
        times = value.get("times", 1) if isinstance(value, dict) else 1
        made.append(Step(name, condition(value), times, nots))
        nots = []
    return made


@dataclass(frozen=True)
class Window:
    kind: str
    """exact · last · stepped · tumbling · session"""
    span: int
    """Microseconds; of `last` the number of events."""
    step: int = 0
    limit: int = 10_000
    """Events that an exact one holds of a key; values that `distinct` tells apart in one that closes or in a step."""


def window(value: Any) -> Window:
    if isinstance(value, str):
        return Window("exact", micros(value))
    if "last" in value:
        return Window("last", value["last"])
    limit = value.get("limit", 10_000)
    if "sliding" in value:
        if "step" not in value:
            return Window("exact", micros(value["sliding"]), 0, limit)
        return Window("stepped", micros(value["sliding"]), micros(value["step"]), limit)
    kind = "tumbling" if "tumbling" in value else "session"
    return Window(kind, micros(value[kind]), 0, limit)


@dataclass(frozen=True, eq=False)
class Rule:
    name: str
    place: int
    on: list[str]
    by: By
    when: str | None
    let: list[tuple[str, str]]
    then: list[dict[str, Any]]
    over: Window | None
    having: str | None
    after: int | None
    unless: Condition | None
    pending: str
    sequence: list[Step]
    within: int
    once_within: int | None
    settle: int | None
    priority: int
    enabled: bool
    shadow: bool

    @property
    def hears(self) -> list[str]:
        """What the rule meets, beside what cancels its deadlines."""
        stepwise = [on for step in self.sequence for each in [step.fits, *step.nots] for on in each.on]
        return [*self.on, *stepwise]


def rule(name: str, place: int, value: dict[str, Any]) -> Rule:
    once = value.get("once", False)
    within = micros(value["once_within"]) if "once_within" in value else None
    if once:
        within = micros(value["keep"]) if "keep" in value else NEVER
    return Rule(
        name,
        place,
        listed(value.get("on", [])),
        by(value.get("by")),
        said(value["when"]) if "when" in value else None,
        [(each, said(cel)) for each, cel in value.get("let", {}).items()],
        value["then"],
        window(value["over"]) if "over" in value else None,
        said(value["having"]) if "having" in value else None,
        micros(value["after"]) if "after" in value else None,
        condition(value["unless"]) if "unless" in value else None,
        value.get("pending", "each"),
        steps(value.get("sequence", [])),
        micros(value["within"]) if "within" in value else NEVER,
        within,
        micros(value["settle"]) if "settle" in value else None,
        value.get("priority", 0),
        value.get("enabled", True),
        value.get("shadow", False),
    )


@dataclass(frozen=True, eq=False)
class Projection:
    name: str
    by: By
    fold: dict[str, list[tuple[str, str]]]
    initial: list[tuple[str, str]]
    delete: list[str]
    keep: int
    everywhere: bool


def named(values: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, said(value)) for name, value in values.items()]


def projection(name: str, value: dict[str, Any]) -> Projection:
    return Projection(
        name,
        by(value.get("by")),
        {type: named(fields) for type, fields in value["fold"].items()},
        named(value.get("initial", {})),
        listed(value.get("delete", [])),
        micros(value["keep"]) if "keep" in value else NEVER,
        value.get("scope") == "everywhere",
    )


@dataclass(frozen=True)
class Table:
    inputs: list[str]
    hit: str
    rows: list[tuple[list[Any], dict[str, Any]]]


@dataclass(frozen=True, eq=False)
class Document:
    name: str
    lateness: int
    schemas: dict[str, dict[str, Any]]
    """Type (of versions: with `/2`) → its fields, `from/…` among them."""
    projections: list[Projection]
    rules: list[Rule]
    tables: dict[str, Table]
    tests: dict[str, Any] = field(default_factory=dict)


def read(text: str) -> Document:
    """One file that the real reader would take."""
    value = load(text)
    return Document(
        value.get("ruleset", "rules"),
        micros(value.get("lateness", "0s")),
        value.get("events") or {},
        [projection(name, each) for name, each in (value.get("projections") or {}).items()],
        [rule(name, place, each) for place, (name, each) in enumerate((value.get("rules") or {}).items())],
        {
            name: Table(
                [said(each) for each in table["inputs"]],
                table.get("hit", "first"),
                [(row[:-1], row[-1]) for row in table["rows"]],
            )
            for name, table in (value.get("tables") or {}).items()
        },
        value.get("tests") or {},
    )
