"""What a webhook is sent beside plain commands: CloudEvents, headers and URLs with parts of the command in them."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from adapters.targets.webhook.shape import TYPE
from adapters.targets.webhook.url import UrlTemplate
from adapters.template import Template, TemplateError
from adapters.work import Verdict
from tests.adapters.receiver import receiving
from tests.adapters.webhooks import delivered, opened, refused, work

OLD, NEW = "whsec_" + "b" * 40, "whsec_" + "c" * 40


async def test_a_structured_cloud_event_has_the_command_in_its_attributes_and_its_args_as_data() -> None:
    async with receiving() as receiver:
        assert (await delivered(receiver.url, format="cloudevents-structured")).verdict is Verdict.DONE
    ((headers, body),) = receiver.requests
    assert headers["content-type"] == "application/cloudevents+json"
    assert json.loads(body) == {
        "specversion": "1.0",
        "id": "c1",
        "source": "/rules/speeding",
        "type": "orchestrator.command.fine",
        "subject": "GX-700",
        "time": "2025-05-01T12:00:00Z",
        "rule": "speeding",
        "cause": "e1",
        "datacontenttype": "application/json",
        "data": {"plate": "GX-700", "speed": 171},
    }


async def test_a_binary_cloud_event_has_its_attributes_in_headers_and_is_signed_as_any_other() -> None:
    async with receiving() as receiver:
        sent = work(key='Gräf & Co "1" 100%', n=1.50)
        keys: dict[str, Any] = {
            "format": "cloudevents-binary",
            "type": "com.example.fine",
            "source": "//shop/${command.to}",
        }
        assert (await delivered(receiver.url, sent, secret=OLD, **keys)).verdict is Verdict.DONE
    ((headers, body),) = receiver.requests
    assert {name: value for name, value in headers.items() if name.startswith("ce-")} == {
        "ce-specversion": "1.0",
        "ce-id": "c1",
        "ce-source": "//shop/police",
        "ce-type": "com.example.fine",
        "ce-subject": "Gr%C3%A4f%20&%20Co%20%221%22%20100%25",
        "ce-time": "2025-05-01T12:00:00Z",
        "ce-rule": "speeding",
        "ce-cause": "e1",
    }
    assert unquote(headers["ce-subject"]) == 'Gräf & Co "1" 100%'
    assert headers["content-type"] == "application/json"
    assert body == b'{"n": 1.5}'
    assert Webhook(OLD).verify(body.decode(), headers) == {"n": 1.5}


async def test_what_a_command_does_not_have_is_no_attribute() -> None:
    async with receiving() as receiver:
        await delivered(receiver.url, work(key=""), format="cloudevents-structured")
    assert "subject" not in json.loads(receiver.requests[0][1])


async def test_while_secrets_change_both_sign() -> None:
    secrets = {"env:OLD": OLD, "file:/run/new": NEW}
    async with receiving() as receiver:
        await delivered(receiver.url, secret=["env:OLD", "file:/run/new"], secrets=secrets)
    ((headers, body),) = receiver.requests
    assert len(headers["webhook-signature"].split()) == 2
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(body.decode(), headers)


async def test_a_request_may_be_a_put_and_have_headers_of_its_own() -> None:
    headers = {"X-Plate": "${command.args.plate}", "x-fast": "${command.args.speed}/${ command.key }", "X-Key": "env:K"}
    async with receiving() as receiver:
        await delivered(receiver.url, method="PUT", headers=headers, secrets={"env:K": "${command.key} hush"})
    ((headers, _),) = receiver.requests
    assert headers[":method"] == "PUT"
    assert (headers["x-plate"], headers["x-fast"]) == ("GX-700", "171/GX-700")
    assert headers["x-key"] == "${command.key} hush"  # a secret is no template


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({}, "the command has no args.plate"),
        ({"plate": None}, "the command has no args.plate"),
        ({"plate": {"a": 1}}, "args.plate of the command is neither a text nor a number"),
        ({"plate": "a\r\nx-admin: yes"}, "holds the character U+000D, which cannot stand in a header"),
        ({"plate": "a\nb"}, "holds the character U+000A, which cannot stand in a header"),
        ({"plate": "\0"}, "holds the character U+0000, which cannot stand in a header"),
        ({"plate": "x" * 4_097}, "is longer than 4,096 characters"),
    ],
)
async def test_a_header_that_cannot_be_made_of_a_command_parks_it(args: dict[str, Any], why: str) -> None:
    async with receiving() as receiver:
        found = await delivered(receiver.url, work(**args), headers={"x-plate": "${command.args.plate}"})
    assert receiver.requests == []
    assert (found.verdict, found.status) == (Verdict.FINAL, "template")
    assert found.reason == f"the header `x-plate` cannot be made: {why}"


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"x y": "1"}, "`headers`: `x y` is no name of a header"),
        ({"x:": "1"}, "`headers`: `x:` is no name of a header"),
        ({"": "1"}, "`headers`: `` is no name of a header"),
        ({"x\r\ny": "1"}, "`headers`: `x\r\ny` is no name"),
        ({"Host": "a"}, "`headers`: `Host` is set by us"),
        ({"Content-Length": "1"}, "`headers`: `Content-Length` is set by us"),
        ({"transfer-encoding": "chunked"}, "`headers`: `transfer-encoding` is set by us"),
        ({"Webhook-Id": "1"}, "`headers`: `Webhook-Id` is set by us"),
        ({"CE-Type": "1"}, "`headers`: `CE-Type` is set by us"),
        ({"X-A": "1", "x-a": "2"}, "`headers`: `x-a` is there twice"),
        ({"x-a": "b\r\nc: d"}, "`headers`: `x-a` holds the character U+000D"),
        ({"x-a": "${command.nothing}"}, "`headers`: `x-a` `${command.nothing}` is no part of a command"),
        ({"x-a": "${key}"}, "`headers`: `x-a` `${key}` is no part of a command"),
        ({"x-a": "${command.args}"}, "`headers`: `x-a` `${command.args}` is more than a text"),
        ({"x-a": "${command.key.x}"}, "`headers`: `x-a` `${command.key.x}`: `command.key` is a text"),
        ({"x-a": "${command.key"}, "`headers`: `x-a` `${command.key` has no end"),
        ({"x-a": "env:NO"}, "`headers`: NO is not set: set it to the secret"),
        ({"x-a": 3}, "`headers.x-a`: Input should be a valid string"),
        ({f"x-{number}": "1" for number in range(33)}, "`headers`: 33 are more than 32"),
    ],
)
def test_a_header_that_can_never_be_sent_is_refused_when_the_file_is_read(headers: dict[str, Any], why: str) -> None:
    assert refused(headers=headers).startswith(why)


def test_a_secret_with_a_line_break_in_it_is_no_header() -> None:
    found = refused({"env:K": "hush\nhush"}, headers={"x-a": "env:K"})
    assert found == "`headers`: `x-a` holds the character U+000A, which cannot stand in a header"


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"format": "cloudevent"}, "`format`: Input should be 'plain', 'cloudevents-binary', "),
        ({"type": "x"}, "`type` and `source` are of CloudEvents: add `format: cloudevents-structured`"),
        ({"type": "", "format": "cloudevents-binary"}, "`type`: must be a text of one line"),
        ({"source": "a\nb", "format": "cloudevents-binary"}, "`source`: must be a text of one line"),
        ({"type": "${x}", "format": "cloudevents-binary"}, "`type`: `${x}` is no part of a command"),
        ({"method": "GET"}, "`method`: Input should be 'POST' or 'PUT'"),
        ({"secret": []}, "`secret`: write one reference, such as env:NAME, or a list of two"),
        ({"secret": [OLD, OLD, NEW]}, "`secret`: write one reference, such as env:NAME, or a list of two"),
        ({"secret": [OLD, "env:NO"]}, "`secret`: NO is not set: set it to the secret"),
        ({"url": "https://${command.key}.example/"}, "`url`: may hold parts of a command in its path and query only"),
        ({"url": "https://a.example:${command.key}/"}, "`url`: may hold parts of a command in its path and query only"),
        ({"url": "${command.key}://a.example/"}, "`url`: may hold parts of a command in its path and query only"),
        ({"url": "https://a.example/${command.args}"}, "`url`: `${command.args}` is more than a text"),
    ],
)
def test_other_mistakes_are_named(keys: dict[str, Any], why: str) -> None:
    assert refused(**keys).removeprefix(": ").startswith(why)


AWKWARD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@settings(max_examples=60, deadline=None)
@given(segment=AWKWARD, value=AWKWARD)
def test_what_comes_from_a_command_stays_in_its_place_in_the_url(segment: str, value: str) -> None:
    async def run() -> None:
        async with receiving() as receiver:
            base = receiver.url.partition("/hook")[0]
            url = base + "/cars/${command.key}/fines?a=1&speed=${command.args.speed}&b=2"
            found = await delivered(url, work(key=segment, speed=value))
        if segment in ("", ".", ".."):
            assert (found.verdict, found.status, receiver.requests) == (Verdict.FINAL, "template", [])
            return
        ((headers, _),) = receiver.requests
        path, _, query = headers[":path"].partition("?")
        assert [unquote(part) for part in path.split("/")] == ["", "cars", segment, "fines"]
        assert parse_qsl(query, keep_blank_values=True) == [("a", "1"), ("speed", value), ("b", "2")]

    asyncio.run(run())


@pytest.mark.parametrize("key", ["", ".", ".."])
def test_no_part_of_a_command_climbs_up_a_path(key: str) -> None:
    with pytest.raises(TemplateError, match=r"would be empty, `.` or `..`"):
        UrlTemplate("https://a/x/${command.key}/y").render({"key": key})
    assert UrlTemplate("https://a/x/v${command.key}").render({"key": key}) == f"https://a/x/v{key}"
    dots = UrlTemplate("https://a/x/.${command.key}")
    if key == "..":
        assert dots.render({"key": key}) == "https://a/x/..."
    else:
        with pytest.raises(TemplateError):
            dots.render({"key": key})


def test_a_url_that_a_command_makes_too_long_is_refused() -> None:
    with pytest.raises(TemplateError, match="longer than 4,096 characters"):
        UrlTemplate("https://a/${command.key}").render({"key": "ä" * 1_000})


def test_a_template_without_parts_is_the_same_for_every_command() -> None:
    assert Template("a $ {b} }").static
    assert Template("a $ {b} }").render({}) == "a $ {b} }"
    assert not Template(TYPE).static


async def test_the_headers_of_a_command_of_no_template_are_made_once() -> None:
    async with receiving() as receiver, opened(receiver.url, headers={"x-a": "b"}) as adapter:
        for number in range(3):
            await adapter.deliver(work(f"c{number}"))
    assert [headers["x-a"] for headers, _ in receiver.requests] == ["b"] * 3
