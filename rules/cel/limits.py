"""The bounds that keep every text cheap to read and every evaluation cheap to run.

The parser counts against the first group before any grammar is consulted. The second group is the budget of one
evaluation: only expressions with a comprehension, or with many operations whose cost lies in the values, carry a
`Budget` (`exact.counted`); single operations are bounded for all others too (`MAX_CHARACTERS`, `MAX_ELEMENTS`,
`MAX_MATCHING`), so that values cannot double from one `let` to the next.
"""

from __future__ import annotations

from rules.cel.errors import CelBudgetError

MAX_TEXT = 4_000
MAX_NESTING = 32
MAX_NODES = 500
MAX_TOKENS = 2_000
MAX_COMPREHENSIONS = 2
MAX_PATTERN = 1_000
MAX_TEMPLATE = 100_000
MAX_TEMPLATE_PARTS = 200

MAX_STEPS = 30_000
"""Elements visited by comprehensions, each weighed with the number of nodes evaluated for it (`Comprehension.cost`).
The exact evaluator, which runs where fast code failed, takes up to a microsecond for each: nothing takes 50 ms."""
MAX_CHARACTERS = 1_000_000
MAX_ELEMENTS = 100_000
MAX_VALUE_DEPTH = 200
MAX_MATCHING = 4_000_000
"""Bytes of a text times instructions of a pattern's program: what RE2 takes at worst, when its automaton has outgrown
its memory, is proportional to that. 30 ms."""
UNMATCHED = 200
"""Bytes that are never too long for a pattern: RE2 refuses larger programs (`functions.pattern`)."""
STEP_OF_MATCHING = 120
"""So much matching costs as much as one step."""
MAX_UNCOUNTED = 16
"""What the operations of one expression may weigh that has no budget (`exact.WEIGHTS`)."""


class Budget:
    """What one evaluation may still spend. Fast code and exact evaluator charge it at the same places, so both stop
    at the same one."""

    __slots__ = ("characters", "elements", "steps")

    def __init__(self) -> None:
        self.steps = MAX_STEPS
        self.characters = MAX_CHARACTERS
        self.elements = MAX_ELEMENTS

    def visit(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise CelBudgetError(f"the evaluation visits more than {MAX_STEPS} elements")

    def write(self, characters: int) -> None:
        self.characters -= characters
        if self.characters < 0:
            raise CelBudgetError(f"the evaluation makes or reads more than {MAX_CHARACTERS} characters")

    def collect(self, elements: int) -> None:
        self.elements -= elements
        if self.elements < 0:
            raise CelBudgetError(f"the evaluation makes more than {MAX_ELEMENTS} elements")
