"""How a receiver knows who calls: HTTP Basic, a bearer token, or one that is asked for with client credentials."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from adapters.adapter import preview
from adapters.redact import HIDDEN
from adapters.targets.webhook import adapter, tokens
from adapters.work import Outcome, Verdict
from tests.adapters.receiver import Receiver, answering, receiving
from tests.adapters.webhooks import delivered, opened, refused, work

SECRETS = {"env:ID": "orchestrator", "env:SECRET": "s3cret/&=ü", "env:TOKEN": "opaque-token", "env:BAD": "a\nb"}


@dataclass
class Issuer:
    """A token endpoint and a receiver that takes only the tokens it says are good."""

    issuer: Receiver
    receiver: Receiver
    good: set[str] = field(default_factory=set)
    issued: int = 0
    more: dict[str, Any] = field(default_factory=lambda: {"expires_in": 3_600})

    def issue(self, number: int, request: web.Request) -> web.StreamResponse:
        self.issued += 1
        token = f"token-{self.issued}"
        self.good.add(token)
        return web.json_response({"access_token": token, "token_type": "bearer", **self.more})

    def check(self, number: int, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return web.Response(status=204 if token in self.good else 401, text=None)

    @property
    def keys(self) -> dict[str, Any]:
        oauth2 = {"token_url": self.issuer.url, "client_id": "env:ID", "client_secret": "env:SECRET"}
        return {"auth": {"oauth2": oauth2}, "secrets": SECRETS}

    @property
    def shown(self) -> list[str]:
        """The tokens that the receiver was shown."""
        return [headers["authorization"].removeprefix("Bearer ") for headers, _ in self.receiver.requests]


@asynccontextmanager
async def issuing() -> AsyncIterator[Issuer]:
    async with receiving() as issuer, receiving() as receiver:
        made = Issuer(issuer, receiver)
        issuer.answer, receiver.answer = made.issue, made.check
        yield made


async def test_a_user_and_a_password_are_http_basic() -> None:
    auth = {"basic": {"user": "env:ID", "password": "env:SECRET"}}
    async with receiving() as receiver:
        await delivered(receiver.url, auth=auth, secrets=SECRETS)
    said = receiver.requests[0][0]["authorization"]
    assert base64.b64decode(said.removeprefix("Basic ")).decode() == "orchestrator:s3cret/&=ü"


async def test_a_token_from_a_secret_is_a_bearer_token_and_is_not_shown_when_it_comes_back() -> None:
    async with receiving() as receiver:
        receiver.answer = lambda number, request: web.Response(status=403, text=request.headers["authorization"])
        found = await delivered(receiver.url, auth={"bearer": "env:TOKEN"}, secrets=SECRETS)
    assert receiver.requests[0][0]["authorization"] == "Bearer opaque-token"
    assert (found.verdict, found.reason) == (Verdict.FINAL, f"HTTP 403: Bearer {HIDDEN}")
    assert found.result == {"status": 403, "body": f"Bearer {HIDDEN}"}


async def test_one_token_is_asked_for_and_serves_many_attempts_at_once() -> None:
    async with issuing() as made, opened(made.receiver.url, **made.keys) as adapter:
        found = await asyncio.gather(*(adapter.deliver(work(f"c{number}")) for number in range(20)))
    assert {each.verdict for each in found} == {Verdict.DONE}
    assert made.shown == ["token-1"] * 20
    ((headers, body),) = made.issuer.requests
    assert parse_qs(body.decode()) == {"grant_type": ["client_credentials"]}
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    expected = base64.b64encode(b"orchestrator:s3cret%2F%26%3D%C3%BC").decode()  # RFC 6749, 2.3.1
    assert headers["authorization"] == f"Basic {expected}"


async def test_credentials_scopes_and_audience_may_stand_in_the_form() -> None:
    async with issuing() as made:
        keys = made.keys
        keys["auth"]["oauth2"] |= {"credentials": "body", "scopes": ["fines:write", "x"], "audience": "https://police"}
        assert (await delivered(made.receiver.url, **keys)).verdict is Verdict.DONE
    ((headers, body),) = made.issuer.requests
    assert "authorization" not in headers
    assert parse_qs(body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["fines:write x"],
        "audience": ["https://police"],
        "client_id": ["orchestrator"],
        "client_secret": ["s3cret/&=ü"],
    }


async def test_a_token_that_is_refused_is_dropped_and_the_next_attempt_has_another() -> None:
    async with issuing() as made, opened(made.receiver.url, **made.keys) as adapter:
        assert (await adapter.deliver(work())).verdict is Verdict.DONE
        made.good.clear()
        found = await adapter.deliver(work())
        assert (found.verdict, found.status) == (Verdict.RETRY, "token")
        assert found.reason == "HTTP 401: the token was refused"
        assert (await adapter.deliver(work())).verdict is Verdict.DONE
    assert made.shown == ["token-1", "token-1", "token-2"]


@pytest.mark.parametrize(("seconds", "asked"), [(0, 2), ("0", 2), (3_600, 1), ("3600", 1), (None, 1)])
async def test_a_token_is_used_until_shortly_before_it_expires(seconds: Any, asked: int) -> None:
    async with issuing() as made, opened(made.receiver.url, **made.keys) as adapter:
        made.more = {} if seconds is None else {"expires_in": seconds}
        for _ in range(2):
            assert (await adapter.deliver(work())).verdict is Verdict.DONE
    assert made.issued == asked


def _json(body: Any, status: int = 200) -> Callable[[int, web.Request], web.StreamResponse]:
    return lambda number, request: web.json_response(body, status=status)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            _json({"error": "invalid_client", "error_description": "s3cret/&=ü is wrong"}, 401),
            f"the token endpoint answered HTTP 401: invalid_client, {HIDDEN} is wrong",
        ),
        (lambda number, request: web.Response(status=503, text="busy"), "the token endpoint answered HTTP 503: busy"),
        (
            lambda number, request: web.Response(status=302, headers={"location": "/elsewhere"}),
            "the token endpoint answered HTTP 302",
        ),
        (lambda number, request: web.Response(text="<html>"), "the token endpoint's answer is no token: JSON is"),
        (_json({}), "the token endpoint's answer is no token: Object missing required field `access_token`"),
        (_json({"access_token": "a\r\nb"}), "the token endpoint's answer is no token: holds the character U+000D"),
        (_json({"access_token": "a", "expires_in": "soon"}), "the token endpoint's answer is no token: could not"),
        (_json({"access_token": "", "token_type": "Bearer"}), "the token endpoint's answer is no bearer token"),
        (_json({"access_token": "a", "token_type": "mac"}), "the token endpoint's answer is no bearer token"),
        (_json({"access_token": "a" * 100_000}), "the token endpoint's answer is no token: "),
    ],
)
async def test_without_a_token_nothing_is_sent_and_it_is_tried_again(
    answer: Callable[[int, web.Request], web.StreamResponse], reason: str
) -> None:
    async with issuing() as made:
        made.issuer.answer = answer
        found = await delivered(made.receiver.url, **made.keys)
    assert made.receiver.requests == []
    assert (found.verdict, found.status) == (Verdict.RETRY, "token")
    assert found.reason.startswith(reason)
    assert "s3cret" not in found.reason


async def test_an_endpoint_that_fails_is_not_asked_by_every_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "PAUSE", 0.5)
    async with issuing() as made, opened(made.receiver.url, **made.keys) as adapter:
        made.issuer.answer = _json({"error": "busy"}, 503)
        found = [await adapter.deliver(work(f"c{number}")) for number in range(5)]
        assert {each.reason for each in found} == {"the token endpoint answered HTTP 503: busy"}
        assert len(made.issuer.requests) == 1
        made.issuer.answer = made.issue
        await asyncio.sleep(0.55)
        assert (await adapter.deliver(work())).verdict is Verdict.DONE


async def test_an_endpoint_that_does_not_answer_costs_no_more_than_the_attempts_time() -> None:
    over = asyncio.Event()

    async def never(request: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    async with issuing() as made, opened(made.receiver.url, timeout="200ms", **made.keys) as adapter:
        made.issuer.answer = lambda number, request: never(request)
        found = await adapter.deliver(work())
        over.set()
    assert (found.verdict, found.status, found.reason) == (Verdict.RETRY, "token", "no token within 0.2 s")


async def test_an_attempt_that_is_broken_off_does_not_take_the_token_from_others() -> None:
    gate = asyncio.Event()
    async with issuing() as made, opened(made.receiver.url, **made.keys) as adapter:

        async def slow(request: web.Request) -> web.StreamResponse:
            await gate.wait()
            return made.issue(1, request)

        made.issuer.answer = lambda number, request: slow(request)
        first, second = (asyncio.create_task(adapter.deliver(work(id))) for id in ("c1", "c2"))
        await made.issuer.arrived.wait()
        first.cancel()
        await asyncio.sleep(0)
        gate.set()
        outcome: Outcome = await second
    assert outcome.verdict is Verdict.DONE
    assert made.issued == 1


async def test_the_token_endpoint_is_guarded_as_the_receiver_is() -> None:
    async with issuing() as made:
        keys = made.keys
        keys["auth"]["oauth2"]["token_url"] = made.issuer.url.replace("127.0.0.1", "127.0.0.2")
        found = await delivered(made.receiver.url, **keys)
    assert made.issuer.requests == made.receiver.requests == []
    assert "address 127.0.0.2 is not public and not in `allow`" in found.reason


OAUTH2 = {"token_url": "https://a.example/token", "client_id": "x", "client_secret": "env:SECRET"}


@pytest.mark.parametrize(
    ("auth", "why"),
    [
        ({}, "`auth`: write one of `bearer`, `basic` and `oauth2`"),
        ({"bearer": "env:TOKEN", "oauth2": OAUTH2}, "`auth`: write one of `bearer`, `basic` and `oauth2`"),
        ({"bearer": "opaque"}, "`auth`: write env:NAME, the variable that holds the secret"),
        ({"bearer": "env:NO"}, "`auth`: NO is not set: set it to the secret"),
        ({"bearer": "env:BAD"}, "`auth`: the secret holds the character U+000A, which cannot stand in a header"),
        ({"beerer": "env:TOKEN"}, "`auth.beerer`: is no key of it: did you mean `bearer`?"),
        ({"basic": {"user": "a:b", "password": "env:SECRET"}}, "`auth`: a user has no colon in it"),
        ({"basic": {"user": "a"}}, "`auth.basic.password`: is missing: add it"),
        ({"oauth2": OAUTH2 | {"token_url": "a"}}, "`auth.oauth2.token_url`: must begin with http:// or https://"),
        (
            {"oauth2": OAUTH2 | {"token_url": "https://a/${command.key}"}},
            "`auth.oauth2.token_url`: must not hold parts",
        ),
        ({"oauth2": OAUTH2 | {"client_secret": "hush"}}, "`auth`: write env:NAME, the variable"),
        ({"oauth2": OAUTH2 | {"scope": []}}, "`auth.oauth2.scope`: is no key of it: did you mean `scopes`?"),
    ],
)
def test_mistakes_in_auth_are_named_and_no_secret_is_shown(auth: dict[str, Any], why: str) -> None:
    found = refused(SECRETS, auth=auth)
    assert found.startswith(why)
    assert not any(secret in found for secret in ("hush", "opaque", "s3cret"))


def test_a_header_cannot_say_what_auth_says() -> None:
    found = refused(SECRETS, auth={"bearer": "env:TOKEN"}, headers={"Authorization": "x"})
    assert found == "`headers`: `Authorization` is set by `auth`: remove one of them"


@pytest.mark.parametrize("path", ["hush", "hush%7Ehush", "hush/${command.key}"])
@pytest.mark.parametrize("silent", [False, True])
async def test_an_address_that_is_a_secret_is_shown_nowhere(
    path: str, silent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where what is called is written in another way than the secret."""
    monkeypatch.setattr(adapter, "CONNECT", 0.1)
    async with answering(b"nonsense\r\n\r\n") as url, crowded() as full:
        secret = (full if silent else url) + path
        async with opened("env:HOOK", {"env:HOOK": secret}) as webhook:
            found = await webhook.deliver(work())
            shown = json.dumps(await preview(webhook, work()))
    assert "hush" not in shown
    assert found.status == ("connect" if silent else "broken")
    assert "hush" not in found.reason


@asynccontextmanager
async def crowded() -> AsyncIterator[str]:
    """The address of a server that takes no more connections."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        host, port = server.getsockname()
        with ExitStack() as taken:
            for _ in range(3):
                one = taken.enter_context(socket.socket())
                one.setblocking(False)
                one.connect_ex((host, port))
            yield f"http://{host}:{port}/"
