"""What one rule set means otherwise than another, and what becomes of the state of the first under the second.

State lies under the hash of what a node means (`rules.node_id`), so it is kept exactly where a node of the second set
has the id of one of the first, whatever the rule around it is called. Records are compared by what they say
(`rules.plain`): comments, spacing and the order of keys are no difference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import orjson

from rules import cel
from rules.compile import compile_rules
from rules.model.projection import Projection
from rules.model.rule import Rule
from rules.plain import digest, expressions, plain
from rules.ruleset import RuleSet

Kind = Literal["rule set", "event", "projection", "table", "rule"]
How = Literal["unchanged", "text", "edited", "redefined", "renamed", "added", "removed"]
"""`text`: nothing but words for people · `edited`: what is kept of keys stays · `redefined`: some of it does not ·
`renamed`: the same under another name."""
Outcome = Literal["kept", "new", "lost"]

ROWS: Final = "rows"
_WORDS: Final = frozenset(("description",))
_NO_STATE: Final = frozenset(("description", "priority", "enabled", "shadow", "then", "index"))
"""What is never a reason that state begins anew."""
_ELSEWHERE: Final = frozenset(("name", "place", "digest"))
"""Parts that are compared by other means, or follow from others."""
_UNORDERED: Final = frozenset(("on", "initial", "delete", "index"))


@dataclass(frozen=True, slots=True)
class StateChange:
    node: str
    """`rows`, or what a rule calls its node: `deadline`, `throttle`."""
    outcome: Outcome
    """Goes on · begins empty · is not looked at any more."""
    because: tuple[str, ...]
    """The parts of the definition that make it another node."""
    meaning: str


@dataclass(frozen=True, slots=True)
class Change:
    kind: Kind
    name: str
    was: str | None
    """The name in the first set, where it is another."""
    how: How
    parts: tuple[str, ...]
    """What differs."""
    state: tuple[StateChange, ...] = ()
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    changes: tuple[Change, ...]

    @property
    def same(self) -> bool:
        """Whether both sets mean the same."""
        return all(each.how in ("unchanged", "text") for each in self.changes)


def difference(old: RuleSet, new: RuleSet) -> Difference:
    return Difference(tuple(_Comparison(old, new).changes()))


class _Comparison:
    def __init__(self, old: RuleSet, new: RuleSet) -> None:
        self._old, self._new = old, new
        self._before, self._after = _nodes(old), _nodes(new)
        self._known = {id for nodes in self._before.values() for id in nodes.values()}
        self._goes_on = {id for nodes in self._after.values() for id in nodes.values()}

    def changes(self) -> Iterator[Change]:
        yield from self._set()
        yield from self._plain("event", _events(self._old), _events(self._new))
        yield from self._plain("table", self._old.tables, self._new.tables)
        yield from self._stateful("projection", self._old.projections, self._new.projections)
        yield from self._stateful("rule", _by_name(self._old.rules), _by_name(self._new.rules))

    def _set(self) -> Iterator[Change]:
        old, new = self._old, self._new
        if old.name != new.name:
            meaning = "all ids of commands change: the name is part of them"
            yield Change("rule set", new.name, old.name, "edited", ("name",), (), meaning)
        if old.lateness != new.lateness:
            meaning = "clocks of keys move to other times from the next event on"
            yield Change("rule set", new.name, None, "edited", ("lateness",), (), meaning)
        if old.description != new.description:
            yield Change("rule set", new.name, None, "text", ("description",))
        before, after = _order(old), _order(new)
        both = before.keys() & after.keys()
        if sorted(both, key=before.__getitem__) != sorted(both, key=after.__getitem__):
            meaning = "rules that meet one event fire in another order"
            yield Change("rule set", new.name, None, "edited", ("order of firing",), (), meaning)

    def _plain(self, kind: Kind, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
        for name in [*old, *(name for name in new if name not in old)]:
            if name not in new:
                yield Change(kind, name, None, "removed", ())
            elif name not in old:
                yield Change(kind, name, None, "added", ())
            else:
                parts = _differing(old[name], new[name])
                yield Change(kind, name, None, "edited" if parts else "unchanged", parts)

    def _stateful(self, kind: Kind, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
        gone = [name for name in old if name not in new]
        for name, part in new.items():
            was = name if name in old else self._renamed(kind, part, (old[each] for each in gone))
            if was is None:
                state = self._state(kind, None, part, ())
                yield Change(kind, name, None, "added", (), state)
                continue
            if was != name:
                gone.remove(was)
            parts = _differing(old[was], part)
            state = self._state(kind, old[was], part, parts)
            yield Change(kind, name, was if was != name else None, _how(was != name, parts, state), parts, state)
        for name in gone:
            yield Change(kind, name, None, "removed", (), self._state(kind, old[name], None, ()))

    def _renamed(self, kind: Kind, part: Rule | Projection, gone: Iterable[Rule | Projection]) -> str | None:
        """What it was called: a part that is gone and says the same, or has state that this one takes over."""
        others = list(gone)
        said = _nameless(part)
        for each in others:
            if _nameless(each) == said:
                return each.name
        ids = {*self._after.get((kind, part.name), {}).values()}
        return next((each.name for each in others if ids & {*self._before.get((kind, each.name), {}).values()}), None)

    def _state(
        self, kind: Kind, old: Rule | Projection | None, new: Rule | Projection | None, parts: Collection[str]
    ) -> tuple[StateChange, ...]:
        before = {} if old is None else self._before.get((kind, old.name), {})
        after = {} if new is None else self._after.get((kind, new.name), {})
        renamed = old is not None and new is not None and old.name != new.name
        found: list[StateChange] = []
        for node in [*before, *(node for node in after if node not in before)]:
            because = _because(parts, node)
            if node in after and after[node] in self._known:
                acts = "then" in parts or "shadow" in parts
                found.append(StateChange(node, "kept", (), _kept(node, acts, renamed)))
            elif node in after and node in before:
                readers = self._readers(new) if isinstance(new, Projection) else ""
                meaning = _ANEW.get(node, "what it held is not read any more")
                found.append(StateChange(node, "new", because or ("what it reads",), meaning + readers))
            elif node in after:
                readers = self._readers(new) if isinstance(new, Projection) else ""
                found.append(StateChange(node, "new", because, _NEW.get(node, "begins empty") + readers))
            elif before[node] not in self._goes_on:
                meaning = _LOST.get(node, "what it held is not read any more")
                found.append(StateChange(node, "lost", because or _why_lost(new), meaning))
        return tuple(found)

    def _readers(self, projection: Projection) -> str:
        names = [
            rule.name
            for rule in self._new.rules
            if rule.enabled and any(projection.name in cel.names(node) for node in expressions(rule))
        ]
        return f"; read by {', '.join(names)}" if names else ""


_NEW: Final = {
    ROWS: "begin empty, and hold what comes from then on",
    "deadline": "nothing is pending at first",
    "window": "holds what comes from then on",
    "sequence": "no match is open at first",
    "settle": "nothing waits for quiet at first",
    "throttle": "may fire at once",
    "keep": "rows go when nothing touches them",
}
_ANEW: Final = {
    ROWS: "begin empty: what was folded is not read any more",
    "deadline": "what is pending never fires",
    "window": "begins empty: what it held is not counted any more",
    "sequence": "open matches never complete",
    "settle": "what waits for quiet never fires",
    "throttle": "forgets when it fired, and may fire at once",
    "keep": "waits for the new rows",
}
_LOST: Final = {
    ROWS: "what was folded is not read any more",
    "deadline": "what is pending never fires",
    "window": "what it held is not counted any more",
    "sequence": "open matches never complete",
    "settle": "what waits for quiet never fires",
    "throttle": "forgets when it fired",
    "keep": "rows stay for ever",
}


_WAITING: Final = {
    "deadline": "what is pending fires",
    "sequence": "open matches complete",
    "settle": "what waits for quiet fires",
}
_STAYS: Final = {
    "deadline": "what is pending stays",
    "sequence": "open matches stay",
    "settle": "what waits for quiet stays",
}


def _kept(node: str, changed: bool, renamed: bool) -> str:
    if node == "window":
        return "what it holds stays"
    waiting = _WAITING.get(node)
    if waiting is None:
        return ""
    said = f"{waiting} with the new actions" if changed else _STAYS[node]
    return f"{said}, under other ids: the rule's name is part of them" if renamed else said


def _why_lost(new: Rule | Projection | None) -> tuple[str, ...]:
    if new is None:
        return ("removed",)
    return ("enabled",) if isinstance(new, Rule) and not new.enabled else ("what it reads",)


def _because(parts: Iterable[str], node: str) -> tuple[str, ...]:
    """The parts that make it another node. Those that do so only by what they read are named where no other does."""
    reading = _READING.get(node, ())
    found = [part for part in parts if node in _ONLY.get(part, (node,))]
    plainly = [part for part in found if part not in _NO_STATE and part not in reading]
    return tuple(plainly or [part for part in found if part in reading])


_ONLY: Final = {"once_within": ("throttle",), "keep": ("keep",), "settle": ("settle", "throttle")}
"""Part → the nodes in whose definitions it is. All others are in that of every node of their rule."""
_READING: Final = {"window": ("having", "then"), "sequence": ("when", "let", "then"), "settle": ("then",)}
"""Node → parts of which only that is in its definition which they read of the events that it keeps."""


def _how(renamed: bool, parts: Collection[str], state: Iterable[StateChange]) -> How:
    if any(each.outcome != "kept" for each in state):
        return "redefined"
    if renamed:
        return "renamed"
    if not parts:
        return "unchanged"
    return "text" if _WORDS.issuperset(parts) else "edited"


def _nodes(ruleset: RuleSet) -> dict[tuple[Kind, str], dict[str, str]]:
    """Of each rule and projection what its stateful nodes are called, and their ids."""
    processor = compile_rules(ruleset)
    found: dict[tuple[Kind, str], dict[str, str]] = {}
    for name, id in processor.projection_ids.items():
        found["projection", name] = {ROWS: id}
    for called, id in processor.node_ids.items():
        owner, _, node = called.rpartition("/")
        kind: Kind = "rule" if owner.startswith("rule ") else "projection"
        found.setdefault((kind, owner.partition("`")[2].removesuffix("`")), {})[node] = id
    return found


def _events(ruleset: RuleSet) -> dict[str, dict[str, Any]]:
    """What is declared of each type, with its older versions."""
    found = {type: dict(plain(schema)) for type, schema in ruleset.schemas.items()}
    for type, versions in ruleset.versions.items():
        found.setdefault(type, {})["versions"] = [plain(each) for each in versions]
    return found


def _by_name(rules: Iterable[Rule]) -> dict[str, Rule]:
    return {rule.name: rule for rule in rules}


def _order(ruleset: RuleSet) -> dict[str, int]:
    enabled = sorted((rule for rule in ruleset.rules if rule.enabled), key=lambda rule: (-rule.priority, rule.place))
    return {rule.name: rank for rank, rule in enumerate(enabled)}


def _nameless(part: Rule | Projection) -> bytes:
    if isinstance(part, Rule):
        return digest(replace(part, name="", description="", priority=0, place=0))
    return digest(replace(part, name="", place=0))


def _differing(old: Any, new: Any) -> tuple[str, ...]:
    """The names of the parts that say something else, in the order of the model."""
    before, after = plain(old), plain(new)
    found: list[str] = []
    for part in {**before, **after}:
        if part in _ELSEWHERE or _canonical(part, before.get(part)) == _canonical(part, after.get(part)):
            continue
        called = _CALLED.get(part, part)
        found += _inside(before[part], after[part], called) if part in _INSIDE else [called]
    return tuple(found)


_CALLED: Final = {"deadline": "after", "window": "over", "steps": "sequence"}
"""Of the model → in files."""
_INSIDE: Final = ("deadline", "sequence")
"""Records whose parts stand beside each other in files."""


def _inside(before: dict[str, Any] | None, after: dict[str, Any] | None, called: str) -> list[str]:
    if before is None or after is None:
        return [called]
    return [_CALLED.get(part, part) for part in after if before[part] != after[part]]


def _canonical(part: str, value: Any) -> bytes:
    """Equal where only the order of what has none differs."""
    if part == "fold":
        value = sorted([type, sorted(fields)] for type, fields in value)
    elif part in _UNORDERED and value is not None:
        value = sorted(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str)
