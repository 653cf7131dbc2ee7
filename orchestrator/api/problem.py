"""Errors as `application/problem+json` (RFC 9457), for every answer that is not a success.

Handlers raise `Problem`, or let typed errors of lower packages through; the middleware turns both into answers. What
nobody expected is answered with 500 without its text, and reported to `failed`: metrics, log and /health.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

from projections.query import QueryError
from projections.stores.sqlite import QueryStoreBusy
from streams.intake import IntakeError
from streams.log import LogFull, LogUnavailable


class Problem(Exception):
    """Answered as it is. `more` are members beside type, title, status and detail."""

    def __init__(self, status: int, detail: str, *, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers
        self.more = more


def answer(status: int, document: Any, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json", headers=headers)


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> web.Response:
    document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    # User text may hold lone surrogates, which are no JSON text: backslashes show them.
    text = orjson.dumps(_printable(document))
    return web.Response(body=text, status=status, content_type="application/problem+json", headers=headers)


def middleware(failed: Callable[[str, BaseException], None]) -> Any:
    @web.middleware
    async def problems(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except Problem as error:
            return problem(error.status, error.detail, error.headers, **error.more)
        except IntakeError as error:
            more: dict[str, Any] = {"field": error.field}
            if error.index is not None:
                more["index"] = error.index
            return problem(400, str(error), **more)
        except QueryError as error:
            return problem(400, str(error))
        except LogFull as error:
            return problem(429, f"{error}: try again later", {"Retry-After": f"{max(1, round(error.retry_after))}"})
        except (LogUnavailable, QueryStoreBusy) as error:
            return problem(503, str(error), {"Retry-After": "1"})
        except web.HTTPMethodNotAllowed as error:
            allowed = ", ".join(sorted(error.allowed_methods))
            return problem(405, f"{error.method} is not possible here: use {allowed}", {"Allow": allowed})
        except web.HTTPNotFound:
            return problem(404, f"there is nothing at {request.path}")
        except web.HTTPException as error:
            return problem(error.status, error.text or error.reason)
        except Exception as error:
            failed(f"api {request.method} {request.path}", error)
            return problem(500, "the server failed at this request; its log and /health say why")

    return problems


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _printable(inner) for key, inner in value.items()}
    return value
