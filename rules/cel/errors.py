"""What can go wrong with an expression, from its text to its value.

Everything this package raises, for any text and any values, is a `CelError`. Errors about the text (`CelSyntaxError`,
`CelCheckError`) know where in it they stand; errors about values (`CelEvaluationError`) know the part of the
expression that could not be evaluated, when the exact evaluator found them. Messages begin in lower case, quote with
back-ticks and have no full stop; `rules.diagnostics` draws the caret.
"""

from __future__ import annotations


class CelError(Exception):
    """The root of all errors of this package. `message` is for the rule author."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class CelSyntaxError(CelError):
    """A text that is not an expression of the profile.

    `offset` and `end` are code points into the text, `line` and `column` count from one, `hint` says what to write
    instead, where that is known.
    """

    def __init__(
        self, message: str, text: str = "", offset: int = 0, end: int | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.text = text
        self.offset = min(max(offset, 0), len(text))
        self.end = max(self.offset, min(self.offset + 1 if end is None else end, len(text)))
        self.line = text.count("\n", 0, self.offset) + 1
        self.column = self.offset - (text.rfind("\n", 0, self.offset) + 1) + 1
        self.hint = hint

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.line}:{self.column}: {self.message}{hint}"


class CelCheckError(CelSyntaxError):
    """A text that reads well but names what does not exist, or can never be evaluated."""


class CelEvaluationError(CelError):
    """An expression that has no value for these variables.

    `offset` and `end` point at the failing part of the text, or are None where the error was raised outside of the
    exact evaluator.
    """

    def __init__(self, message: str, offset: int | None = None, end: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset
        self.end = end

    def again(self) -> CelEvaluationError:
        """A fresh error that says the same: one that is kept as a value must not collect tracebacks."""
        return type(self)(self.message, self.offset, self.end)


class NotEvaluated(CelEvaluationError):
    """A field that was read is absent. Never false, never 0: the rule is not evaluated, with this reason."""


class CelBudgetError(CelEvaluationError):
    """An evaluation that would cost too much. `&&` and `||` do not absorb it."""
