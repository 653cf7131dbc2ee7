"""What names decisions and state: the published vectors of command ids, and what an edit of a rule file changes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from rules.compile import compile_rules
from rules.load import from_document, load_sources
from rules.testing import given
from streams import rfc3339
from streams.digest import content_digest, firing_id

ROOT = Path(__file__).parents[2]
VECTORS = json.loads((ROOT / "tests" / "vectors" / "command_ids.json").read_text("utf-8"))


def digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@pytest.mark.parametrize("vector", VECTORS["ids"], ids=lambda vector: vector["what"])
def test_the_published_ids_hold(vector: dict[str, Any]) -> None:
    parts = [vector[name] for name in ("rule_set", "rule", "key", "opening", "completing", "at", "place")]
    assert json.dumps(parts, ensure_ascii=False, separators=(",", ":")) == vector["text"]
    assert digest(vector["text"]) == vector["id"]
    assert firing_id(*parts) == vector["id"]


@pytest.mark.parametrize("vector", VECTORS["args"], ids=lambda vector: vector["text"])
def test_the_published_digests_of_args_hold(vector: dict[str, Any]) -> None:
    assert digest(vector["text"]) == vector["digest"]
    assert content_digest(vector["args"]) == vector["digest"]


def test_the_vectors_of_the_page_are_among_those_of_the_file() -> None:
    page = (ROOT / "docs" / "ids.md").read_text("utf-8")
    shown = [vector for vector in VECTORS["ids"] if f"{vector['text']}\n{vector['id']}\n" in page]
    assert len(shown) == 2


RULES = """
ruleset: traffic-fines
projections:
  fines: {fold: {fine.created: {amount: event.data.amount}}}
rules:
  penalty-due:
    on: fine.notified
    when: fines.amount > 10
    let: {amount: fines.amount}
    after: 60d
    unless: fine.paid
    once_within: 1d
    then:
      - {command: add-penalty, to: police, args: {amount: "${amount * 2}"}}
      - {emit: penalty.added}
  penalty-seen:
    on: penalty.added
    then: [{command: note, to: police}]
"""


def decide(rules: str) -> dict[str, tuple[str, str]]:
    """Command or derived type → (id, digest of args)."""
    kit = given(rules, at="2007-01-15T00:00:00Z")
    kit.event("fine.created", "A1", {"amount": 35}, source="police", id="1")
    kit.event("fine.notified", "A1", source="police", id="2").advance("61d")
    made = {command.command: (command.id, command.args_digest) for command in kit.commands}
    return made | {event.type: (event.id, "") for event in kit.derived}


def test_a_command_has_the_id_that_the_page_says() -> None:
    due = rfc3339.parse("2007-03-16T00:00:00Z")
    opening = ["police", "2"]
    ids = decide(RULES)
    derived = firing_id("traffic-fines", "penalty-due", "A1", opening, None, due, 1)
    assert ids["add-penalty"][0] == firing_id("traffic-fines", "penalty-due", "A1", opening, None, due, 0)
    assert ids["penalty.added"][0] == derived
    assert ids["note"][0] == firing_id("traffic-fines", "penalty-seen", "A1", None, ["orchestrator", derived], due, 0)


EDITS = {
    "a comment": ("ruleset:", "# a comment\nruleset:"),
    "a description": ("    on: fine.notified", "    description: new\n    on: fine.notified"),
    "spaces in an expression": ("fines.amount > 10", "(fines.amount  >  10.0)"),
    "a priority": ("    on: fine.notified", "    priority: 7\n    on: fine.notified"),
    "another rule before": ("rules:", "rules:\n  first: {on: a, then: [{command: c, to: t}]}"),
    "an action's args": ("amount * 2", "amount * 3"),
}
CHANGES = {
    "a condition": ("fines.amount > 10", "fines.amount > 11"),
    "a let": ("let: {amount: fines.amount}", "let: {amount: fines.amount + 0}"),
    "what cancels": ("unless: fine.paid", "unless: [fine.paid, fine.dropped]"),
    "pending": ("    unless:", "    pending: first\n    unless:"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_that_changes_no_definition_keeps_all_state(edit: str) -> None:
    before, after = (compile_rules(load_sources({"r.yaml": text})) for text in (RULES, RULES.replace(*EDITS[edit])))
    assert before.digest != after.digest
    assert before.node_ids == after.node_ids
    assert before.projection_ids == after.projection_ids


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_definition_begins_without_state_and_others_keep_theirs(change: str) -> None:
    before, after = (compile_rules(load_sources({"r.yaml": text})) for text in (RULES, RULES.replace(*CHANGES[change])))
    assert before.node_ids.keys() == after.node_ids.keys()
    assert all(before.node_ids[name] != after.node_ids[name] for name in before.node_ids)
    assert before.projection_ids == after.projection_ids


@pytest.mark.parametrize("edit", [*EDITS, *CHANGES])
def test_firings_that_are_still_the_same_keep_their_ids(edit: str) -> None:
    before, after = decide(RULES), decide(RULES.replace(*(EDITS | CHANGES)[edit]))
    assert {name: id for name, (id, _) in before.items()} == {name: id for name, (id, _) in after.items()}
    assert (before["add-penalty"][1] != after["add-penalty"][1]) == (edit == "an action's args")


def test_a_throttle_of_another_length_begins_anew_and_the_deadline_goes_on() -> None:
    before, after = (
        compile_rules(load_sources({"r.yaml": text})).node_ids for text in (RULES, RULES.replace("1d", "2d"))
    )
    assert before["rule `penalty-due`/throttle"] != after["rule `penalty-due`/throttle"]
    assert before["rule `penalty-due`/deadline"] == after["rule `penalty-due`/deadline"]


def test_two_equal_definitions_have_a_state_each() -> None:
    twice = RULES.replace(
        "  penalty-seen:",
        RULES.partition("rules:\n")[2].partition("  penalty-seen:")[0].replace("penalty-due", "again")
        + "  penalty-seen:",
    )
    ids = compile_rules(load_sources({"r.yaml": twice})).node_ids
    assert len(set(ids.values())) == len(ids) == 4


def test_the_digest_names_texts_and_their_order_and_a_stored_set_is_the_same() -> None:
    one, two = {"a.yaml": "ruleset: t\n"}, {"b.yaml": "rules: {}\n"}
    ruleset = load_sources({**one, **two})
    assert ruleset.digest != load_sources({**two, **one}).digest
    assert ruleset.digest != load_sources({"a.yaml": "ruleset: t\r\n", **two}).digest
    assert from_document(ruleset.document) == ruleset
    assert from_document(ruleset.document).digest == ruleset.digest
