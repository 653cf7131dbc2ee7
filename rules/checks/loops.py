"""Rules that set each other off in a circle, by the events they emit and the results of their commands.

An edge leads from a rule to one that hears what it makes. It is left out where the `when` of the hearer contradicts
what is known of the event: its type, its source, constants in its data. It is certain where nothing about the hearer
can hold it back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any, Final

from rules.checks.conditions import Place
from rules.checks.context import Context
from rules.diagnostics import Diagnostic, shown
from rules.given import RESULTS
from rules.logic import Domain, Key, clash
from rules.logic.atoms import Asked
from rules.model.action import CommandAction, EmitAction, every
from rules.model.rule import Rule
from rules.model.source import Span
from rules.reading.event_types import overlap
from streams.event import OURSELVES

_SURE: Final = RESULTS[0]
"""The result that a command may have every time."""
_MOST_SHOWN: Final = 8
_HARMLESS: Final = frozenset(
    "name description on by let then priority enabled shadow place span on_spans by_types".split()
)
_SCALARS: Final = (str, int, float, bool)


@dataclass(frozen=True, slots=True)
class Edge:
    type: str
    to: str
    certain: bool
    span: Span


@dataclass(frozen=True, slots=True)
class _Made:
    """An event that a rule makes, as far as it is known."""

    type: str
    known: dict[Key, Any]
    fields: frozenset[str] | None
    """All fields of its data, where they are known."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How an event comes to a rule."""

    on: tuple[str, ...]
    name: str
    """Under which its conditions read the event, beside `event`."""
    conditions: list[Place]

    def hears(self, type: str) -> bool:
        return any(overlap(heard, type) for heard in self.on)


def check(context: Context) -> Iterator[Diagnostic]:
    rules = {rule.name: rule for rule in context.ruleset.rules if rule.enabled and not rule.shadow}
    if not any(map(_may_go_round, rules.values())):
        return
    edges = _edges(context, rules)
    told: set[str] = set()
    for certain in (True, False):
        graph = {name: [each for each in out if each.certain or not certain] for name, out in edges.items()}
        for circle in _circles(graph):
            if not told.intersection(circle):
                told |= circle
                way = _shortest(graph, circle, next(name for name in rules if name in circle))
                yield _said(context, way, certain)


def _said(context: Context, way: list[tuple[str, Edge]], certain: bool) -> Diagnostic:
    steps = [f"{shown(name)} makes {shown(edge.type)}" for name, edge in way]
    if len(steps) > _MOST_SHOWN:
        steps = [*steps[: _MOST_SHOWN - 1], "…", steps[-1]]
    message = f"these rules go round: {', '.join(steps)}, which {shown(way[0][0])} hears"
    if len(way) == 1:
        message = f"rule {shown(way[0][0])} hears the {shown(way[0][1].type)} that it makes"
    hint = "nothing ends it before the engine does, after 16 steps: let a `when` leave such events out"
    if not certain:
        hint = "make sure that it ends: a chain of more than 16 steps is parked"
    return context.at(way[0][1].span, 1, "warning" if certain else "note", "loop", message, hint)


# ------------------------------------------------------------ who sets off whom


def _may_go_round(rule: Rule) -> bool:
    """A quick look, which most rule sets do not pass."""
    return any(type in RESULTS for type in rule.listened) or any(
        isinstance(each, EmitAction) for each in every(rule.then)
    )


def _edges(context: Context, rules: Mapping[str, Rule]) -> dict[str, list[Edge]]:
    conditions = _conditions(context)
    hearing: dict[str, list[Rule]] = {}
    found: dict[str, list[Edge]] = {}
    for rule in rules.values():
        out = found[rule.name] = []
        for action in every(rule.then):
            for made in _made(rule, action):
                if made.type not in hearing:
                    hearing[made.type] = [each for each in rules.values() if _hears(each, made.type)]
                for hearer in hearing[made.type]:
                    if any(_possible(way, made) for way in conditions[hearer.name] if way.hears(made.type)):
                        certain = action in rule.then and made.type not in RESULTS[1:] and not _may_be_held_back(hearer)
                        out.append(Edge(made.type, hearer.name, certain, action.span))
    return found


def _hears(rule: Rule, type: str) -> bool:
    return any(overlap(heard, type) for heard in rule.listened)


def _conditions(context: Context) -> dict[str, list[_Way]]:
    """Of each rule, the ways in which an event can bring it nearer to a firing: those of a sequence are its steps."""
    found: dict[str, list[_Way]] = {}
    whens: dict[tuple[str, str], list[Place]] = {}
    for position, places in context.places:
        if isinstance(position.owner, Rule) and position.role in ("when", "step") and not position.ends_matches:
            whens.setdefault((position.owner.name, position.name), []).extend(places[:1])
    for rule in context.ruleset.rules:
        whole = whens.get((rule.name, ""), [])
        if rule.sequence is None:
            found[rule.name] = [_Way(rule.on, "", whole)]
            continue
        steps = rule.sequence.steps
        found[rule.name] = [_Way(step.on, step.name, whens.get((rule.name, step.name), [])) for step in steps]
        found[rule.name][-1].conditions.extend(whole)
    return found


def _may_be_held_back(rule: Rule) -> bool:
    """Whether anything but the type of an event decides if, and when, it fires."""
    return any(getattr(rule, field.name) for field in fields(rule) if field.compare and field.name not in _HARMLESS)


def _made(rule: Rule, action: object) -> Iterator[_Made]:
    ours: dict[Key, Any] = {("event", "source"): OURSELVES}
    if isinstance(action, EmitAction):
        known, fields = dict(ours), None
        if isinstance(action.data, dict):
            fields = frozenset(action.data)
            for name, value in action.data.items():
                if isinstance(value, _SCALARS):
                    known["event", "data", name] = value
        yield _Made(action.type, known, fields)
    elif isinstance(action, CommandAction):
        said = {"command": action.command, "to": action.to, "rule": rule.name}
        known = ours | {("event", "data", name): value for name, value in said.items()}
        yield from (_Made(type, known, None) for type in RESULTS)


def _possible(way: _Way, made: _Made) -> bool:
    return all(_true_of(place, made, way.name) for place in way.conditions)


def _true_of(place: Place, made: _Made, name: str) -> bool:
    """Whether a condition can be true of the event, which it may read under another name too."""
    atoms = list(chain.from_iterable(place.atoms))
    asked = [atom.path for atom in atoms if isinstance(atom, Asked) and atom.holds]
    for path in chain(asked, (path for atom in atoms for path in atom.reads)):
        read = path[0] in ("event", name) and path[1:2] == ("data",) and path[2:]
        if made.fields is not None and read and path[2] not in made.fields:
            return False
    fixed = made.known | {("event", "type"): made.type}
    fixed |= {(name, *key[1:]): value for key, value in fixed.items()}

    def known(node: Any, key: Key) -> Domain:
        return Domain(allowed=[fixed[key]]) if key in fixed else place.known(node, key)

    return clash(atoms, known, place.lets) is None


# ------------------------------------------------------------ circles


def _circles(graph: Mapping[str, Iterable[Edge]]) -> Iterator[set[str]]:
    """The sets of rules that all lead to each other. Tarjan's strongly connected components, without recursion."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    waiting: set[str] = set()
    for root in graph:
        if root in order:
            continue
        work = [(root, iter(graph[root]))]
        order[root] = low[root] = len(order)
        path.append(root)
        waiting.add(root)
        while work:
            name, edges = work[-1]
            for edge in edges:
                if edge.to not in order:
                    order[edge.to] = low[edge.to] = len(order)
                    path.append(edge.to)
                    waiting.add(edge.to)
                    work.append((edge.to, iter(graph[edge.to])))
                    break
                if edge.to in waiting:
                    low[name] = min(low[name], order[edge.to])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == order[name]:
                    at = path.index(name)
                    found = set(path[at:])
                    del path[at:]
                    waiting -= found
                    if len(found) > 1 or any(edge.to == name for edge in graph[name]):
                        yield found


def _shortest(graph: Mapping[str, Iterable[Edge]], circle: set[str], start: str) -> list[tuple[str, Edge]]:
    """The shortest way from a rule of the circle back to itself."""
    came: dict[str, tuple[str, Edge]] = {}
    queue = deque([start])
    while start not in came:
        name = queue.popleft()
        for edge in graph[name]:
            if edge.to in circle and edge.to not in came:
                came[edge.to] = (name, edge)
                queue.append(edge.to)
    way = [came[start]]
    while way[0][0] != start:
        way.insert(0, came[way[0][0]])
    return way
