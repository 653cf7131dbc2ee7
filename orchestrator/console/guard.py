"""Keeps other sites from acting through an operator's browser (CSRF).

Two bolts, either of which would do. A browser says where a form comes from (`Sec-Fetch-Site`, `Origin`): anything but
this very site is refused, and so is an action without either. And each form holds what a cookie holds that other sites
can neither read nor set: the same in both, so every process of a server can check it without sharing anything.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from orchestrator.api.other_pages import other_page
from orchestrator.api.problem import Problem

COOKIE: Final = "orchestrator-form"
FIELD: Final = "token"
_LENGTH: Final = 43
"""Characters of 32 bytes."""
_OURS: Final = web.RequestKey("form-token", str)


def token(request: web.Request) -> str:
    """What forms of this page hold."""
    known = request.get(_OURS) or request.cookies.get(COOKIE, "")
    if len(known) != _LENGTH or not known.isascii():
        known = secrets.token_urlsafe(32)
    request[_OURS] = known
    return known


def remember(request: web.Request, response: web.StreamResponse) -> None:
    """Sets the cookie where a page with a form is new to the browser."""
    made = request.get(_OURS)
    if made is not None and made != request.cookies.get(COOKIE):
        response.set_cookie(COOKIE, made, path="/console", httponly=True, samesite="Strict", secure=request.secure)


def check(request: web.Request, form: Mapping[str, str]) -> None:
    """Raises Problem 403 for a form that is not of this site."""
    check_origin(request)
    known = request.cookies.get(COOKIE, "")
    if not known or not hmac.compare_digest(known.encode("utf-8", "replace"), form.get(FIELD, "").encode()):
        raise Problem(403, "this form is not of this console, or is too old: open the page again and repeat it")


def check_origin(request: web.Request) -> None:
    """Raises Problem 403."""
    page = other_page(request)
    if page is not None:
        raise Problem(403, f"a page of another site sent this form ({page[:80]}): nothing was done")
    if not {"Sec-Fetch-Site", "Origin"} & request.headers.keys():
        raise Problem(
            403, "it is not said which page sent this form (Origin): use the console in a browser, or the API"
        )
