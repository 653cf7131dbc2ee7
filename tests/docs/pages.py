"""Pages of documentation as tests see them: fenced blocks with their language, title and flags, tables, and links.

A block that cannot run says why in a comment right above its fence: `<!-- not run: the reason -->`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted(
    [
        *(ROOT / each for each in ("README.md", "CONTRIBUTING.md", "client/README.md")),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
    ]
)
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<body>.*?)^(?P=indent)```[ ]*$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"<!-- not run: (?P<why>[^>]*\S) -->\n\s*\Z")
_TITLE = re.compile(r'title="(?P<title>[^"]+)"')


@dataclass(frozen=True)
class Block:
    language: str
    title: str
    flags: frozenset[str]
    body: str
    line: int
    not_run: str
    """Why it is not run; "" if it is."""


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(text: str) -> Iterator[Block]:
    for found in _FENCE.finditer(text):
        info = found["info"].strip()
        title = _TITLE.search(info)
        language, *flags = _TITLE.sub("", info).split() or [""]
        reason = _NOT_RUN.search(text[: found.start()])
        yield Block(
            language,
            title["title"] if title else "",
            frozenset(flags),
            found["body"],
            text.count("\n", 0, found.start()) + 1,
            reason["why"] if reason else "",
        )


def prose(text: str) -> str:
    """Without fenced blocks."""
    return _FENCE.sub("", text)


def table(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading."""
    _, found, below = text.partition(f"\n{heading}\n")
    assert found, f"there is no heading {heading!r}"
    rows: list[list[str]] = []
    for line in below.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif rows or line.startswith("#"):
            break
    assert len(rows) > 2, f"there is no table under {heading!r}"
    return rows[2:]


def code(cell: str) -> str:
    """The first `…` of a cell."""
    found = re.search(r"`([^`]+)`", cell)
    assert found, f"{cell!r} holds no code"
    return found[1]
