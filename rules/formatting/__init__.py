"""One form for rule files: `orchestrator rules fmt`.

The form is about white space, the order of keys and empty lines; texts, quotes and comments stay as they are. It is
made from the same tree that the loader reads, so that no value is read in two ways, and what comes out is read again
before anybody gets it: `FormatError` instead of rules that say something else, or of a lost comment.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from rules import cel
from rules.diagnostics import Findings
from rules.formatting import layout
from rules.formatting.comments import scalars, texts
from rules.formatting.pieces import pieces
from rules.model.source import Span, Written
from rules.reading.document import Document, document
from rules.reading.reader import Reader
from rules.text.nodes import Mapping, Node, Scalar, Sequence
from rules.text.source import Source, decode
from rules.text.yaml import compose


class FormatError(Exception):
    """The file cannot be put into form. The message says why."""


def formatted(name: str, body: bytes) -> str:
    """The text of a rule file in its form: JSON if its name ends so, else YAML.

    Raises RuleErrors for what cannot be read by itself (mistakes that only the other files of a rule set show are none
    here), and FormatError."""
    findings = Findings((name,))
    source = decode(name, body, findings)
    findings.raise_errors()
    assert source is not None
    ends = "\r\n" if "\r\n" in source.text else "\n"
    # line ends mean the same in YAML, so places and values stay
    text = source.text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        return ""
    root, before = _read(name, text, findings)
    findings.raise_errors()
    if root is None:
        return text
    comments = texts(text, root)
    if name.lower().endswith(".json"):
        made = _as_json(text, root, comments)
    else:
        made = layout.yaml(text, pieces(text, root))
    again, after = _read(name, made, findings)
    if findings.errors or again is None or said(before) != said(after):
        raise FormatError("its form would not say the same, so it is left as it is")
    if texts(made, again) != comments:
        raise FormatError("a comment would be lost, so it is left as it is")
    return made.replace("\n", ends)


def _read(name: str, text: str, findings: Findings) -> tuple[Node | None, Document | None]:
    source = Source(name, text)
    root = compose(source, findings)
    return root, None if root is None else document(Reader(source, findings), root, 0, 0)


def _as_json(text: str, root: Node, comments: list[str]) -> str:
    if comments:
        raise FormatError("JSON has no comments: name the file `.yaml`, or take them out")
    one_line = all("\n" not in text[scalar.start : scalar.end] for scalar in scalars(root))
    if text[root.start : root.start + 1] != "{" or not one_line:
        raise FormatError("it is YAML and no JSON: name the file `.yaml`")
    return layout.json(text, pieces(text, root))


def said(value: Any) -> Any:
    """What a model says, without the places at which it stands: two texts that mean the same give equal ones."""
    if isinstance(value, (Span, Written, Reader, Scalar, Sequence, Mapping)):
        return None
    if isinstance(value, cel.Template):
        return value.text
    if isinstance(value, cel.Node):
        return None  # its text stands beside it
    if is_dataclass(value):
        return [type(value).__name__, *(said(getattr(value, field.name)) for field in fields(value))]
    if isinstance(value, dict):
        return [[key, said(each)] for key, each in value.items()]
    if isinstance(value, (list, tuple)):
        return [said(each) for each in value]
    return [type(value).__name__, value]
