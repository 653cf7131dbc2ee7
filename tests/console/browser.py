"""Where the browser is, and what it is told."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from playwright.sync_api import Page

FINDER = Path(__file__).parents[1] / "services" / "chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=en-US",
]


@cache
def chromium() -> str:
    """The path of a Chromium; the finder installs one where it may. Raises CalledProcessError, and stderr says why."""
    found = subprocess.run([str(FINDER)], stdout=subprocess.PIPE, check=True, text=True, timeout=600)
    return found.stdout.strip()


def complaints(page: Page) -> list[str]:
    """Filled with all that the browser complains of: errors of scripts, what the policy for content refused, files that
    are not there. Answers to what a test itself asks wrongly are the test's to look at."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found
