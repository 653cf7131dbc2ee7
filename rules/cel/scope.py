"""Where fast code finds its variables.

A rule compiler makes one `Scope` for each Python function it generates and declares there which Python expression
holds which path; `emit` asks it. Declaring `('event', 'data')` with a record type is enough to know all fields below:
their types make guards unnecessary. Constants that Python's `ast` cannot hold (patterns, times, exact evaluators) are
collected in `namespace`, which the generated function gets as its globals, beside `emit.HELPERS`.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from rules.cel.nodes import Call
from rules.cel.paths import Path
from rules.cel.types import ANY, MapOf, Record, Type


class Scope:
    """Declared paths; the longest one that begins a path wins, and the rest of it is read field by field."""

    def __init__(self) -> None:
        self.namespace: dict[str, object] = {}
        self._declared: dict[Path, tuple[ast.expr, Type, bool]] = {}
        self._calls: dict[Call, ast.expr] = {}
        self._temporaries = 0

    def declare(
        self, path: Sequence[str], expression: ast.expr | str, type: Type = ANY, *, fallible: bool = False
    ) -> None:
        """`path` is the value of `expression` (a Python expression, or the name of a variable).

        A type is a promise: fast code leaves out the guards it makes unnecessary. `fallible` says that the value may be
        a `CelEvaluationError` instead (a failed `let`; `NotEvaluated` for a row that does not exist), which is raised
        when it is read. Longer paths must hold what reading the fields of shorter ones gives.
        """
        loaded = ast.Name(expression, ast.Load()) if isinstance(expression, str) else expression
        self._declared[tuple(path)] = (loaded, type, fallible)

    def declare_call(self, call: Call, expression: ast.expr) -> None:
        """The value of a call of a further function (an aggregate), which this `call` node stands for."""
        self._calls[call] = expression

    # ------------------------------------------------------------ what `emit` asks; subclasses may answer otherwise

    def load(self, path: Path) -> ast.expr | None:
        """The Python expression of exactly this path."""
        known = self._declared.get(path)
        return known[0] if known else None

    def fallible(self, path: Path) -> bool:
        """Whether the loaded value of this path may be an error."""
        return path in self._declared and self._declared[path][2]

    def type_of(self, path: Path) -> Type | None:
        """What a value at this path is, if it is there."""
        return self._known(path)[0]

    def present(self, path: Path) -> bool:
        """Whether a value at this path is surely there."""
        return self._known(path)[1]

    def call(self, node: Call) -> ast.expr | None:
        return self._calls.get(node)

    def prefix(self, path: Path) -> Path | None:
        """The longest beginning of a path that can be loaded."""
        for length in range(len(path), 0, -1):
            if self.load(path[:length]) is not None:
                return path[:length]
        return None

    def temporary(self) -> str:
        """A fresh name for a local variable of the generated function."""
        self._temporaries += 1
        return f"_t{self._temporaries}"

    def bind(self, value: object) -> ast.expr:
        """Puts a constant into the namespace."""
        name = f"_k{len(self.namespace)}"
        self.namespace[name] = value
        return ast.Name(name, ast.Load())

    def _known(self, path: Path) -> tuple[Type | None, bool]:
        for length in range(len(path), 0, -1):
            declared = self._declared.get(path[:length])
            if declared is None:
                continue
            kind: Type = declared[1]
            surely = not declared[2]
            for name in path[length:]:
                if isinstance(kind, Record) and name in kind.fields:
                    kind, optional = kind.fields[name]
                    surely = surely and not optional
                elif isinstance(kind, MapOf):
                    kind, surely = kind.value, False
                else:
                    return None, False
            return kind, surely
        return None, False
