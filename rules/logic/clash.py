"""Whether several conditions can be true of one event, and if not, why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod
from typing import Any, Final, Literal

from rules import cel
from rules.cel.nodes import Node
from rules.logic.atoms import Asked, Atom, Compared, Either, Fixed, Listed, Related
from rules.logic.domain import Domain, Empty, Why
from rules.logic.terms import Bindings, Key, path

Known = Callable[[Node, Key], Domain]
"""What is known of a term before any condition."""

_MOST_CASES: Final = 32
_MOST_COMBINATIONS: Final = 64
_OUTCOMES: Final[dict[str, frozenset[str]]] = {
    "<": frozenset("<"),
    "<=": frozenset("<="),
    ">": frozenset(">"),
    ">=": frozenset(">="),
    "==": frozenset("="),
    "!=": frozenset("<>#"),
}
"""How two values can lie; `#`: they cannot be compared, and are not equal."""
_MIRROR: Final = str.maketrans("<>", "><")


@dataclass(frozen=True, slots=True)
class Reason:
    why: Why | Literal["none", "fixed", "order", "absent", "cases"]
    term: Node | None = None
    """The term that has no value left."""


class _Never(Exception):
    def __init__(self, reason: Reason) -> None:
        self.reason = reason


def clash(atoms: Iterable[Atom], known: Known, lets: Bindings) -> Reason | None:
    """Why these cannot all hold, or None where that cannot be seen."""
    cases = [_MOST_CASES]
    return _clash(list(atoms), known, lets, cases)


def _clash(atoms: list[Atom], known: Known, lets: Bindings, cases: list[int]) -> Reason | None:
    facts = _Facts(known, lets)
    plain = [atom for atom in atoms if not isinstance(atom, Either)]
    choices = [atom for atom in atoms if isinstance(atom, Either)]
    try:
        for atom in plain:
            facts.add(atom)
        for path in (path for choice in choices for path in choice.reads):
            facts.read(path)
        facts.finish(plain)
    except _Never as never:
        return never.reason
    if not choices:
        return None
    first, *others = choices
    for branch in first.branches:
        cases[0] -= 1
        if cases[0] < 0 or _clash([*plain, *others, *branch], known, lets, cases) is None:
            return None
    return Reason("cases")


class _Facts:
    def __init__(self, known: Known, lets: Bindings) -> None:
        self._known = known
        self._lets = lets
        self._domains: dict[Key, tuple[Node, Domain]] = {}
        self._orders: dict[tuple[Key, Key], frozenset[str]] = {}
        self._there: set[tuple[str, ...]] = set()
        self._missing: set[tuple[str, ...]] = set()

    def add(self, atom: Atom) -> None:
        """Raises _Never."""
        for each in atom.reads:
            self.read(each)
        match atom:
            case Fixed():
                if atom.value is not True:
                    raise _Never(Reason("fixed", atom.node))
            case Asked():
                (self._there if atom.holds else self._missing).add(atom.path)
            case Compared():
                self._narrow(atom.term, atom.key, lambda domain: domain.compare(atom.operator, atom.value))
            case Listed():
                narrowing = Domain.allow if atom.holds else Domain.exclude
                self._narrow(atom.term, atom.key, lambda domain: narrowing(domain, atom.values))
            case Related():
                self._order(atom)

    def read(self, path: tuple[str, ...]) -> None:
        self._there.add(path)

    def finish(self, atoms: Sequence[Atom]) -> None:
        """What follows only from all of them. Raises _Never."""
        for missing in self._missing:
            length = len(missing)
            if any(path[:length] == missing for path in self._there):
                raise _Never(Reason("absent"))
        for atom in atoms:
            self._try(atom)

    def _narrow(self, node: Node, key: Key, narrowing: Callable[[Domain], None]) -> None:
        _, domain = self._domains.get(key) or self._domains.setdefault(key, (node, self._known(node, key)))
        try:
            narrowing(domain)
        except Empty as empty:
            raise _Never(Reason(empty.why, node)) from None

    def _order(self, atom: Related) -> None:
        left, right, possible = atom.left, atom.right, _OUTCOMES[atom.operator]
        if left == right:
            if "=" not in possible:
                raise _Never(Reason("order"))
            return
        if repr(left) > repr(right):
            left, right, possible = right, left, frozenset(each.translate(_MIRROR) for each in possible)
        possible &= self._orders.get((left, right), possible)
        if not possible:
            raise _Never(Reason("order"))
        self._orders[left, right] = possible

    def _try(self, atom: Atom) -> None:
        """Evaluates it with every value that the paths it reads can have, where those are few."""
        if isinstance(atom, (Fixed, Asked)) or (isinstance(atom, (Compared, Listed)) and isinstance(atom.key, tuple)):
            return  # nothing that narrowing has not seen
        read = sorted(cel.paths(atom.node))
        if not read or any(a == b[: len(a)] for a, b in pairwise(read)):
            return
        domains: list[tuple[Node, Domain]] = []
        for each in read:
            key = _resolved(each, self._lets)
            found = self._domains.get(key) or (atom.node, self._known(atom.node, key))
            if found[1].allowed is None:
                return
            domains.append(found)
        allowed = [domain.allowed or [] for _, domain in domains]
        if prod(map(len, allowed)) > _MOST_COMBINATIONS:
            return
        fitting = [one for one in product(*allowed) if _true(atom, read, one)]
        if not fitting:
            raise _Never(Reason("none", domains[0][0]))
        for (_, domain), left in zip(domains, zip(*fitting, strict=True), strict=True):
            domain.allow(left)


def _resolved(read: cel.Path, lets: Bindings) -> tuple[str, ...]:
    meant = lets.get(read[0])
    found = None if meant is None else path(meant, {each: node for each, node in lets.items() if each != read[0]})
    return read if found is None else (*found, *read[1:])


def _true(atom: Atom, read: Sequence[cel.Path], given: Sequence[Any]) -> bool:
    variables: dict[str, Any] = {}
    for names, value in zip(read, given, strict=True):
        inner = variables
        for name in names[:-1]:
            inner = inner.setdefault(name, {})
        inner[names[-1]] = value
    try:
        return cel.Evaluator(atom.node).run(variables) is atom.holds
    except cel.CelError:
        return False
