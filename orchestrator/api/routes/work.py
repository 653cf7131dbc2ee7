"""`POST /v1/commands/lease` and what follows it: workers elsewhere take commands and say what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from aiohttp import web

from adapters import results
from adapters.turn import Told
from adapters.work import Outcome, Verdict, Work
from orchestrator.api.asked import document
from orchestrator.api.context import CONTEXT
from orchestrator.api.models import work as models
from orchestrator.api.problem import Problem, answer
from orchestrator.api.route import Parameter, Route, json
from orchestrator.door import tokens
from orchestrator.door.door import (
    DeliveredHereError,
    Settlement,
    StoppingError,
    TooManyWaitingError,
    UnknownTargetError,
)
from orchestrator.door.wire import Answer, Asked
from streams import rfc3339

LOST: Final = (
    "the lease of this command is over, was given to another, or never had this token: nothing was changed; drop the "
    "command, it comes again if it is not done"
)
NOBODY: Final = (
    "nobody delivers from the partition of this command at the moment, or the log does not answer: send the same again"
)


async def lease(request: web.Request) -> web.Response:
    asked = await document(request, models.LeaseAsked)
    door = request.app[CONTEXT].door
    with _refusals():
        worker = asked.worker or request.remote or ""
        works = await door.lease(Asked(asked.target, asked.limit, asked.lease, asked.wait, worker))
    if works and (request.transport is None or request.transport.is_closing()):
        await door.give_back(works)  # whoever asked went away while it waited
        works = []
    return answer(200, {"commands": [_leased(work) for work in works]})


async def ack(request: web.Request) -> web.Response:
    asked = await document(request, models.Acked)
    outcome = Outcome(Verdict.DONE, result=asked.result, status=asked.status, took=asked.took)
    return await _settled(request, asked, outcome)


async def fail(request: web.Request) -> web.Response:
    asked = await document(request, models.Failed)
    verdict = Verdict(asked.verdict or ("final" if asked.final else "retry"))
    return await _settled(request, asked, _outcome(verdict, asked))


async def extend(request: web.Request) -> web.Response:
    asked = await document(request, models.Extended)
    told = await _told(request, asked, Outcome(Verdict.HELD, retry_after=asked.lease))
    held = {"token": asked.token, "deadline": rfc3339.format(told.deadline)}
    return answer(200, {"id": request.match_info["id"], **held})


async def outcomes(request: web.Request) -> web.Response:
    asked = await document(request, models.Outcomes)
    said = [Settlement(each.id, each.token, _outcome(Verdict(each.verdict), each)) for each in asked.outcomes]
    found = await request.app[CONTEXT].door.settle(said, asked.worker)
    answers = [_answered(each.id, answered) for each, answered in zip(asked.outcomes, found, strict=True)]
    return answer(200, {"answers": answers})


async def _settled(request: web.Request, asked: models.Acked | models.Failed, outcome: Outcome) -> web.Response:
    told = await _told(request, asked, outcome)
    return answer(200, {"id": request.match_info["id"], "state": told.state.value})


async def _told(request: web.Request, asked: models.Acked | models.Failed | models.Extended, outcome: Outcome) -> Told:
    said = Settlement(request.match_info["id"], asked.token, outcome)
    (found,) = await request.app[CONTEXT].door.settle([said], asked.worker)
    if not found.known:
        raise Problem(503, NOBODY, headers={"Retry-After": "1"})
    if found.told is None:
        raise Problem(409, LOST, code="lease-lost")
    return found.told


def _answered(id: str, found: Answer) -> dict[str, Any]:
    if not found.known:
        return {"id": id, "error": "unavailable", "detail": NOBODY}
    if found.told is None:
        return {"id": id, "error": "lease-lost", "detail": LOST}
    return {"id": id, "state": found.told.state.value}


def _outcome(verdict: Verdict, asked: models.Failed | models.Outcome) -> Outcome:
    """Raises Problem 413."""
    if asked.progress is not None and len(msgspec.json.encode(asked.progress)) > results.LARGEST:
        raise Problem(413, f"`progress` has more than the {results.LARGEST:,} bytes allowed", field="progress")
    return Outcome(
        verdict,
        asked.reason,
        asked.result,
        asked.retry_after,
        asked.status,
        asked.took,
        asked.progress,
    )


def _leased(work: Work) -> dict[str, Any]:
    found = {
        "id": work.id,
        "token": tokens.write(work),
        "attempt": work.attempt,
        "deadline": rfc3339.format(work.deadline),
        "target": work.target,
        "command": msgspec.Raw(work.body),
        "headers": dict(work.headers),
        "timeout": work.timeout or None,
    }
    if work.progress:
        found["progress"] = msgspec.Raw(work.progress)
    if work.attempts_before:
        found["attempts_before"] = work.attempts_before
    return found


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except UnknownTargetError as error:
        raise Problem(404, str(error), field="target") from error
    except DeliveredHereError as error:
        raise Problem(409, str(error), field="target") from error
    except StoppingError as error:
        # Who asks again at once over this connection would come here again, for as long as requests are still taken.
        raise Problem(503, str(error), headers={"Retry-After": "1", "Connection": "close"}) from error
    except TooManyWaitingError as error:
        raise Problem(503, str(error), code="too-many", headers={"Retry-After": "1"}) from error


_ID: Final = (Parameter("id", "path", "of the command", "^[0-9a-f]+$"),)
_SETTLED: Final = {200: json(models.Settled, "it is stored; the same again is answered with the same")}
ROUTES: Final = (
    Route(
        "POST",
        "/v1/commands/lease",
        lease,
        "Takes commands of a target for a time, for a worker that delivers them",
        body=json(models.LeaseAsked),
        answers={200: json(models.Leases, "those that are the worker's now")},
        problems=(404, 409, 503),
    ),
    Route(
        "POST",
        "/v1/commands/outcomes",
        outcomes,
        "Says of many leased commands what became of each",
        body=json(models.Outcomes),
        answers={200: json(models.OutcomeAnswers, "what is stored, and what was refused")},
        problems=(413,),
    ),
    Route(
        "POST",
        "/v1/commands/{id:[0-9a-f]+}/ack",
        ack,
        "Says that a leased command is done",
        parameters=_ID,
        body=json(models.Acked),
        answers=_SETTLED,
        problems=(409, 503),
    ),
    Route(
        "POST",
        "/v1/commands/{id:[0-9a-f]+}/fail",
        fail,
        "Says that a leased command is not done, and whether to try again",
        parameters=_ID,
        body=json(models.Failed),
        answers=_SETTLED,
        problems=(409, 413, 503),
    ),
    Route(
        "POST",
        "/v1/commands/{id:[0-9a-f]+}/extend",
        extend,
        "Keeps a leased command for longer, from now",
        parameters=_ID,
        body=json(models.Extended),
        answers={200: json(models.Held, "the token, and until when it holds")},
        problems=(409, 503),
    ),
)
