"""Diagnostics as SARIF 2.1.0, the form in which code hosts and editors take the findings of checkers.

Every code of the catalogue is there as rule metadata, found or not. Regions count lines and columns from 1, in code
points, and end behind the last character meant, as diagnostics do. Fingerprints leave lines out, so that a finding is
known again when text above it grows.

Source: OASIS, Static Analysis Results Interchange Format 2.1.0, sections 3.13 to 3.49.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

import orjson

from rules.codes import CATALOGUE, Code
from rules.diagnostics import Diagnostic

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
BASE: Final = "SRCROOT"
FINGERPRINT: Final = "findingWithoutLine/v1"

_PLACES: Final = {code.id: place for place, code in enumerate(CATALOGUE)}


def sarif(diagnostics: Iterable[Diagnostic], paths: Mapping[str, str], version: str) -> dict[str, Any]:
    """One run. `paths` gives for the name of a file its path relative to where the checker was called, with `/`; a path
    that begins with `/` becomes a `file:` URI, and a name without one stands for itself."""
    seen: dict[str, int] = {}
    found = list(diagnostics)
    failed = any(each.severity == "error" for each in found)
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "orchestrator rules check",
                        "semanticVersion": version,
                        "rules": [_rule(code) for code in CATALOGUE],
                    }
                },
                "invocations": [{"executionSuccessful": True, "exitCode": int(failed)}],
                "columnKind": "unicodeCodePoints",
                "results": [_result(each, paths.get(each.file, each.file), seen) for each in found],
            }
        ],
    }


def _rule(code: Code) -> dict[str, Any]:
    return {
        "id": code.id,
        "shortDescription": {"text": f"{code.short}."},
        "fullDescription": {"text": code.help},
        "help": {"text": code.help, "markdown": code.help},
        "defaultConfiguration": {"level": code.severity},
    }


def _result(each: Diagnostic, path: str, seen: dict[str, int]) -> dict[str, Any]:
    text = each.message if each.hint is None else f"{each.message}: {each.hint}"
    region: dict[str, Any] = {
        "startLine": each.line,
        "startColumn": each.column,
        "endLine": each.line,
        "endColumn": each.end_column,
    }
    if each.source_line:
        region["snippet"] = {"text": each.source_line[each.column - 1 : each.end_column - 1]}
    return {
        "ruleId": each.code,
        "ruleIndex": _PLACES[each.code],
        "level": each.severity,
        "message": {"text": text},
        "locations": [{"physicalLocation": {"artifactLocation": _artifact(path), "region": region}}],
        "partialFingerprints": {FINGERPRINT: _fingerprint(each, path, seen)},
    }


def _artifact(path: str) -> dict[str, str]:
    if path.startswith("/"):
        return {"uri": "file://" + quote(path)}
    # the first segment must not look like a scheme
    return {"uri": quote(path), "uriBaseId": BASE}


def _fingerprint(each: Diagnostic, path: str, seen: dict[str, int]) -> str:
    """Of what is said and where, but for the line. Equal ones are told apart by their order."""
    said = orjson.dumps([each.code, path, each.message, each.source_line.strip()])
    plain = hashlib.blake2b(said, digest_size=16).hexdigest()
    count = seen[plain] = seen.get(plain, 0) + 1
    return f"{plain}:{count}"
