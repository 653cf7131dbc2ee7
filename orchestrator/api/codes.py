"""The codes of problems: what programs tell them apart by, and what docs/errors.md explains.

A code stands for a cause; texts (`detail`) may change with versions, codes do not.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Code(NamedTuple):
    status: int
    cause: str
    remedy: str


CODES: Final = {
    "bad-request": Code(
        400,
        "A parameter, a field or the form of the request is not what the route takes; `field` names it.",
        "Send what `detail` says. Sending the same again ends the same way.",
    ),
    "bad-event": Code(
        400,
        "An event breaks a rule: `field` is the attribute, `index` that in a batch, `line` that in an import.",
        "Mend the event; nothing of the request was stored.",
    ),
    "bad-question": Code(
        400,
        "A filter, an order, a cursor or a position makes no sense for this projection or this log.",
        "`detail` says what can be asked; an unindexed field goes into `index:` of its projection.",
    ),
    "other-page": Code(
        403,
        "A page of another origin sent it through somebody's browser; nothing was done.",
        "`ORCHESTRATOR_CORS_ORIGINS` names origins whose pages may act.",
    ),
    "not-found": Code(
        404,
        "Nothing has that address or id.",
        "Look it up in the list. What was just accepted may be shown a moment later.",
    ),
    "no-row": Code(
        404,
        "The projection has no row of this key, as of `as_of`.",
        "Ask with `min_position` if the event that makes it was just published.",
    ),
    "method-not-allowed": Code(
        405, "The address exists, the method does not.", "Use one of those in the header `Allow`."
    ),
    "late-body": Code(
        408, "The body did not arrive within 30 seconds.", "Send it again, in smaller parts over a slow line."
    ),
    "conflict": Code(
        409,
        "What is there does not allow it: another import, another state of the command.",
        "Look at its state, then decide.",
    ),
    "lease-lost": Code(
        409,
        "The lease of the command is over, was given to another, or its outcome is settled; nothing was changed.",
        "Drop the command: if it is not done, it comes again. Take fewer at once, or extend in time.",
    ),
    "position-lost": Code(
        409,
        "The log lost events that it had answered for, after a failover of Redis; `fork` says where it goes on.",
        "Publish again what was answered beyond `fork.offset`, and read on from there.",
    ),
    "too-large": Code(413, "More bytes, events or lines than one request may have.", "Send it in parts."),
    "unsupported": Code(
        415, "A media type, charset or encoding that the server does not read.", "Send JSON in UTF-8, plain or as gzip."
    ),
    "full": Code(
        429,
        "The log has no room, or too much waits for its append. What is there is being worked off.",
        "Wait as long as `Retry-After` says, and send the same again.",
    ),
    "failed": Code(
        500,
        "The server met what nobody expected; its log has it under the answer's `X-Request-Id`.",
        "Report it with that log line. Publishing the same again is safe.",
    ),
    "unavailable": Code(
        503,
        "The log or the query tables do not answer, or the server stops.",
        "Send it again after `Retry-After`; `/health` says what is wrong.",
    ),
    "too-many": Code(
        503,
        "As many streams, large bodies, requests for work, traces or lists of events are under way as there may be.",
        "Try again after `Retry-After`; `ORCHESTRATOR_STREAMS` allows more streams.",
    ),
    "not-yet": Code(
        504,
        "What was asked for will happen, but has not within the time that the server waits.",
        "Ask again after `Retry-After`: for a position the answer says how far it came (`as_of`).",
    ),
}
BY_STATUS: Final = {
    400: "bad-request",
    403: "other-page",
    404: "not-found",
    405: "method-not-allowed",
    408: "late-body",
    409: "conflict",
    413: "too-large",
    415: "unsupported",
    429: "full",
    500: "failed",
    503: "unavailable",
    504: "not-yet",
}
"""Where a problem says nothing else. Others are what aiohttp itself refuses."""
