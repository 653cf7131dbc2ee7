"""What goes wrong with Python rules."""

from __future__ import annotations


class PythonRuleError(Exception):
    """A rule raised, or returned what it must not: the event is parked. The text names rule, file and line."""


class BadValue(Exception):
    """A value that cannot be used; the text says which, and why."""


class BadDeclaration(Exception):
    """`@rule(…)` says what it must not."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
