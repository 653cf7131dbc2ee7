"""Who may act: forms of the console in a browser, and nobody else's."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from prometheus_client import CollectorRegistry, Histogram

from orchestrator.api.app import make_app
from orchestrator.api.context import Context
from orchestrator.console import app as console
from orchestrator.console.guard import COOKIE
from orchestrator.console.recent import Recent
from orchestrator.console.site import Console
from rules.load import load_sources
from tests.orchestrator.serving import api

ROOT = Path(__file__).parents[2]
RULES = """
ruleset: shop
projections:
  orders: {fold: {order.placed: {total: event.data.total}}}
rules:
  big: {on: order.placed, when: event.data.total > 100, then: [{command: look-at, to: log, args: {}}]}
"""
EVENT = {"event": '{"type": "order.placed", "subject": "A1", "data": {"total": 200}}', "state": "empty"}


def dress(app: web.Application, context: Context) -> None:
    commits = Histogram("commits", "", ["processor"], registry=CollectorRegistry())
    recent = Recent(context.log, context.views, commits, now=context.now, monotonic=time.monotonic)
    console.add(app, Console(context, load_sources({"rules.yaml": RULES}), recent))


@pytest.fixture
async def client() -> AsyncIterator[TestClient[Any, Any]]:
    async with api(also=dress) as (client, _):
        yield client


def origin(client: TestClient[Any, Any]) -> str:
    return str(client.make_url("")).rstrip("/")


async def token(client: TestClient[Any, Any]) -> str:
    answer = await client.get("/console/dry-run")
    text = await answer.text()
    return text.split('name="token" value="')[1].split('"')[0]


async def test_a_form_of_the_console_is_taken(client: TestClient[Any, Any]) -> None:
    form = {**EVENT, "token": await token(client)}
    answer = await client.post("/console/dry-run", data=form, headers={"Origin": origin(client)})
    assert answer.status == 200
    assert "fired" in await answer.text()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "same", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "same", "Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
async def test_a_form_of_another_site_is_refused(client: TestClient[Any, Any], headers: dict[str, str]) -> None:
    sent = {name: origin(client) if value == "same" else value for name, value in headers.items()}
    form = {**EVENT, "token": await token(client)}
    answer = await client.post("/console/dry-run", data=form, headers=sent)
    assert answer.status == 403
    assert "fired" not in await answer.text()


async def test_a_form_is_taken_behind_a_proxy_that_says_another_host(client: TestClient[Any, Any]) -> None:
    form = {**EVENT, "token": await token(client)}
    headers = {"Origin": "https://console.example", "Sec-Fetch-Site": "same-origin"}
    assert (await client.post("/console/dry-run", data=form, headers=headers)).status == 200


@pytest.mark.parametrize("given", ["", "x", "ü" * 43, "a" * 43])
async def test_a_form_without_the_token_of_its_browser_is_refused(client: TestClient[Any, Any], given: str) -> None:
    await token(client)
    for path in ("/console/dry-run", "/console/redrive", "/console/keys/skip?key=A1"):
        answer = await client.post(path, data={**EVENT, "token": given}, headers={"Origin": origin(client)})
        assert answer.status == 403, path


async def test_the_token_is_kept_from_scripts_and_other_sites(client: TestClient[Any, Any]) -> None:
    answer = await client.get("/console/dry-run")
    cookie = answer.cookies[COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    again = await client.get("/console/dry-run")
    assert COOKIE not in again.cookies
    assert cookie.value in await again.text()


async def test_every_page_and_file_is_sent_with_a_strict_policy(client: TestClient[Any, Any]) -> None:
    for path in ("/", "/console/rules", "/console/static/console.css", "/console/nothing"):
        answer = await client.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Security-Policy" not in (await client.get("/v1/partitions")).headers


async def test_a_file_that_did_not_change_is_not_sent_again(client: TestClient[Any, Any]) -> None:
    first = await client.get("/console/static/console.css")
    again = await client.get("/console/static/console.css", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status, again.status) == (200, 304)


async def test_what_is_not_known_is_not_shown_as_zero(client: TestClient[Any, Any]) -> None:
    # No agent here: nobody evaluates, nothing was counted, nothing was committed.
    rules = await (await client.get("/console/rules")).text()
    assert rules.count("N/A") == 4
    overview = await (await client.get("/")).text()
    assert "N/A" in overview.split("commit, half within")[1].split("</div>")[0]
    assert "waiting" in overview


async def test_what_is_wrong_stands_on_the_first_page() -> None:
    async with api(also=dress, problems=["the <disk> is full"]) as (client, _):
        text = await (await client.get("/")).text()
        assert "the &lt;disk&gt; is full" in text
        assert "degraded" in text
    async with api(also=dress, stalled=["evaluation of partition 1"]) as (client, _):
        assert "failing" in await (await client.get("/console/health")).text()


async def test_a_mistake_is_said_on_a_page_with_its_status(client: TestClient[Any, Any]) -> None:
    for path, status, said in [
        ("/console/commands?state=lost", 404, "there is no state `lost`"),
        ("/console/commands?cursor=%00", 400, "the cursor is none of ours"),
        ("/console/projections/row?name=no&key=A1", 404, "there is no projection `no`"),
        ("/console/rules/one?name=%3Cb%3E", 404, "there is no rule `&lt;b&gt;`"),
        ("/console/dry-run?position=1.0.7", 404, "there is no event at 1.0.7"),
        ("/console/keys/burn?key=A1", 404, "there is no action `burn`"),
    ]:
        answer = await client.get(path)
        text = await answer.text()
        assert (answer.status, answer.content_type) == (status, "text/html"), path
        assert said in text, path


async def test_words_in_the_address_are_not_put_on_the_page(client: TestClient[Any, Any]) -> None:
    for query in ("said=Call+0900", "said=redriven&n=Call+0900", "said=redriven&n=²"):
        text = await (await client.get(f"/console/commands?{query}")).text()
        assert '<p role="status" id="said" class=""></p>' in text


async def test_a_process_that_serves_no_api_serves_no_console() -> None:
    def bare(app: web.Application, context: Context) -> None:
        apart = make_app(context, everything=False)
        assert not [route for route in apart.router.routes() if "console" in str(route.resource)]

    async with api(also=bare) as (client, _):
        assert (await client.get("/console/rules")).status == 404


@pytest.mark.parametrize("folder", ["orchestrator/console/static/vendor", "tests/console/vendor"])
def test_files_of_others_are_what_they_were_when_they_were_taken(folder: str) -> None:
    here = ROOT / folder
    listed = dict(reversed(line.split()) for line in (here / "SHA256SUMS").read_text().splitlines())
    found = {
        str(file.relative_to(here)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in here.rglob("*")
        if file.is_file() and file.name != "SHA256SUMS"
    }
    assert found == listed
