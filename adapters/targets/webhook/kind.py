"""The kind `webhook`: from what a targets file says to an adapter."""

from __future__ import annotations

from collections.abc import Callable

from adapters.kind import FieldError, Kind, Surroundings
from adapters.secrets import REFERENCE, resolve
from adapters.targets.webhook.adapter import WebhookAdapter, WebhookOptions
from adapters.targets.webhook.model import WebhookModel
from adapters.targets.webhook.signing import PREFIX, Signer


def _make(name: str, model: WebhookModel, around: Surroundings) -> Callable[[], WebhookAdapter]:
    signer = _signer(model, around)
    options = WebhookOptions(model.url, signer, tuple(model.allow), model.timeout, model.concurrency, now=around.now)
    return lambda: WebhookAdapter(options)


def _signer(model: WebhookModel, around: Surroundings) -> Signer | None:
    if model.secret is None:
        return None
    secret = model.secret
    if secret.startswith(REFERENCE):
        secret = resolve(secret, ("secret",), around.secret)
    elif not secret.startswith(PREFIX):
        raise FieldError(("secret",), f"write env:NAME, the variable that holds the secret, or {PREFIX}…")
    try:
        return Signer(secret)
    except ValueError as error:
        where = f" (from {model.secret})" if secret != model.secret else ""
        raise FieldError(("secret",), f"{error}{where}") from None


KIND = Kind("webhook", WebhookModel, _make)
