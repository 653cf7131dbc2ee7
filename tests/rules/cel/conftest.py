"""One way to evaluate, for all tests: fast code first, and the exact evaluator must say the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rules import cel
from tests.rules.cel.agreement import outcome, same

Evaluate = Callable[..., Any]


@pytest.fixture
def evaluate() -> Evaluate:
    def run(text: str, **variables: Any) -> Any:
        program = cel.compile(text)
        explained = program.explain(variables)
        found = outcome(lambda: program(variables))
        exactly = ("error", type(explained.error), explained.error.message) if explained.error else None
        assert same(found, exactly or ("value", explained.value))
        return program(variables)

    return run
