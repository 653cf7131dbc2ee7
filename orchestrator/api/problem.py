"""Errors as `application/problem+json` (RFC 9457), for every answer that is not a success.

Handlers raise `Problem`, or let typed errors of lower packages through; the middleware turns both into answers. What
nobody expected is answered with 500 without its text, and reported to `failed`: metrics, log and /health.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
import orjson
from aiohttp import web

from adapters.errors import DeliveryError
from orchestrator.api.codes import BY_STATUS
from orchestrator.places import LostPlace, PlaceError
from projections.query import QueryError
from projections.store import QueryStoreUnavailable
from streams.intake import IntakeError
from streams.log import LogFull, LogUnavailable


class Problem(Exception):
    """Answered as it is. `code` is one of `codes.py`, by default its status' own; `more` are members beside type,
    title, status, code and detail."""

    def __init__(
        self, status: int, detail: str, *, headers: dict[str, str] | None = None, code: str = "", **more: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers
        self.more = {"code": code, **more} if code else more


def answer(status: int, document: Any, headers: dict[str, str] | None = None) -> web.Response:
    # Rows and results may hold integers of any size, which orjson refuses.
    body = msgspec.json.encode(document)
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> web.Response:
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": BY_STATUS.get(status, "refused"),
        "detail": detail,
        **more,
    }
    # User text may hold lone surrogates, which are no JSON text: backslashes show them.
    text = orjson.dumps(printable(document))
    return web.Response(body=text, status=status, content_type="application/problem+json", headers=headers)


def middleware(failed: Callable[[str, BaseException], None], over: Callable[[web.Request], None]) -> Any:
    """`over` is told of each request that has its answer."""

    @web.middleware
    async def problems(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            _check_path(request.raw_path)
            return await handler(request)
        except Problem as error:
            return problem(error.status, error.detail, error.headers, **error.more)
        except IntakeError as error:
            more: dict[str, Any] = {"code": "bad-event", "field": error.field}
            if error.index is not None:
                more["index"] = error.index
            return problem(400, str(error), **more)
        except QueryError as error:
            blamed = {"field": error.field} if error.field else {}
            return problem(400, str(error), None, code="bad-question", **blamed)
        except PlaceError as error:
            return problem(400, str(error), code="bad-question")
        except LostPlace as error:
            fork = {"generation": error.fork.generation, "partition": error.fork.partition, "offset": error.fork.offset}
            return problem(409, str(error), code="position-lost", fork=fork)
        except LogFull as error:
            return problem(429, f"{error}: try again later", {"Retry-After": f"{max(1, round(error.retry_after))}"})
        except (LogUnavailable, QueryStoreUnavailable, DeliveryError) as error:
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
        finally:
            over(request)

    return problems


def _check_path(path: str) -> None:
    """Bytes that are no UTF-8 would reach the routes in two readings that nobody can tell apart. Raises Problem."""
    if "%" in path or not path.isascii():
        try:
            unquote_to_bytes(path).decode()
        except UnicodeError:
            raise Problem(400, "the path or its query is not UTF-8 when percent-decoded: send UTF-8") from None


def printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: printable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [printable(inner) for inner in value]
    return value
