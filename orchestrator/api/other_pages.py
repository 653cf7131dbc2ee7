"""Pages of other origins may not act through somebody's browser, unless their origin is named.

A browser sends a simple POST anywhere without asking first, and whoever reaches a server on loopback may act: so a page
of another site could. Browsers say where a request comes from (`Sec-Fetch-Site`, `Origin`); what is no browser says
neither, and is not asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web

from orchestrator.api.problem import problem

SAFE: Final = ("GET", "HEAD", "OPTIONS")


def middleware(origins: Sequence[str]) -> Any:
    """`origins`: whose pages may."""

    @web.middleware
    async def ours_alone(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.method not in SAFE and request.headers.get("Origin") not in origins:
            page = other_page(request)
            if page is not None:
                return problem(
                    403,
                    f"a page of another origin sent this ({page[:80]}): nothing was done. ORCHESTRATOR_CORS_ORIGINS "
                    "names origins whose pages may",
                )
        return await handler(request)

    return ours_alone


def other_page(request: web.Request) -> str | None:
    """What a browser says of the page that sent this, if that is another origin's."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        # The browser's own word, right behind proxies too, where `Host` may not be what it saw.
        return None if site in ("same-origin", "none") else f"Sec-Fetch-Site: {site}"
    if origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
        return f"Origin: {origin}"
    return None
