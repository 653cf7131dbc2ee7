"""Traces, if an endpoint is set: the only place outside of this folder's modules that knows of them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from orchestrator.settings import SettingsError

if TYPE_CHECKING:
    from orchestrator.traces.traces import Traces

_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def open_traces(endpoint: str | None, member: str) -> Traces | None:
    """None without an endpoint. Raises SettingsError if the extra is not installed."""
    if endpoint is None:
        return None
    if not all(map(_is_there, _NEEDED)):
        raise SettingsError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT={endpoint}: traces need an extra: "
            "pip install 'business-logic-orchestrator[otel]'; or leave it out"
        )
    from orchestrator.traces.traces import Traces

    return Traces(endpoint, member)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
