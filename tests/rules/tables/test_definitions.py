"""Tables as parts of a rule set: one space of names over all files, and content that decides which state there is."""

from __future__ import annotations

import pytest

from rules.compile import compile_rules
from rules.diagnostics import RuleErrors
from rules.load import from_document, load_sources

RULES = """
ruleset: t
tables:
  risk:
    description: for people
    inputs: [event.data.a, event.data.b]
    outputs: [level, time]
    rows:
      - ["> 10", "-", {level: high}]
      - ["[1..10]", "in ['x', 'y']", {level: "of ${event.data.a}", time: {days: 1}}]
      - ["-", "-", {level: low}]
  words:
    inputs: [event.data.a]
    outputs: [text]
    rows: [["1", {text: one}], ["-", {text: many}]]
rules:
  kept: {on: a, let: {risk: tables.risk}, after: 1h, then: [{command: c, to: l, args: {l: "${risk.level}"}}]}
  asked: {on: a, when: "has(tables.risk.time) && tables.risk.level != 'x'", after: 1h, then: [{command: c, to: l}]}
  unless: {on: a, after: 1h, unless: {on: b, when: tables.risk.level == 'high'}, then: [{command: c, to: l}]}
  silent: {on: a, when: tables.risk.level == 'high', once_within: 1h, then: [{command: c, to: l}]}
  said: {on: a, after: 1h, then: [{command: c, to: l, args: {t: "${tables.risk.level} ${tables.words.text}"}}]}
"""
EDITS = {
    "a description": ("for people", "for nobody"),
    "the way a cell is written": ('"> 10"', '">  1e1"'),
    "the way an output is written": ("${event.data.a}", "${ event . data . a }"),
    "the order of outputs": (
        'level: "of ${event.data.a}", time: {days: 1}',
        'time: {days: 1}, level: "of ${event.data.a}"',
    ),
    "an output that no row gives": ("outputs: [level, time]", "outputs: [level, time, more]"),
    "a table of which only payloads speak": ("text: many", "text: more"),
}
CHANGES = {
    "a bound": ("> 10", "> 11"),
    "what a bound includes": ("[1..10]", "[1..10)"),
    "a list": ("in ['x', 'y']", "in ['x', 'z']"),
    "the kind of a constant": ("in ['x', 'y']", "in ['x', 1]"),
    "an output": ("level: low", "level: none"),
    "a text that is evaluated": ("of ${event.data.a}", "of ${event.data.b}"),
    "an input": ("event.data.b]", "event.data.c]"),
    "the hit policy": ('    rows:\n      - ["> 10"', '    hit: first\n    rows:\n      - ["> 9"'),
}


def ids(text: str) -> dict[str, str]:
    return compile_rules(load_sources({"rules.yaml": text})).node_ids


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_that_changes_no_answer_keeps_all_state(edit: str) -> None:
    assert EDITS[edit][0] in RULES
    assert ids(RULES.replace(*EDITS[edit])) == ids(RULES)


@pytest.mark.parametrize("change", CHANGES)
def test_where_a_table_decides_what_is_kept_its_content_is_part_of_the_definition(change: str) -> None:
    assert CHANGES[change][0] in RULES
    before, after = ids(RULES), ids(RULES.replace(*CHANGES[change]))
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] == after[name]} == {"rule `said`/deadline"}


def test_the_order_of_rows_is_part_of_the_definition() -> None:
    first, second = '      - ["> 10", "-", {level: high}]\n', '      - ["-", "-", {level: low}]\n'
    swapped = RULES.replace(first, "FIRST").replace(second, first).replace("FIRST", second)
    assert ids(swapped)["rule `kept`/deadline"] != ids(RULES)["rule `kept`/deadline"]


def test_tables_of_all_files_are_one_space_of_names() -> None:
    table = "tables: {risk: {inputs: [event.data.a], outputs: [x], rows: [[1, {x: 1}], ['-', {x: 2}]]}}\n"
    rules = "ruleset: t\nrules: {r: {on: a, when: tables.risk.x == 1, then: [{command: c, to: l}]}}\n"
    assert not load_sources({"a.yaml": rules, "b.yaml": table}).warnings
    with pytest.raises(RuleErrors, match=r"b\.yaml:1:10: error: table `risk` stands twice: it is also in `a\.yaml`"):
        load_sources({"a.yaml": table, "b.yaml": table, "c.yaml": rules})


def test_a_stored_set_has_the_same_tables() -> None:
    ruleset = load_sources({"rules.yaml": RULES})
    again = from_document(ruleset.document)
    assert again == ruleset
    assert again.tables == ruleset.tables
    assert again.rules[0].tables is again.tables
