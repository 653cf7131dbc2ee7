"""docs/errors.md, written from the codes of problems: `python -m tests.docs.errors_page`."""

from orchestrator.api.codes import CODES
from tests.docs.pages import ROOT

PAGE = ROOT / "docs/errors.md"
HEAD = """# Errors

Made from the code by `python -m tests.docs.errors_page`; a test holds it up to date.

## Problems of the HTTP API

The member `code` of a problem says its cause; programs tell problems apart by it and by the status. `detail` says in
words what happened here.

"""
TAIL = """
What the HTTP server refuses before a route is found (a head that is no HTTP or too long, an unknown `Expect`) has no
code: it is 400 or 417 in plain text, and the connection is closed.

## Exit codes of commands

[Operating](operations/README.md#exit-codes) lists them. What a command prints on stderr says what to do.

## Errors of rule files

[What `rules check` says](diagnostics.md) has every code.

## Errors at start

A setting that cannot be used, a rule or targets file with a mistake, a log that cannot be opened: the server says
which, and what to do, and does not start. `orchestrator doctor` looks at all of it beforehand.
"""


def page() -> str:
    rows = [f"| `{name}` | {each.status} | {each.cause} | {each.remedy} |" for name, each in CODES.items()]
    return HEAD + "\n".join(["| code | status | cause | remedy |", "|---|---|---|---|", *rows]) + "\n" + TAIL


if __name__ == "__main__":
    PAGE.write_text(page())
