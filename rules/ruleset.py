"""A rule set: everything that the files of one set say, and the digest that names it for ever.

The digest covers the texts, of Python rules by their hashes, so the same files are the same rule set on every machine;
`document` is what the log keeps under it, from which `rules.load.from_document` makes an equal rule set when a replay
meets its activation.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from rules.diagnostics import Diagnostic
from rules.model.event_schema import EventSchema
from rules.model.projection import Projection
from rules.model.rule import Rule
from rules.model.table import Table
from rules.model.test_case import TestCase
from rules.python.module import module_hash

ENGINE: Final = 1
"""The level of the language: what a stored rule set was written for."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    name: str
    description: str
    lateness: int
    """Microseconds."""
    schemas: dict[str, EventSchema]
    """Of each declared type, the newest version: what rules see."""
    projections: dict[str, Projection]
    rules: tuple[Rule, ...]
    """In file order."""
    tests: tuple[TestCase, ...]
    sources: dict[str, str]
    """File name → text, in the order they were read."""
    named: bool = True
    """False where no file says `ruleset`, so that `name` is the default."""
    tables: dict[str, Table] = field(default_factory=dict)
    versions: dict[str, tuple[EventSchema, ...]] = field(default_factory=dict)
    """All that is declared of each type of which the files say a version by number, the oldest first."""
    modules: dict[str, str] = field(default_factory=dict)
    """File name → text of Python rules, in the order they were read. A log keeps their hashes alone."""
    warnings: tuple[Diagnostic, ...] = field(default=(), compare=False, repr=False)
    """What the checks found that is no error."""

    @property
    def digest(self) -> str:
        return hashlib.blake2b(self.document, digest_size=16).hexdigest()

    @property
    def document(self) -> bytes:
        kept: dict[str, Any] = {"engine": ENGINE, "files": list(self.sources.items())}
        if self.modules:
            kept["modules"] = [(name, module_hash(text)) for name, text in self.modules.items()]
        return orjson.dumps(kept)
