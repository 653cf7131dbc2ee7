"""The tests of every kind, for each of these. Named to pytest by `test_kit.py`; by itself it collects none of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from adapters.testing import DeliveryConformance, OtherEnd
from tests.adapters.faulty.kinds import KINDS
from tests.adapters.http_end import TOKEN, HttpEnd


class Posts(HttpEnd):
    secrets: Mapping[str, str] = MappingProxyType({"env:TOKEN": TOKEN})
    flood = 50

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind

    def target(self) -> dict[str, Any]:
        return {"kind": self._kind, "url": super().target()["url"], "secret": "env:TOKEN"}


class TestKinds(DeliveryConformance):
    @pytest.fixture(params=KINDS)
    def end(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[OtherEnd]:
        monkeypatch.setenv("SECRET_OF_ITS_OWN", TOKEN)
        end = Posts(request.param)
        yield end
        end.vanish()
