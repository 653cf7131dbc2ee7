"""What all pages have in common: what they ask, how they are rendered, and the headers they are sent with.

A handler answers with `page(…)`, or raises what handlers of the API raise; where a route of the console comes to a
problem, it is shown as a page with the same status (`dressed`). Every value is escaped by the templates; a strict
Content-Security-Policy stands behind that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from orchestrator.api.body import read_body
from orchestrator.api.context import CONTEXT, Context
from orchestrator.api.problem import Problem
from orchestrator.console import guard
from orchestrator.console.recent import Recent
from orchestrator.console.render import render
from orchestrator.moments import read_moment
from rules.ruleset import RuleSet

HOME: Final = "/"
UNDER: Final = "/console"
MOST_FIELDS: Final = 5_000
"""Of one form."""
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: with it browsers would not say which page sent a form.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PLACES: Final = (
    ("o", HOME, "Overview"),
    ("e", f"{UNDER}/events", "Events"),
    ("c", f"{UNDER}/commands", "Commands"),
    ("a", f"{UNDER}/targets", "Targets"),
    ("b", f"{UNDER}/keys", "Blocked keys"),
    ("p", f"{UNDER}/projections", "Projections"),
    ("r", f"{UNDER}/rules", "Rules"),
    ("d", f"{UNDER}/dry-run", "Dry run"),
    ("t", f"{UNDER}/trace", "Trace"),
    ("h", f"{UNDER}/health", "Health"),
)
"""(key after `g`, path, title)."""
DEFAULT_URL: Final = "http://127.0.0.1:8000"
"""Where the command line looks for a server that nobody names."""


@dataclass(frozen=True, slots=True)
class Console:
    """Of one process."""

    context: Context
    ruleset: RuleSet
    recent: Recent


CONSOLE: Final[web.AppKey[Console]] = web.AppKey("console", Console)


def page(
    request: web.Request,
    template: str,
    title: str,
    *,
    status: int = 200,
    every: float | None = None,
    place: str | None = None,
    **values: Any,
) -> web.Response:
    """`every`: seconds after which the browser asks for the page again; None for one that stays as it is. `place`: the
    path of `PLACES` that it belongs to, where that is not its own."""
    context = request.app[CONTEXT]
    shown = {
        "title": title,
        "here": place or request.path,
        "again": _again(request),
        "every": every,
        "places": PLACES,
        "as_of": context.now(),
        "status_line": "failing" if context.stalled() else "degraded" if context.problems() else "ok",
        "disarmed": context.disarmed(),
        "said": said(request),
        "token": lambda: guard.token(request),
        "base_url": f"{request.scheme}://{request.host}",
        "url_option": _url_option(request),
        **values,
    }
    text = render(template, shown)
    return web.Response(body=text, status=status, content_type="text/html", charset="utf-8")


def elsewhere(path: str) -> web.Response:
    """After an action: the browser shows that page, and a reload repeats nothing."""
    return web.Response(status=303, headers={"Location": path})


async def form(request: web.Request) -> dict[str, list[str]]:
    """Name → values, of a form of this console. Raises Problem 400, 403 and what reading raises."""
    body = await read_body(request, request.app[CONTEXT].body_bytes)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise Problem(400, f"this is no form ({error}): use the pages of the console") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    guard.check(request, {name: values[0] for name, values in found.items()})
    return found


def asked(request: web.Request, name: str) -> str | None:
    """A parameter of the page's address; None where it is missing or empty, as a filter that nobody filled in is."""
    return request.query.get(name) or None


def asked_moment(request: web.Request, name: str) -> int | None:
    """A parameter that is a moment, or how long ago it was, as microseconds. Raises Problem."""
    if (text := asked(request, name)) is None:
        return None
    try:
        return read_moment(text, request.app[CONTEXT].now())
    except ValueError as error:
        raise Problem(400, f"`{name}`: {error}") from None


SAID: Final = {
    "redriven": "{n} redriven: delivery has them now.",
    "redriven-some": "{n} redriven; no longer parked, and left as they are: {m}.",
    "cancelled": "{n} cancelled: they are never sent.",
    "cancelled-some": "{n} cancelled; sent, or ended meanwhile: {m}.",
    "expired": "{n} expired: they are never sent, and their fallback is put out.",
    "expired-some": "{n} expired; sent, or ended meanwhile: {m}.",
    "paused": "The target is paused: nothing is sent to it.",
    "resumed": "The target is resumed: what waits is sent.",
    "unpark": "The parked event is evaluated again, and then what waits behind it.",
    "skip": "The parked event is left out; what waits behind it is evaluated.",
}
"""What a page says after an action. The address names which, so that nobody else can put words here."""


def said(request: web.Request) -> str | None:
    text = SAID.get(request.query.get("said", ""))
    if text is None:
        return None
    n, m = (request.query.get(name, "") for name in ("n", "m"))
    if not all((each.isascii() and each.isdigit() and len(each) < 10) or not each for each in (n, m)):
        return None
    return text.format(n=f"{int(n or 0):,}", m=f"{int(m or 0):,}")


def _again(request: web.Request) -> str:
    """The address of this page, without what it said once."""
    return str(request.rel_url.with_query([(k, v) for k, v in request.query.items() if k not in ("said", "n", "m")]))


def _url_option(request: web.Request) -> str:
    address = f"{request.scheme}://{request.host}"
    return "" if address == DEFAULT_URL else f" --url {address}"


@web.middleware
async def dressed(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Outside of what makes problems of errors."""
    response = await handler(request)
    path = request.path
    if path != HOME and path != UNDER and not path.startswith(f"{UNDER}/"):
        return response
    if isinstance(response, web.Response) and response.content_type == "application/problem+json":
        response = _mishap(request, response)
    response.headers.update(HEADERS)
    if response.content_type == "text/html":
        response.headers["Cache-Control"] = "no-store"
    guard.remember(request, response)
    return response


def _mishap(request: web.Request, found: web.Response) -> web.Response:
    document: Mapping[str, Any] = msgspec.json.decode(found.body) if isinstance(found.body, bytes) else {}
    title = str(document.get("title") or HTTPStatus(found.status).phrase)
    made = page(request, "problem.html", title, status=found.status, detail=document.get("detail", ""))
    if "Retry-After" in found.headers:
        made.headers["Retry-After"] = found.headers["Retry-After"]
    return made
