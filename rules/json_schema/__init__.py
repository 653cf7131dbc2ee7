"""The rule language as a JSON Schema, for editors: completion, help on hover, and most mistakes while one types.

It knows the form of a file: keys, kinds, and what goes together. What names mean, and whether an expression can be
evaluated, is left to `rules check`. `rules.json` beside this file is what `schema` gives, published so that editors can
be pointed at it; a test holds them equal.
"""

from __future__ import annotations

from rules.json_schema import rule, sections
from rules.json_schema.kinds import KINDS, Schema, named, record, ref


def schema() -> Schema:
    """Draft 2020-12. A fresh one: callers may change it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rules of the Business Logic Orchestrator",
        **record(
            {
                "ruleset": ref("line", "The name of the rule set."),
                "description": ref("text", "What the rule set is for."),
                "lateness": ref("duration", "How far out of order events may come."),
                "events": _section("event", ref("versioned-type"), "Optional shapes of events: event type → shape."),
                "projections": _section("projection", ref("variable-name"), "Keyed state, folded from events."),
                "tables": _section("table", ref("variable-name"), "Decision tables."),
                "rules": _section("rule", ref("title"), "Rules: name → what it says."),
                "tests": _section("test", ref("title"), "Tests that `orchestrator rules test` runs."),
            }
        ),
        "$defs": {**KINDS, **sections.DEFS, **rule.DEFS},
    }


def _section(each: str, name: Schema, description: str) -> Schema:
    """A section with nothing under it is empty."""
    return {"description": description, **named(ref(each), name), "type": ["object", "null"]}
