"""What an `after` rule remembers of its opening event is bounded, whatever its `let` values refer to."""

from __future__ import annotations

from rules.testing import given

RULES = """
ruleset: t
rules:
  r:
    on: a
    let:
      b: "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
      c: "[b, b, b, b, b, b, b, b, b, b]"
      d: "[c, c, c, c, c, c, c, c, c, c]"
      e: "[d, d, d, d, d, d, d, d, d, d]"
      f: "[e, e, e, e, e, e, e, e, e, e]"
      g: "[f, f, f, f, f, f, f, f, f, f]"
      h: "[g, g, g, g, g, g, g, g, g, g]"
      i: "[h, h, h, h, h, h, h, h, h, h]"
    after: 1h
    then:
      - {command: c, to: t, args: {size: "${size(THIS)}"}}
"""


def test_a_value_that_is_too_large_to_be_kept_matters_only_to_what_reads_it() -> None:
    kit = given(RULES.replace("THIS", "d")).event("a", "A").advance("2h")
    assert [command.args for command in kit.commands] == [{"size": 10}]
    kit = given(RULES.replace("THIS", "i")).event("a", "A").advance("2h")
    assert kit.commands == []
    assert kit.not_evaluated == {"r": "the result has more than 100000 elements"}
