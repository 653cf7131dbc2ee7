"""What a rule set means otherwise than another: which state stays, which begins anew, and why."""

import pytest

from rules.difference import Change, StateChange, difference
from rules.load import load_sources
from rules.ruleset import RuleSet

SHOP = """
ruleset: shop
events: {order.placed: {total: number}}
projections:
  orders:
    fold:
      order.placed: {total: event.data.total, first: "true"}
      order.changed: {total: event.data.total}
tables:
  risk:
    inputs: [event.data.total]
    outputs: [level]
    hit: first
    rows:
      - [">= 100", {level: high}]
      - ["-", {level: low}]
rules:
  remind: {on: [order.placed, order.changed], after: 48h, unless: order.paid, then: [{command: remind, to: log}]}
  big: {on: order.placed, when: orders.total > 100, once_within: 1h, then: [{command: look, to: log}]}
  risky: {on: order.placed, when: tables.risk.level == 'high', once_within: 1h, then: [{command: look, to: log}]}
  plain: {on: order.placed, then: [{command: thank, to: log}]}
"""


def loaded(text: str) -> RuleSet:
    return load_sources({"rules.yaml": text})


def changes(*edits: tuple[str, str]) -> list[Change]:
    """What is different after these edits."""
    text = SHOP
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    found = difference(loaded(SHOP), loaded(text))
    different = [each for each in found.changes if each.how != "unchanged"]
    assert found.same == all(each.how == "text" for each in different)
    return different


def one(*edits: tuple[str, str]) -> Change:
    (found,) = changes(*edits)
    return found


def states(change: Change) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(each.node, each.outcome, each.because) for each in change.state]


def test_spacing_comments_and_the_order_of_what_has_none_are_no_difference() -> None:
    edits = [
        ("orders.total > 100", "orders.total>100"),
        ("ruleset: shop", "ruleset: shop  # ours"),
        ("[order.placed, order.changed]", "[order.changed, order.placed]"),
        ('total: event.data.total, first: "true"', "first: true, total: event.data.total"),
        ("after: 48h", "after: 2d"),
    ]
    assert changes(*edits) == []
    assert difference(loaded(SHOP), loaded(SHOP)).same


def test_a_description_is_text() -> None:
    change = one(("plain: {on:", "plain: {description: thanks, on:"))
    assert (change.how, change.parts, change.state) == ("text", ("description",), ())


def test_other_actions_keep_what_is_pending_which_fires_with_them() -> None:
    change = one(("command: remind", "command: remind-kindly"))
    meaning = "what is pending fires with the new actions"
    assert (change.how, change.parts) == ("edited", ("then",))
    assert change.state == (StateChange("deadline", "kept", (), meaning),)


@pytest.mark.parametrize(
    ("old", "new", "because"),
    [
        ("after: 48h", "after: 49h", "after"),
        ("unless: order.paid", "unless: order.closed", "unless"),
        ("unless: order.paid", "unless: order.paid, pending: first", "pending"),
        ("after: 48h,", "after: 48h, when: event.data.total > 1,", "when"),
        ("after: 48h,", "after: 48h, by: event.data.total,", "by"),
        ("after: 48h,", "after: 48h, let: {n: event.data.total},", "let"),
        ("[order.placed, order.changed]", "order.placed", "on"),
    ],
)
def test_another_definition_begins_anew_and_says_which_part_made_it_another(old: str, new: str, because: str) -> None:
    found = [each for each in changes((old, new)) if each.kind == "rule"]
    (change,) = found
    assert (change.how, states(change)) == ("redefined", [("deadline", "new", (because,))])
    assert "never fires" in change.state[0].meaning


def test_another_time_of_silence_is_another_throttle_but_the_same_deadline() -> None:
    change = one(("unless: order.paid", "unless: order.paid, once_within: 1h"))
    assert (change.how, states(change)) == (
        "redefined",
        [("deadline", "kept", ()), ("throttle", "new", ("once_within",))],
    )
    change = one(("orders.total > 100, once_within: 1h", "orders.total > 100, once_within: 2h"))
    assert states(change) == [("throttle", "new", ("once_within",))]


def test_a_projection_that_folds_otherwise_names_the_rules_that_read_it() -> None:
    change = one(('first: "true"', 'first: "false"'))
    assert (change.kind, change.how, states(change)) == ("projection", "redefined", [("rows", "new", ("fold",))])
    assert change.state[0].meaning.endswith("; read by big")
    change = one(("    fold:\n", "    index: [total]\n    fold:\n"))
    assert (change.how, change.parts, states(change)) == ("edited", ("index",), [("rows", "kept", ())])


def test_rows_that_are_to_be_forgotten_are_kept_until_then() -> None:
    change = one(("    fold:\n", "    keep: 90d\n    fold:\n"))
    assert states(change) == [("rows", "kept", ()), ("keep", "new", ("keep",))]


def test_another_table_makes_another_node_of_what_reads_it() -> None:
    table, rule = changes((">= 100", ">= 200"))
    assert (table.kind, table.name, table.how, table.parts) == ("table", "risk", "edited", ("rows",))
    assert (rule.name, rule.how, states(rule)) == ("risky", "redefined", [("throttle", "new", ("what it reads",))])


def test_another_name_keeps_state_and_changes_ids() -> None:
    change = one(("  remind:", "  dun:"))
    assert (change.name, change.was, change.how, states(change)) == (
        "dun",
        "remind",
        "renamed",
        [("deadline", "kept", ())],
    )
    assert "other ids" in change.state[0].meaning
    change = one(("  plain:", "  thanks:"))
    assert (change.was, change.how, change.state) == ("plain", "renamed", ())
    change = one(("  remind:", "  dun:"), ("command: remind", "command: dun"))
    assert (change.was, change.how, change.parts) == ("remind", "renamed", ("then",))


def test_a_projection_of_another_name_keeps_its_rows_but_is_another_thing_to_rules() -> None:
    projection, rule = changes(("  orders:", "  totals:"), ("orders.total", "totals.total"))
    assert (projection.was, projection.how, states(projection)) == ("orders", "renamed", [("rows", "kept", ())])
    assert (rule.name, states(rule)) == ("big", [("throttle", "new", ("when",))])


def test_what_is_gone_or_switched_off_loses_its_state() -> None:
    text = SHOP[: SHOP.index("  remind:")] + SHOP[SHOP.index("  big:") :]
    (change,) = (each for each in difference(loaded(SHOP), loaded(text)).changes if each.how != "unchanged")
    assert (change.name, change.how, states(change)) == ("remind", "removed", [("deadline", "lost", ("removed",))])
    change = one(("remind: {on:", "remind: {enabled: false, on:"))
    assert (change.how, change.parts, states(change)) == (
        "redefined",
        ("enabled",),
        [("deadline", "lost", ("enabled",))],
    )
    (added,) = (each for each in difference(loaded(text), loaded(SHOP)).changes if each.how != "unchanged")
    assert (added.name, added.how, added.state[0].outcome) == ("remind", "added", "new")


def test_parts_of_the_set_as_a_whole() -> None:
    change = one(("ruleset: shop", "ruleset: store"))
    assert (change.kind, change.name, change.was, change.parts) == ("rule set", "store", "shop", ("name",))
    assert one(("ruleset: shop", "ruleset: shop\nlateness: 5s")).parts == ("lateness",)
    assert one(("{total: number}", "{total: integer}")).kind == "event"
    order, rule = changes(("plain: {on", "plain: {priority: 3, on"))
    assert (order.parts, rule.parts) == (("order of firing",), ("priority",))


def test_older_versions_of_an_event_are_part_of_it() -> None:
    older = "events: {a/1: {n: number}, a/2: {m: number, from/1: {m: event.data.n}}}"
    for new in (older.replace("m: event.data.n", "m: event.data.n * 2"), "events: {a: {n: number, m: number}}"):
        before, after = (loaded(f"ruleset: t\n{events}") for events in (older, new))
        (change,) = (each for each in difference(before, after).changes if each.how != "unchanged")
        assert (change.kind, change.name, change.how) == ("event", "a", "edited")
