"""What a model of pydantic refused, in the words of this project: what is wrong, and what to write instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_REMEDIES: Final = {
    "int_parsing": "write a whole number",
    "int_type": "write a whole number",
    "float_parsing": "write a number",
    "float_type": "write a number",
    "bool_parsing": "write true or false",
    "string_type": "write text",
    "list_type": "write a list",
    "greater_than_equal": "choose at least {ge}",
    "less_than_equal": "choose at most {le}",
    "greater_than": "choose more than {gt}",
    "literal_error": "choose {expected}",
    "enum": "choose {expected}",
    "string_too_long": "write at most {max_length} characters",
    "string_too_short": "write at least {min_length} characters",
    "too_long": "send at most {max_length}",
    "too_short": "send at least {min_length}",
    "missing": "it is needed",
}


def remedy(found: Mapping[str, Any], known: Mapping[str, str] | None = None) -> str:
    """For one of `ValidationError.errors()`. `known` says some kinds of error in other words."""
    words = {**_REMEDIES, **(known or {})}.get(found["type"])
    if words is None:
        text: str = found["msg"]
        return text.removeprefix("Value error, ")
    return words.format(**found.get("ctx", {})).replace("'", "")
