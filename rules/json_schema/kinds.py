"""The small things that schemas of larger ones refer to: texts of a wanted form, and what a schema is made of.

Patterns are in the part of regular expressions that JavaScript and Python share, and repeat what the readers of rule
files check. Where a text is wanted, a number or boolean will do: the readers take it as it is written.
"""

from __future__ import annotations

from typing import Any, Final

from rules.cel.scan import KEYWORDS, RESERVED
from rules.given import RESULTS
from rules.reading import event_types, names

Schema = dict[str, Any]

_ANY: Final = r"(?!orchestrator\.)(?!\.)(?!.*\.\.)[^\s,*]*[^\s,*.]"
_TYPE: Final = rf"(?!.*/[0-9]+$){_ANY}"
_UNIT: Final = r"[0-9]{1,18}(\.[0-9]{1,6})?"
_UNITS: Final = ("w", "d", "h", "m", "s", "ms", "us")
_DURATION: Final = "".join(f"({_UNIT}{unit})?" for unit in _UNITS)


def ref(name: str, description: str | None = None, **more: Any) -> Schema:
    said: Schema = {} if description is None else {"description": description}
    return {**said, "$ref": f"#/$defs/{name}", **more}


def record(fields: Schema, description: str | None = None, **more: Any) -> Schema:
    """A map of these keys and no others."""
    said: Schema = {} if description is None else {"description": description}
    return {**said, "type": "object", "additionalProperties": False, "properties": fields, **more}


def named(value: Schema, name: Schema | None = None, **more: Any) -> Schema:
    """A map whose keys are names that the author chooses."""
    keys = {} if name is None else {"propertyNames": name}
    return {"type": "object", **keys, "additionalProperties": value, **more}


def one_or_more(each: Schema) -> Schema:
    return {"anyOf": [each, {"type": "array", "minItems": 1, "items": each}]}


def _text(pattern: str, most: int | None = None, **more: Any) -> Schema:
    longest = {} if most is None else {"maxLength": most}
    return {"type": ["string", "number", "boolean"], "pattern": pattern, **longest, **more}


_IDENTIFIER: Final = "^[A-Za-z_][A-Za-z0-9_]*$"

KINDS: Final[Schema] = {
    "text": _text(r"\S"),
    "line": _text(r"^\S([^\r\n]*\S)?$", names.LONGEST),
    "expression": {
        "type": ["string", "number", "boolean"],
        "maxLength": 4000,
        "description": "A CEL expression, such as `event.data.amount > 100`. Numbers and booleans are themselves.",
    },
    "value": {"anyOf": [ref("expression"), {"type": "null"}], "description": "A CEL expression; `null` is null."},
    "payload": {
        "description": "A literal. Strings may hold `${ CEL }`: one that is a whole `${…}` keeps the value's type, "
        "anything around it makes a string, and `$${` is a literal `${`.",
    },
    "duration": {
        "type": "string",
        "pattern": f"^(?=.){_DURATION}$",
        "description": "`500ms`, `30s`, `10m`, `48h`, `60d`, `2w`, or a sum such as `1h30m`, the longest unit first.",
        "examples": ["30s", "10m", "48h", "60d"],
    },
    "some-time": {
        "allOf": [ref("duration"), {"pattern": "[1-9]"}],
        "description": "A duration of more than no time at all.",
    },
    "time": {
        "type": "string",
        "pattern": r"^[0-9]{4}-(0[1-9]|1[0-2])-[0-3][0-9][Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
        r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
        "description": "RFC 3339, such as `2024-01-31T12:30:00Z`, with `Z` or an offset.",
    },
    "event-type": {
        "anyOf": [_text(f"^{_TYPE}$", event_types.LONGEST), {"enum": [*RESULTS]}],
        "description": "An event type, such as `order.placed`. Of the system's own types only the results of commands.",
        "examples": ["order.placed", *RESULTS],
    },
    "own-type": {
        **_text(f"^{_TYPE}$", event_types.LONGEST),
        "description": "An event type, such as `order.placed`. Types that begin with `orchestrator.` are the system's.",
    },
    "versioned-type": {
        "anyOf": [ref("own-type"), _text(rf"^(?=.*/[1-9][0-9]{{0,2}}$){_ANY}$", event_types.LONGEST)],
        "description": "An event type, or one of its versions: `order.placed/2`.",
    },
    "pattern": {
        "anyOf": [
            ref("event-type"),
            _text(rf"^({_TYPE}\.)?\*$", event_types.LONGEST),
        ],
        "description": 'An event type, a prefix such as `payment.*`, or `"*"` for every business event.',
    },
    "patterns": one_or_more(ref("pattern")),
    "types": one_or_more(ref("event-type")),
    "plain-name": _text(r"^[A-Za-z0-9_][A-Za-z0-9_.:/\-]*$", names.LONGEST),
    "field-name": {"pattern": _IDENTIFIER, "maxLength": names.LONGEST},
    "variable-name": {
        "pattern": _IDENTIFIER,
        "maxLength": names.LONGEST,
        "not": {"enum": sorted({*names.VARIABLES, *RESERVED, *KEYWORDS})},
    },
    "title": {"pattern": r"^\S([^\r\n]*\S)?$", "maxLength": names.LONGEST},
    "values": {
        **named(ref("value"), ref("field-name")),
        "description": "Field → CEL expression.",
    },
    "by": {
        "anyOf": [ref("expression"), {**named(ref("expression"), ref("pattern")), "minProperties": 1}],
        "description": "The grouping key: CEL, or a map from event type to CEL. By default `event.subject`.",
    },
    "keep": {
        "allOf": [ref("some-time")],
        "description": "How long something untouched is remembered, on the clock of its key.",
    },
}
