"""`timeout`, `expires`, `order` and `fallback`: read, rendered when the rule fires, and carried with the command."""

from __future__ import annotations

import pytest

from rules.diagnostics import RuleErrors
from rules.load import check_targets, load_sources
from rules.testing import given
from streams.digest import firing_id
from streams.outputs import Command, Derived, Terms, decode, encode

RULES = """
ruleset: shop
rules:
  answer:
    on: asked
    let: {text: event.data.text}
    then:
      - command: reply
        to: model
        args: {text: "${text}"}
        %s
      - {alert: done}
"""
TERMS = """timeout: 1m30s
        expires: 2h
        order: key
        fallback:
          - {command: call, to: desk, args: {text: "${text}", who: "${key}"}, expires: 1d,
             fallback: [{alert: "nobody called ${key}"}]}
          - {emit: unanswered, data: {text: "${text}"}}"""


def fired(terms: str, data: object = None) -> list[Command]:
    kit = given(RULES % terms).event("asked", "A", {"text": "why"} if data is None else data)
    assert kit.derived == []
    return kit.commands


def test_terms_go_with_the_command_in_microseconds() -> None:
    reply, alert = fired(TERMS)
    assert reply.terms is not None
    assert (reply.terms.timeout, reply.terms.expires, reply.terms.order) == (90_000_000, 7_200_000_000, True)
    assert reply.expires_at == reply.at + 7_200_000_000
    assert alert.terms is None


def test_a_fallback_is_rendered_at_the_firing_and_carried_whole_at_any_depth() -> None:
    reply, _ = fired(TERMS)
    assert reply.terms is not None
    call, unanswered = reply.terms.fallback
    assert isinstance(call, Command)
    assert (call.command, call.to, call.args) == ("call", "desk", {"text": "why", "who": "A"})
    assert (call.rule, call.key, call.at, call.cause, call.hops, call.shadow) == (
        reply.rule,
        reply.key,
        reply.at,
        reply.cause,
        reply.hops,
        reply.shadow,
    )
    assert call.terms is not None
    (nobody,) = call.terms.fallback
    assert isinstance(nobody, Command)
    assert nobody.args == {"text": "nobody called A", "severity": "warning"}
    assert isinstance(unanswered, Derived)
    assert (unanswered.event.type, unanswered.event.time) == ("unanswered", reply.at)
    assert unanswered.event.payload() == {"text": "why"}


def test_it_comes_through_the_log_as_it_is() -> None:
    commands = fired(TERMS)
    assert decode(encode(commands)) == commands


def test_each_action_of_a_fallback_has_an_id_of_its_own_that_follows_from_its_place() -> None:
    reply, alert = fired(TERMS)
    assert reply.terms is not None
    call, unanswered = reply.terms.fallback
    assert isinstance(call, Command)
    assert isinstance(unanswered, Derived)
    assert call.terms is not None
    (nobody,) = call.terms.fallback
    assert isinstance(nobody, Command)

    def drawn(place: int | str) -> str:
        return firing_id("shop", "answer", "A", None, ["test", reply.cause], reply.at, place)

    ids = [reply.id, call.id, nobody.id, unanswered.event.id, alert.id]
    assert ids == [
        drawn(0),
        drawn("0.fallback.0"),
        drawn("0.fallback.0.fallback.0"),
        drawn("0.fallback.1"),
        drawn(1),
    ]


@pytest.mark.parametrize("terms", ["timeout: 1s", "expires: 1s", "order: key", TERMS])
def test_terms_change_neither_ids_nor_what_everybody_sees_of_a_command(terms: str) -> None:
    assert [command.id for command in fired(terms)] == [command.id for command in fired("")]
    assert [command.document() for command in fired(terms)] == [command.document() for command in fired("")]


def test_a_fallback_that_cannot_be_rendered_undoes_the_firing() -> None:
    kit = given(RULES % 'fallback: [{alert: "${event.data.who}"}]').event("asked", "A", {"text": "why"})
    assert kit.commands == []
    assert kit.not_evaluated == {"answer": "`event.data.who` is absent"}


def test_an_alert_may_have_terms_too() -> None:
    kit = given("ruleset: t\nrules: {r: {on: a, then: [{alert: x, expires: 1m, timeout: 2s}]}}").event("a", "A")
    assert [command.terms for command in kit.commands] == [Terms(timeout=2_000_000, expires=60_000_000)]


def test_targets_of_fallbacks_are_checked_too() -> None:
    found = check_targets(load_sources({"rules.yaml": RULES % TERMS}), ["model", "alerts"])
    assert [(each.code, "`desk`" in each.message) for each in found] == [("unknown-target", True)]


def test_names_in_a_fallback_are_checked() -> None:
    with pytest.raises(RuleErrors, match="unknown name `txt`"):
        load_sources({"rules.yaml": RULES % 'fallback: [{alert: "${txt}"}]'})


def test_what_a_fallback_emits_counts_as_declared() -> None:
    rules = RULES % TERMS + "  late: {on: unanswered, then: [{alert: late}]}\nevents: {asked: {text: string}}\n"
    assert not [each for each in load_sources({"rules.yaml": rules}).warnings if each.code == "unknown-type"]
