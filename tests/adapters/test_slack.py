"""Alerts go to a chat as Slack's incoming webhooks take them, at an address that nobody is shown."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from adapters.targets.webhook.slack import LONGEST, message
from adapters.work import Verdict, Work
from tests.adapters.receiver import Receiver, receiving
from tests.adapters.webhooks import delivered, opened, refused, work


def alert(text: str, severity: str = "critical", rule: str = "waits-too-long", key: str = "T-1") -> Work:
    command = {"id": "c1", "command": "alert", "to": "alerts", "rule": rule, "key": key, "cause": "e1"}
    body = {**command, "at": "2025-05-01T12:00:00Z", "args": {"text": text, "severity": severity}}
    return Work("c1", 1, "alerts", json.dumps(body).encode(), 0, 0)


def text_of(body: bytes) -> str:
    sent = json.loads(body)
    assert list(sent) == ["text"], "Slack refuses what it does not know"
    text: str = sent["text"]
    return text


def slack(number: int, request: web.Request) -> web.Response:
    """As Slack answers."""
    return web.Response(text="ok") if request.content_type == "application/json" else web.Response(status=400)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        running.answer = slack
        yield running


async def test_an_alert_is_a_message_with_rule_and_key(receiver: Receiver) -> None:
    outcome = await delivered(receiver.url, alert("ticket <T-1> & others wait"), format="slack")
    assert outcome.verdict is Verdict.DONE
    ((_, body),) = receiver.requests
    assert text_of(body) == (
        ":rotating_light: ticket &lt;T-1&gt; &amp; others wait\nrule `waits-too-long`, key `T-1`, 2025-05-01T12:00:00Z"
    )


def test_another_command_says_what_it_is() -> None:
    said = text_of(message(work(plate="GX-700", speed=171).body))
    assert said.startswith('*fine* {"plate":"GX-700","speed":171}\nrule `speeding`, key `GX-700`')


@given(st.text(), st.text(), st.text())
def test_whatever_stands_in_it_is_escaped_and_bounded(text: str, rule: str, key: str) -> None:
    said = text_of(message(alert(text, "info", rule, key).body))
    assert "<" not in said
    assert ">" not in said
    assert len(said) < 5 * LONGEST + 3_000
    assert said.rpartition("\n")[2].count("`") == 4, "whatever they hold, rule and key stay between their marks"


async def test_the_address_may_be_a_secret_that_no_outcome_shows(receiver: Receiver) -> None:
    secret = receiver.url.replace("/hook", "/services/T0/B0/hush-hush-hush")

    def quoting(number: int, request: web.Request) -> web.Response:
        return web.Response(status=404, text=f"no_service at {request.url}")

    receiver.answer = quoting
    async with opened("env:CHAT", {"env:CHAT": secret}, format="slack") as adapter:
        outcome = await adapter.deliver(alert("it burns"))
    assert (outcome.verdict, outcome.status) == (Verdict.FINAL, "404")
    assert "hush" not in str(outcome)
    assert "[redacted]" in outcome.reason


@pytest.mark.parametrize(
    ("secrets", "keys", "said"),
    [
        ({}, {"url": "env:CHAT"}, "`url`: CHAT is not set: set it to the secret"),
        (
            {"env:CHAT": "hooks.example/x"},
            {"url": "env:CHAT"},
            "`url`: the secret is no address: it must begin with http",
        ),
        ({}, {"format": "slack", "batch": 5}, "`slack` has no batches"),
        ({}, {"format": "slack", "type": "x"}, "`type` and `source` are of CloudEvents"),
    ],
)
def test_mistakes_are_told(secrets: dict[str, str], keys: dict[str, Any], said: str) -> None:
    assert said in refused(secrets, **keys)
