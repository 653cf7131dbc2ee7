"""One server and one browser for all tests of a process; each test has a tab of its own, which may not complain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.console.browser import ARGUMENTS, chromium, complaints
from tests.console.scene import Scene


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("scene"))
    try:
        made.fill()
        yield made
    finally:
        made.stop()


# While Playwright's own event loop is there, tests of other modules can run none: it ends with the module.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, scene: Scene) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=scene.url)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    found = complaints(page)
    yield page
    assert found == []


@pytest.fixture
def plain(browser: Browser, scene: Scene) -> Iterator[Page]:
    """A tab that runs no scripts."""
    context = browser.new_context(base_url=scene.url, java_script_enabled=False)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def axe() -> str:
    return (Path(__file__).parent / "vendor" / "axe-core-4.14.1" / "axe.min.js").read_text()
