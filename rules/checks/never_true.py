"""Conditions that no event can meet: comparisons that contradict each other, or what is known of an event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rules import cel
from rules.cel.nodes import Call, Literal, Logic, Name, Node
from rules.checks.conditions import Place, events
from rules.checks.context import Context
from rules.checks.position import Position
from rules.diagnostics import Diagnostic, one_of, shown
from rules.logic import Reason, clash, positive
from rules.logic import term as term_of
from rules.logic.atoms import Either
from rules.model.projection import Projection
from rules.model.rule import Rule
from rules.pointing import locate, value_of

_ADVICE: Final = {
    "values": "it has one value at a time: `||` or `in […]` may be what is meant",
    "range": "nothing is both: is a comparison the wrong way round, or `||` what is meant?",
    "gap": "no whole number is both: is one of the bounds meant to be included?",
    "kind": "equality across types is false, never an error",
    "absent": "what is absent cannot be read: the rule would not be evaluated",
    "none": "it is so for none of the values that are possible here",
    "order": "two values lie only one way to each other",
    "cases": "each side of `||` contradicts the rest",
    "fixed": "it reads nothing, so it has the same value always",
}

_NUMBERS_OF_EVENTS: Final = ("count(", "distinct(")
_MOST_LOOKED_AT: Final = 20
"""Conditions of which each is put together with each other."""


def check(context: Context) -> Iterator[Diagnostic]:
    for position, places in context.places:
        for place in places:
            # of `||` each side is a place of its own
            if place.whole or not (isinstance(place.node, Logic) and place.node.operator == "||"):
                yield from _place(context, position, place)


def _place(context: Context, position: Position, place: Place) -> Iterator[Diagnostic]:
    if place.reason is not None:
        yield _said(context, position, place, place.reason)
        return
    conditions, atoms = place.conditions, place.atoms
    plain = [[atom for atom in each if not isinstance(atom, Either)] for each in atoms]
    for at, condition in enumerate(conditions):
        # a side of `||` that the conditions around it leave no room for
        if isinstance(condition, Logic) and len(conditions) > 1 and len(condition.operands) <= _MOST_LOOKED_AT:
            around = [atom for other, each in enumerate(plain) if other != at for atom in each]
            for side in condition.operands if around else ():
                alone = positive(side, place.lets)
                why = clash([*around, *alone], place.known, place.lets)
                if why is not None and clash(alone, place.known, place.lets) is None:
                    message = f"{_text(position, side)} can never be true beside the conditions around it"
                    yield _at(context, position, side, "never-true", message, _hint(position, place, why, False))


def _said(
    context: Context,
    position: Position,
    place: Place,
    reason: Reason,
) -> Diagnostic:
    node, other, why = _fewest(place, reason)
    conditions = place.conditions
    text = _text(position, node)
    if isinstance(node, Literal):
        said = "this is never true"
    elif other is not None:
        said = f"{text} contradicts {_text(position, other)}"
    elif len(conditions) > 1 and node is place.node:
        said = "these conditions contradict each other"
    else:
        said = f"{text} can never be true"
    effect = f", so {_effect(position)}" if place.whole else ""
    hint = _hint(position, place, why, other is None)
    if isinstance(node, Literal) and node is position.node and position.role == "when":
        hint = "`enabled: false` switches a rule off and says so"
    return _at(context, position, node, "never-fires" if place.whole else "never-true", said + effect, hint)


def _fewest(place: Place, reason: Reason) -> tuple[Node, Node | None, Reason]:
    """The condition that is to be shown, the one that it contradicts, and why."""
    conditions, atoms = place.conditions, place.atoms
    for node, alone in zip(conditions, atoms, strict=True):
        if why := clash(alone, place.known, place.lets):
            return node, None, why
    for later in range(min(len(conditions), _MOST_LOOKED_AT)):
        for earlier in range(later):
            if why := clash([*atoms[earlier], *atoms[later]], place.known, place.lets):
                return conditions[later], conditions[earlier], why
    return place.node, None, reason


def _effect(position: Position) -> str:
    if position.role == "unless":
        return "nothing ever cancels the deadline"
    if position.ends_matches:
        return "this ends no match"
    return "the rule never fires"


def _hint(position: Position, place: Place, reason: Reason, alone: bool) -> str:
    """Why, and what may be meant. `alone`: it is so without other conditions."""
    term = reason.term
    if reason.why in ("kind", "values", "range", "gap") and term is not None:
        path = cel.path(term)
        if path is not None and path[1:] == ("type",) and isinstance(position.owner, (Rule, Projection)):
            heard = events(position, path[0])
            return f"events here are of {one_of(heard[:5])}" if heard else _ADVICE[reason.why]
        known = place.known(term, term_of(term, place.lets))
        if known.allowed is not None and known.span is None:
            return f"{_text(position, term)} is {_listed(known.allowed)}"
        if reason.why == "kind" and known.kinds is not None:
            kinds = " or ".join(sorted(known.kinds))
            declared = " by its schema" if path is not None and path[1:2] == ("data",) else ""
            return f"{_text(position, term)} is {kinds}{declared}, and equality across types is false"
        if reason.why in ("values", "range", "gap") and known.span is not None:
            low, high = known.span
            return f"{_text(position, term)} is from {low} to {high}"
        if isinstance(term, Call) and term.function == "size":
            return "a size is never below 0"
        if isinstance(term, Name) and term.name.startswith(_NUMBERS_OF_EVENTS) and alone:
            return f"{_text(position, term)} is 1 at least: there is no window without an event"
    return _ADVICE[reason.why]


def _listed(values: Sequence[object]) -> str:
    texts = list(dict.fromkeys(f"'{value}'" if isinstance(value, str) else cel.inline(value) for value in values))
    return one_of(texts[:5]) if len(texts) <= 5 else f"{', '.join(map(shown, texts[:5]))} or another"


def _text(position: Position, node: Node) -> str:
    return shown(value_of(position.text)[node.start : node.end])


def _at(context: Context, position: Position, node: Node, code: str, message: str, hint: str) -> Diagnostic:
    return context.at(locate(position.text, node.start), node.end - node.start, "warning", code, message, hint)
