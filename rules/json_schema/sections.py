"""The other sections of a file: `events:`, `projections:`, `tables:` and `tests:`."""

from __future__ import annotations

from typing import Final, get_args

from rules.json_schema.kinds import Schema, named, record, ref
from rules.model.event_schema import FieldKind
from rules.reading.projection import RESERVED_ENDINGS, RESERVED_PARAMETERS
from streams.event import TICK

_KINDS: Final = get_args(FieldKind)
_EXTENSION: Final = "^[a-z0-9]{1,20}$"

DEFS: Final[Schema] = {
    "field": {
        "anyOf": [
            {"enum": [*_KINDS, *(f"{kind}?" for kind in _KINDS)]},
            ref("shape"),
        ],
        "description": "The kind of a field; with `?` behind it if it may be absent.",
    },
    "shape": {
        **named(ref("field"), {"pattern": '^[^"\\\\\\u0000-\\u001f]*$'}),
        "description": "Field → kind. Fields that are not named may be there too.",
    },
    "event": {
        "type": ["object", "null"],
        "description": "The shape of the event's `data`.",
        "propertyNames": {"pattern": '^[^"\\\\\\u0000-\\u001f]*$'},
        "patternProperties": {
            "^from/[1-9][0-9]{0,2}$": {
                **named(ref("value")),
                "description": "How data of that version are brought up: field → CEL expression over the older event.",
            },
        },
        "additionalProperties": ref("field"),
    },
    "projection": record(
        {
            "description": ref("text", "What a row is."),
            "by": ref("by"),
            "fold": {
                **named(ref("values"), ref("event-type"), minProperties=1),
                "description": "Exact event type → the fields that it sets. All see the row before the event as `row`.",
            },
            "initial": ref("values", "The row before its first event."),
            "delete": ref("types", "Event types that delete the row."),
            "index": {
                "type": "array",
                "uniqueItems": True,
                "items": {
                    "allOf": [
                        ref("text"),
                        {"not": {"enum": sorted(RESERVED_PARAMETERS)}},
                        {"not": {"pattern": f"({'|'.join(RESERVED_ENDINGS)})$"}},
                    ]
                },
                "description": "Fields that queries may filter and sort by.",
            },
            "keep": ref("keep", "How long a row that nothing touches stays."),
            "scope": {
                "enum": ["key", "everywhere"],
                "default": "key",
                "description": "`everywhere`: small rows copied to every partition, read by any rule as `name[key]`.",
            },
        },
        "Keyed state, folded from events: queryable over HTTP, readable by rules.",
        required=["fold"],
    ),
    "table": record(
        {
            "description": ref("text", "What the table decides."),
            "inputs": {
                "type": "array",
                "minItems": 1,
                "items": ref("expression"),
                "description": "What the cells of each row look at, in order.",
            },
            "outputs": {
                "type": "array",
                "minItems": 1,
                "uniqueItems": True,
                "items": {"type": "string", **ref("field-name")},
                "description": "The names of what rows may say.",
            },
            "hit": {
                "enum": ["first", "collect"],
                "default": "first",
                "description": "`first` stops at the first row that fits; `collect` is a list of all that do.",
            },
            "rows": {
                "type": "array",
                "minItems": 1,
                "items": ref("row"),
                "description": "A cell for each input, then a map of outputs.",
            },
        },
        "A decision table: read in `let`, as `risk: tables.risk`.",
        required=["inputs", "outputs", "rows"],
    ),
    "row": {
        "type": "array",
        "minItems": 2,
        "items": {"anyOf": [ref("cell"), {"type": "object", "additionalProperties": ref("payload")}]},
        "contains": {"type": "object"},
        "maxContains": 1,
    },
    "cell": {
        "type": ["string", "number", "boolean"],
        "description": "`-` for anything, a comparison without its left side (`>= 100`, `!= 'gold'`), `in […]`, "
        "a range (`[1..10)`), or a literal.",
    },
    "given": {
        "type": "object",
        "required": ["type"],
        "description": "An event as producers send it; `id` and `source` may be missing.",
        "properties": {
            "type": {
                "anyOf": [ref("event-type"), {"const": TICK}],
                "description": "The event's type; `orchestrator.tick` moves the clock.",
            },
            "subject": ref("attribute"),
            "time": ref("time", "When it happened."),
            "data": {"description": "The event's data, as JSON."},
            "id": ref("attribute"),
            "source": ref("attribute"),
            "specversion": {"enum": ["1.0", 1.0], "description": "Always 1.0."},
            "partitionkey": ref("attribute"),
            "dataschema": ref("attribute", "The version of the event's schema."),
        },
        "propertyNames": {"pattern": _EXTENSION},
        "additionalProperties": {"type": ["string", "integer", "boolean", "null"]},
    },
    "attribute": {"type": ["string", "number", "boolean", "null"]},
    "expected": record(
        {
            "command": ref("attribute", "The command's name."),
            "to": ref("attribute", "Its target."),
            "at": ref("time", "The firing time."),
            "args": {"type": "object", "description": "All its arguments."},
            "rule": ref("attribute", "The rule that fired."),
            "key": ref("attribute", "The key under which it fired."),
            "cause": ref("attribute", "The id of the event that caused it."),
            "id": ref("attribute", "The command's id."),
            "shadow": {"type": "boolean", "description": "Whether a shadow rule said it."},
        },
        "A command, compared on the fields that are named.",
        minProperties=1,
    ),
    "test": record(
        {
            "description": ref("text", "What the test shows."),
            "given": {"type": "array", "items": ref("given"), "description": "Events, in order."},
            "until": ref("time", "Up to when time passes; by default the greatest time given."),
            "expect": {
                "type": "array",
                "items": ref("expected"),
                "description": "Every command that is decided, in any order; `[]` says that nothing happens.",
            },
        },
        "Given events, until a time, expect exactly these commands.",
        required=["given", "expect"],
    ),
}
