"""Our own kinds pass what we ask of those of others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from adapters.testing import DeliveryConformance, OtherEnd
from tests.adapters.http_end import HttpEnd


class TestWebhook(DeliveryConformance):
    @pytest.fixture
    def end(self) -> Iterator[OtherEnd]:
        receiver = HttpEnd()
        yield receiver
        receiver.vanish()


class Logged(OtherEnd):
    def __init__(self) -> None:
        self._lines = LogCapture()
        structlog.configure(processors=[self._lines], cache_logger_on_first_use=False)

    def target(self) -> dict[str, Any]:
        return {"kind": "log"}

    def received(self) -> list[str]:
        return [line["id"] for line in self._lines.entries]


class TestLog(DeliveryConformance):
    @pytest.fixture
    def end(self) -> Iterator[OtherEnd]:
        before = structlog.get_config()
        yield Logged()
        structlog.configure(**before)
