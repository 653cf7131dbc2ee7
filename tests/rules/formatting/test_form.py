"""`rules.formatting`: one form for all files that say the same, and nothing said is changed or lost."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import node_id
from rules.diagnostics import RuleErrors
from rules.formatting import FormatError, formatted, said
from rules.load import load_sources
from rules.ruleset import RuleSet
from tests.docs.pages import PAGES, blocks, name
from tests.rules.formatting.scribble import Scribble


def form(text: str, name: str = "rules.yaml") -> str:
    made = formatted(name, text.encode())
    assert formatted(name, made.encode()) == made, "the form of what is in form is the same"
    return made


def load(text: str) -> RuleSet:
    return load_sources({"rules.yaml": text})


@given(st.integers(0, 2**32), st.sampled_from((0.0, 0.15, 0.4)))
@settings(max_examples=250, deadline=None)
def test_the_form_of_any_file_is_stable_and_says_the_same(seed: int, share: float) -> None:
    scribble = Scribble(Random(seed), share)
    text = scribble.file()
    before = load(text)
    made = form(text)
    after = load(made)
    assert (said(after.rules), said(after.tests)) == (said(before.rules), said(before.tests))
    for one, other in zip(before.rules, after.rules, strict=True):
        assert node_id.firing_definition(one) == node_id.firing_definition(other)
    for number in range(1, scribble.written + 1):
        assert said_at_an_end(number, made) == said_at_an_end(number, text)


def said_at_an_end(number: int, text: str) -> int:
    """How many lines end with the comment of that number."""
    return sum("#" in line and line.endswith(f" {number}") for line in text.splitlines())


EXAMPLES = [
    pytest.param(block.body, id=f"{name(page)}:{block.line}")
    for page in PAGES
    for block in blocks(page.read_text())
    if block.language == "yaml" and "wrong" not in block.flags and not block.body.startswith("targets:")
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_say_the_same_in_their_form(text: str) -> None:
    before, after = load(text), load(form(text))
    for part in ("rules", "tests", "projections", "schemas"):
        assert said(getattr(after, part)) == said(getattr(before, part))


BEFORE = """\
# A licence.

# About the whole file.
ruleset: t   # its name
rules:
    # about r
    r:
        # why it fires
        then: [{to: t, command: c}]  # the action
        # when it fires
        on: a.b
        when: event.data.x > 007
        # the end of r
    # about s
    s: {on: a.b, # inner
        then: [{alert: "x ${event.data.y}"}]}
    u:
        on: 'a'
        description: |   # of several lines
            text
              more
        then:
        # before the item
        - alert: x
          # in the item
          severity: y
    v: {then: [{alert: x}], on: a}
tests:
    t:
        expect: []
        given: [{type: a, time: 2007-01-01T00:00:00.10Z, n: 0x1F, data: {f: 1e3, g: +1.50}}]
lateness: 5s
"""
AFTER = """\
# A licence.

# About the whole file.
ruleset: t   # its name
lateness: 5s

rules:
  # about r
  r:
    # when it fires
    on: a.b
    when: event.data.x > 007
    # why it fires
    then: [{command: c, to: t}]  # the action
    # the end of r

  # about s
  s:
    on: a.b  # inner
    then: [{alert: "x ${event.data.y}"}]

  u:
    description: |  # of several lines
      text
        more
    on: 'a'
    then:
      # before the item
      - alert: x
        # in the item
        severity: y

  v: {on: a, then: [{alert: x}]}

tests:
  t:
    given: [{type: a, time: 2007-01-01T00:00:00.10Z, n: 0x1F, data: {f: 1e3, g: +1.50}}]
    expect: []
"""


def test_comments_move_with_what_they_are_about() -> None:
    assert form(BEFORE) == AFTER


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("ruleset: t", "ruleset: t\n"),
        ("", ""),
        ("# only a comment", "# only a comment"),
        ("---\n{ruleset:   t,rules: }\n...\n", "{ruleset: t, rules: }\n"),
        ("ruleset: >-\n    long\n    name\nrules: {}", "ruleset: >-\n  long\n  name\n\nrules: {}\n"),
        ("ruleset: t\n\n\n\nlateness: 1s\n", "ruleset: t\n\nlateness: 1s\n"),
        ("# yaml-language-server: $schema=x\nlateness: 1s\nruleset: t", None),
        ("ruleset: t\nevents:\n  a: {x: number}\n  b:\n\n  c: {y: any?}", None),
    ],
)
def test_small_files(text: str, made: str | None) -> None:
    if made is None:
        assert form(text).splitlines()[0] == text.splitlines()[0]
    else:
        assert form(text) == made


def test_what_is_too_long_for_a_line_becomes_a_block() -> None:
    long = ", ".join(f"field_{n}: '{'x' * 20}'" for n in range(5))
    made = form(f"rules: {{r: {{on: a, then: [{{command: c, to: t, args: {{{long}}}}}]}}}}")
    assert max(map(len, made.splitlines())) < 120
    assert "\n          field_4: 'xxxxxxxxxxxxxxxxxxxx'\n" in made


def test_a_text_that_keeps_its_empty_lines_gets_no_more_of_them() -> None:
    text = "rules:\n  r:\n    on: a\n    then: [{alert: x}]\n    description: |+\n      keeps\n\n\n"
    text += "  s: {on: a, then: [{alert: y}]}\n"
    assert said(load(form(text)).rules) == said(load(text).rules)


def test_line_ends_of_windows_stay() -> None:
    made = form("ruleset:   t\r\nlateness: 1s\r\n")
    assert made == "ruleset: t\r\nlateness: 1s\r\n"


def test_json_stays_json() -> None:
    made = form('{"rules":{"r":{"then":[{"alert":"x"}],"on":"a.b"}},"ruleset":"t"}', "rules.json")
    assert made == ('{\n  "ruleset": "t",\n  "rules": {"r": {"on": "a.b", "then": [{"alert": "x"}]}}\n}\n')
    for wrong in ('{"ruleset": "t"} # comment', "ruleset: t"):
        with pytest.raises(FormatError, match="name the file"):
            form(wrong, "rules.json")


@pytest.mark.parametrize("text", ["rules: {r: {on: a}}", "rules: [", "on: *x", "rules:\n  r: {on: a, on: b}"])
def test_what_cannot_be_read_is_refused_as_the_loader_does(text: str) -> None:
    with pytest.raises(RuleErrors) as refused:
        form(text)
    with pytest.raises(RuleErrors) as loaded:
        load(text)
    assert refused.value.diagnostics == loaded.value.diagnostics


def test_what_only_the_whole_rule_set_shows_is_no_mistake_of_one_file() -> None:
    assert form("rules: {r: {on: a, when: rows.x > 1, then: [{alert: x}]}}").startswith("rules: {r: {on: a,")
