"""One file of a rule set: what it holds, not yet merged with its neighbours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from rules.model.event_schema import EventSchema
from rules.model.projection import Projection
from rules.model.rule import Rule
from rules.model.table import Table
from rules.model.test_case import TestCase
from rules.reading.projection import projection
from rules.reading.reader import Reader
from rules.reading.rule import rule
from rules.reading.schema import schema
from rules.reading.table import table
from rules.reading.test_case import test_case
from rules.text.nodes import Node, Scalar

KEYS: Final = ("ruleset", "description", "lateness", "events", "projections", "tables", "rules", "tests")


@dataclass(slots=True)
class Document:
    """What one file says. Names are its own; places of rules and projections go on from the files before."""

    reader: Reader
    name: tuple[str, Scalar] | None = None
    description: str | None = None
    lateness: tuple[int, Scalar] | None = None
    schemas: list[EventSchema] = field(default_factory=list)
    projections: list[Projection] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    tests: list[TestCase] = field(default_factory=list)


def document(reader: Reader, root: Node, rules: int, projections: int) -> Document:
    """`rules` and `projections` are how many there are in the files before."""
    found = Document(reader)
    fields = reader.fields(root, "a rule file", KEYS)
    if fields is None:
        return found
    name = fields.get("ruleset")
    if name is not None:
        text = reader.text(name, "`ruleset`")
        if text is not None and isinstance(name, Scalar):
            if text.isprintable() and text == text.strip() and len(text) <= 200:
                found.name = (text, name)
            else:
                reader.error(name, "bad-name", "the name of a rule set is one line of text")
    if "description" in fields:
        found.description = reader.text(fields["description"], "`description`")
    lateness = fields.get("lateness")
    if lateness is not None:
        micros = reader.duration(lateness, "`lateness`")
        if micros is not None and isinstance(lateness, Scalar):
            found.lateness = (micros, lateness)
    for key, node in _section(reader, fields, "events"):
        declared = schema(reader, key, node)
        if declared is not None:
            found.schemas.append(declared)
    for key, node in _section(reader, fields, "projections"):
        folded = projection(reader, key, node, projections + len(found.projections))
        if folded is not None:
            found.projections.append(folded)
    for key, node in _section(reader, fields, "tables"):
        found.tables.append(table(reader, key, node))
    for place, (key, node) in enumerate(_section(reader, fields, "rules"), rules):
        made = rule(reader, key, node, place)
        if made is not None:
            found.rules.append(made)
    for key, node in _section(reader, fields, "tests"):
        test = test_case(reader, key, node)
        if test is not None:
            found.tests.append(test)
    return found


def _section(reader: Reader, fields: dict[str, Node], name: str) -> list[tuple[Scalar, Node]]:
    """The entries of a section; one with nothing under it is empty."""
    node = fields.get(name)
    if node is None or (isinstance(node, Scalar) and node.style == "plain" and node.value == ""):
        return []
    entries = reader.entries(node, f"`{name}`")
    return list(entries.values()) if entries is not None else []
