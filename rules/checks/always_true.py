"""Conditions that decide nothing: alternatives of which one always holds, comparisons that follow from others.

`has(x) && x > 1` is not of them, though `x > 1` is true only where `has(x)` is: without it the rule is not
evaluated where `x` is absent. So what only asks whether something is there never counts as superfluous.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from rules.cel import values
from rules.cel.nodes import Logic, Node
from rules.checks.conditions import Place
from rules.checks.context import Context
from rules.checks.position import Position
from rules.diagnostics import Diagnostic, Severity, shown
from rules.logic import Atom, clash, negative
from rules.logic.atoms import Compared, Either, Listed
from rules.pointing import locate, value_of

_MOST_LOOKED_AT: Final = 8
"""Comparisons of one value that are put together with each other: the work is the square of it."""
_EQUALITY: Final = ("==", "!=")


def check(context: Context) -> Iterator[Diagnostic]:
    for position, places in context.places:
        for place in places:
            if isinstance(place.node, Logic) and place.node.operator == "||":
                yield from _alternatives(context, position, place, place.node)
            else:
                yield from _superfluous(context, position, place)


def _alternatives(context: Context, position: Position, place: Place, node: Logic) -> Iterator[Diagnostic]:
    """`a != 1 || a != 2` is never false."""
    atoms = [atom for operand in node.operands for atom in negative(operand, place.lets)]
    reason = clash(atoms, place.known, place.lets)
    if reason is None or reason.why in ("absent", "fixed"):
        return
    one = next((each for each in node.operands if clash(negative(each, place.lets), place.known, place.lets)), None)
    if one is None:
        message = "one of these alternatives always holds, so this is never false"
        hint = "is `&&` what is meant, or `in […]`?" if reason.why == "values" else "is `&&` what is meant?"
    else:
        message = f"{_text(position, one)} always holds, so the other alternatives decide nothing"
        hint = "leave it out, or the others"
    yield _at(context, position, one or node, "warning", message, hint)


def _superfluous(context: Context, position: Position, place: Place) -> Iterator[Diagnostic]:
    """Comparisons that others of the same `&&` imply, and those that every event meets. The later of two equals."""
    conditions, atoms = place.conditions, place.atoms
    if place.reason is not None:
        return
    left = list(range(len(conditions)))
    often = Counter(atom.key for each in atoms for atom in each if isinstance(atom, (Compared, Listed)))
    for at in reversed(range(len(conditions))):
        if any(isinstance(atom, (Compared, Listed)) and often[atom.key] > _MOST_LOOKED_AT for atom in atoms[at]):
            continue
        because = _implied_by(at, left, conditions, atoms, place)
        if because is None:
            continue
        left.remove(at)
        text = _text(position, conditions[at])
        if because:
            message = f"{text} is always true beside {' and '.join(_text(position, each) for each in because)}"
        else:
            message = f"{text} is always true for the events that come here"
        yield _at(context, position, conditions[at], "note", message, "leave it out, or is something else meant?")


def _implied_by(
    at: int, left: Sequence[int], conditions: Sequence[Node], atoms: Sequence[Sequence[Atom]], place: Place
) -> list[Node] | None:
    """The conditions that imply this one, none where it always holds; None where it is not implied."""
    if len(atoms[at]) != 1:
        return None
    (atom,) = atoms[at]
    if not isinstance(atom, (Compared, Listed)):
        return None
    others = [
        each
        for each in left
        if each != at
        and not any(isinstance(other, Either) for other in atoms[each])
        and any(isinstance(other, (Compared, Listed)) and other.key == atom.key for other in atoms[each])
    ]
    if not others and not _surely_there(atom):
        return None
    given = [other for each in others for other in atoms[each]]
    if not _can_be_evaluated(atom, given, place):
        return None
    wrong = negative(conditions[at], place.lets)
    for one in others:
        if clash([*atoms[one], *wrong], place.known, place.lets):
            return [conditions[one]]
    return [conditions[each] for each in others] if clash([*given, *wrong], place.known, place.lets) else None


def _surely_there(atom: Compared | Listed) -> bool:
    """Whether the term has a value for every event."""
    key = atom.key
    return key in (("key",), ("now",)) or (
        isinstance(key, tuple) and len(key) == 2 and key[0] == "event" and key[1] in ("id", "source", "type", "subject")
    )


def _can_be_evaluated(atom: Compared | Listed, given: Sequence[Atom], place: Place) -> bool:
    """Whether the others can be evaluated where it is false, so that it keeps nothing from them: `x != null && x > 3`
    does. Equality takes everything, an order only values of one kind."""
    domain = place.known(atom.term, atom.key)
    ordered = isinstance(atom, Compared) and atom.operator not in _EQUALITY
    for each in given:
        if isinstance(each, Compared) and each.key == atom.key:
            ordered = ordered or each.operator not in _EQUALITY
            domain.compare(each.operator, each.value)
        elif isinstance(each, Listed) and each.key == atom.key:
            (domain.allow if each.holds else domain.exclude)(each.values)
    compared = atom.values if isinstance(atom, Listed) else [atom.value]
    return not ordered or domain.kinds == frozenset(map(values.kind, compared))


def _text(position: Position, node: Node) -> str:
    return shown(value_of(position.text)[node.start : node.end])


def _at(context: Context, position: Position, node: Node, severity: Severity, message: str, hint: str) -> Diagnostic:
    start = locate(position.text, node.start)
    return context.at(start, node.end - node.start, severity, "always-true", message, hint)
