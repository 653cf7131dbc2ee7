"""Screenshots for the documentation: `python -m tests.console.screenshots [FOLDER]`, by default docs/images.

A server of its own is filled, and a Chromium looks at it. Into another folder all pages are written, dark and light,
for who changes them. Two runs differ in times and ids, so the pictures are made by hand when pages change.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Page, sync_playwright

from tests.console.browser import ARGUMENTS, chromium
from tests.console.scene import Scene, order

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDE = {"width": 1280, "height": 720}
FOR_CHARTS = 75.0
"""Seconds of traffic, so that charts have something to show."""


DOCUMENTED = (
    "overview-light",
    "commands-dark",
    "targets-light",
    "dry-run-light",
    "rows-dark",
    "rules-light",
    "trace-dark",
)
"""What the documentation shows; another folder gets all."""


def pages(scene: Scene) -> dict[str, str]:
    """Name of the picture → path."""
    parked = scene.get("/v1/commands?state=parked&rule=large-order")["commands"]
    return {
        "overview": "/",
        "events": "/console/events",
        "commands": "/console/commands?state=parked",
        "command": f"/console/commands/{parked[0]['id']}",
        "redrive": "/console/redrive?rule=large-order",
        "cancel": "/console/cancel?state=retrying",
        "targets": "/console/targets",
        "pause": "/console/targets/pause?name=office",
        "keys": "/console/keys",
        "skip": "/console/keys/skip?key=nuts",
        "projections": "/console/projections",
        "rows": "/console/projections/orders?status=open&sort=-total",
        "row": "/console/projections/row?" + urlencode({"name": "orders", "key": "A33"}),
        "rules": "/console/rules",
        "rule": "/console/rules/one?name=abroad",
        "dry-run": "/console/dry-run",
        "trace": "/console/trace?id=o22",
        "health": "/console/health",
    }


def take(scene: Scene, folder: Path, traffic: float) -> None:
    end = time.monotonic() + traffic
    number = 1000
    while time.monotonic() < end:
        scene.publish(*(order(each) for each in range(number, number + 40 + number % 70)))
        number += 200
        time.sleep(1)
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport=WIDE, color_scheme=scheme)  # type: ignore[arg-type]
            for name, path in pages(scene).items():
                if name == "targets":
                    pause(scene, "mail", number)
                    number += 40
                page.goto(scene.url + path)
                if name == "dry-run":
                    ask(page)
                page.wait_for_load_state("networkidle")
                if folder != IMAGES or f"{name}-{scheme}" in DOCUMENTED:
                    page.screenshot(path=folder / f"console-{name}-{scheme}.png")
                if name == "targets":
                    scene.post("/v1/targets/mail/resume")
        browser.close()


def pause(scene: Scene, target: str, number: int) -> None:
    """So that something waits for it."""
    scene.post(f"/v1/targets/{target}/pause", {"reason": "the mail server moves house until 18:00"})
    scene.publish(*(order(each) for each in range(number, number + 40)))
    scene.until(lambda: scene.get(f"/v1/targets/{target}")["commands"]["pending"] >= 40)


def ask(page: Page) -> None:
    page.fill("#event", '{"type": "order.placed", "subject": "A33",\n "data": {"total": 400, "customer": "c3"}}')
    page.click("text=Try it")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    with tempfile.TemporaryDirectory(prefix="orchestrator-scene-") as home:
        scene = Scene(Path(home))
        try:
            scene.fill()
            take(scene, folder, float(sys.argv[2]) if len(sys.argv) > 2 else FOR_CHARTS)
        finally:
            scene.stop()


if __name__ == "__main__":
    main()
