"""Links between pages lead somewhere, headings included, and every page can be reached from the README."""

import re
import unicodedata
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, name, prose

_LINK = re.compile(r"\]\(([^)\s]+)\)")


def links(page: Path) -> list[str]:
    return _LINK.findall(prose(page.read_text()))


def anchors(page: Path) -> set[str]:
    """As GitHub makes them from headings."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", prose(page.read_text()), re.MULTILINE):
        kept = [each for each in heading.lower() if each in " -_" or unicodedata.category(each)[0] in "LN"]
        found.add("".join(kept).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def test_every_page_is_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        waiting += [(page.parent / link.partition("#")[0]).resolve() for link in links(page) if "://" not in link]
    decisions = {page for page in PAGES if page.parent.name == "decisions"}
    assert set(PAGES) - decisions <= seen


def test_texts_that_name_a_file_of_the_repository_name_one_that_is_there() -> None:
    named = [
        (name(page), path)
        for page in PAGES
        for path in re.findall(r"`((?:docs|tests|examples|bench)/[\w./-]+)`", prose(page.read_text()))
    ]
    assert [(page, path) for page, path in named if not (ROOT / path).exists()] == []
