"""`rules:`: what a rule can say, and what its actions can."""

from __future__ import annotations

from typing import Final

from rules.json_schema.kinds import Schema, named, record, ref

_COUNT: Final[Schema] = {"type": "integer", "minimum": 1}
_LIMIT: Final[Schema] = {
    **_COUNT,
    "description": "How many events a key may hold at most, by default 10,000; beyond that the oldest are dropped.",
}

WINDOW: Final[Schema] = {
    "description": "Which events of the key are looked at together. A duration is an exact sliding window that ends "
    "at the event.",
    "anyOf": [
        ref("some-time"),
        record(
            {"last": {**_COUNT, "maximum": 100_000, "description": "So many events, by arrival; fewer at the start."}},
            required=["last"],
        ),
        record(
            {
                "sliding": ref("some-time", "The window that ends at the event."),
                "step": ref("some-time", "One bucket a step, for long or crowded windows, aligned to 1970."),
                "limit": _LIMIT,
            },
            required=["sliding"],
        ),
        record(
            {"tumbling": ref("some-time", "Windows side by side, aligned to 1970; fires at the end."), "limit": _LIMIT},
            required=["tumbling"],
        ),
        record(
            {"session": ref("some-time", "Fires once the key has been quiet that long."), "limit": _LIMIT},
            required=["session"],
        ),
    ],
    "examples": ["10m", {"last": 100}, {"sliding": "24h", "step": "15m"}, {"tumbling": "1h"}, {"session": "30m"}],
}

_STEP: Final[Schema] = {
    "on": ref("patterns", "Event types that fit this step."),
    "when": ref("expression", "Sees the event under the step's name and as `event`, and earlier steps by name."),
}

_DELIVERY: Final[Schema] = {
    "timeout": ref("some-time", "How long one attempt may take; at most 10m."),
    "expires": ref("some-time", "How long after the firing it is given up."),
    "order": {"const": "key", "description": "One at a time for each key, in the order of the firings."},
    "fallback": ref("actions", "Actions that run when it is parked or expires; rendered at the firing."),
}

DEFS: Final[Schema] = {
    "window": WINDOW,
    "step": {
        **named(
            record({**_STEP, "times": {**_COUNT, "description": "How many fitting events it takes."}}, required=["on"]),
            ref("variable-name"),
            minProperties=1,
            maxProperties=1,
            properties={
                "not": record(_STEP, "Ends matches that wait for the step behind it.", required=["on"]),
            },
        ),
        "description": "A name, and what the step takes: `- failed: {on: login.failed}`.",
    },
    "command": record(
        {
            "command": ref("plain-name", "The command's name."),
            "to": ref("plain-name", "The target whose adapter delivers it."),
            "args": {
                "type": "object",
                "description": "What the target gets. Strings may hold `${ CEL }`.",
                "propertyNames": {"not": {"pattern": r"\$\{"}},
                "additionalProperties": ref("payload"),
            },
            **_DELIVERY,
        },
        "A command that the target's adapter delivers.",
        required=["command", "to"],
    ),
    "emit": record(
        {
            "emit": ref("own-type", "The type of a derived event, to which rules may react."),
            "subject": {
                "type": ["string", "number", "boolean"],
                "description": "Text that may hold `${ CEL }`; by default the event's subject.",
            },
            "data": ref("payload", "The event's data. Strings may hold `${ CEL }`."),
        },
        "A derived event.",
        required=["emit"],
    ),
    "alert": record(
        {
            "alert": ref("text", "Text that may hold `${ CEL }`; it goes to the target named `alerts`."),
            "severity": ref("text", "By default `warning`."),
            **_DELIVERY,
        },
        "Shorthand for a command to the target named `alerts`.",
        required=["alert"],
    ),
    "action": {
        "type": "object",
        "anyOf": [ref("command"), ref("emit"), ref("alert")],
    },
    "actions": {"type": "array", "minItems": 1, "items": ref("action"), "description": "Done in order, all or none."},
    "unless": {
        "anyOf": [
            ref("patterns"),
            record(
                {
                    "on": ref("patterns", "Event types that cancel."),
                    "when": ref("expression", "Sees the cancelling `event` and the opening one as `start`."),
                },
                required=["on"],
            ),
        ],
    },
    "rule": record(
        {
            "description": ref("text", "What the rule is for."),
            "on": ref("patterns", 'The event types that it listens to: one, a list, a prefix `payment.*`, or `"*"`.'),
            "by": ref("by"),
            "when": ref("expression", "A condition on the event, `let` values, tables and rows of the same key."),
            "let": {
                **named(ref("value"), ref("variable-name")),
                "description": "Named values, in order, as they are when the rule meets the event.",
            },
            "over": ref("window"),
            "having": ref(
                "expression",
                "The condition on the window: `count()`, `sum(x)`, `avg(x)`, `min(x)`, `max(x)`, `distinct(x)`, "
                "`first(x)`, `last(x)`.",
            ),
            "after": ref("duration", "A deadline: how long after the event the rule fires."),
            "unless": ref("unless", "Events that cancel the deadline if they come first."),
            "pending": {
                "enum": ["each", "first", "latest"],
                "description": "Which deadlines of a key count: `each` event's own, the `first`, or the `latest`.",
                "default": "each",
            },
            "sequence": {
                "type": "array",
                "minItems": 1,
                "items": ref("step"),
                "description": "Steps, one after the other, each with a name: A, then B, then C.",
            },
            "within": ref("some-time", "How long after the first event of a sequence the last one may come."),
            "settle": ref("some-time", "Fire once the key has been quiet that long, with the last event."),
            "once_within": ref("some-time", "Fire, then stay silent for that long, per key."),
            "once": {"type": "boolean", "description": "Fire once per key, and then never again."},
            "keep": ref("keep", "How long `once: true` is remembered."),
            "priority": {
                "type": "integer",
                "default": 0,
                "description": "Higher fires first; equal ones in file order.",
            },
            "enabled": {"type": "boolean", "default": True, "description": "`false`: the rule is not evaluated."},
            "shadow": {
                "type": "boolean",
                "default": False,
                "description": "Evaluated and recorded; its commands are not delivered and its `emit` appends nothing.",
            },
            "then": ref("actions", "What a firing does."),
        },
        required=["then"],
        oneOf=[{"required": ["on"]}, {"required": ["sequence"]}],
        dependentSchemas={
            "keep": {"required": ["once"], "properties": {"once": {"const": True}}},
            "once_within": {"properties": {"once": {"const": False}}},
            "over": {"not": {"anyOf": [{"required": ["after"]}, {"required": ["sequence"]}]}},
            "after": {"not": {"required": ["sequence"]}},
        },
        dependentRequired={
            "having": ["over"],
            "unless": ["after"],
            "pending": ["after"],
            "within": ["sequence"],
            "sequence": ["within"],
        },
    ),
}
