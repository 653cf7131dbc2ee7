"""The kind `temporal`: from what a targets file says to an adapter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from temporalio.converter import DataConverter
from temporalio.service import TLSConfig

from adapters import imports
from adapters.kind import FieldError, Kind, Surroundings
from adapters.secrets import resolve
from adapters.targets.temporal.adapter import TemporalAdapter, TemporalOptions
from adapters.targets.temporal.connection import ConnectionOptions
from adapters.targets.temporal.model import TemporalModel
from adapters.targets.temporal.plan import Plan
from adapters.tls import make_context
from adapters.tls_model import TlsModel


def _make(name: str, model: TemporalModel, around: Surroundings) -> Callable[[], TemporalAdapter]:
    connection = ConnectionOptions(
        model.address,
        model.namespace,
        _api_key(model, around),
        _tls(model.tls, around) if model.tls is not None else (False if "tls" in model.model_fields_set else None),
        _converter(model, around),
    )
    options = TemporalOptions(connection, Plan.of(model), model.timeout, model.poll)
    return lambda: TemporalAdapter(options)


def _api_key(model: TemporalModel, around: Surroundings) -> str | None:
    if model.api_key is None:
        return None
    key = resolve(model.api_key, ("api_key",), around.secret)
    if not (key.isascii() and key.isprintable()):
        raise FieldError(("api_key",), "the secret has characters that no header may hold: store it without them")
    return key


def _tls(model: TlsModel, around: Surroundings) -> TLSConfig:
    make_context(model.ca, model.cert, model.key, around.now())  # refuses what cannot be used
    return TLSConfig(
        server_root_ca_cert=_content(model.ca),
        domain=model.server_name,
        client_cert=_content(model.cert),
        client_private_key=_content(model.key or model.cert),
    )


def _content(path: str | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()


def _converter(model: TemporalModel, around: Surroundings) -> DataConverter:
    if model.data_converter is None:
        return DataConverter.default
    found = imports.load(model.data_converter, around, ("data_converter",))
    if not isinstance(found, DataConverter):
        raise FieldError(
            ("data_converter",),
            f"`{model.data_converter}` is a {type(found).__name__}: name a temporalio.converter.DataConverter",
        )
    return found


KIND = Kind("temporal", TemporalModel, _make)
