"""Signatures of webhooks after the Standard Webhooks specification 1.0, by its authors' library."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime

from standardwebhooks import Webhook

PREFIX = "whsec_"


class Signer:
    """Holds the secrets and never shows them. Of two, both sign: while receivers change from one to the other."""

    def __init__(self, *secrets: str) -> None:
        """Raises ValueError, which does not quote it, unless each is `whsec_` and base64 of 24 to 64 bytes."""
        for secret in secrets:
            _check(secret)
        self._webhooks = [Webhook(secret) for secret in secrets]

    def __repr__(self) -> str:
        return "Signer(***)"

    def sign(self, id: str, seconds: int, body: bytes) -> str:
        """The `webhook-signature` of this body, sent at this time (seconds since 1970)."""
        moment = datetime.fromtimestamp(seconds, UTC)
        return " ".join(webhook.sign(id, moment, body.decode()) for webhook in self._webhooks)


def _check(secret: str) -> None:
    if not secret.startswith(PREFIX):
        raise ValueError(f"the secret must begin with `{PREFIX}`, followed by base64 of 24 to 64 random bytes")
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"what follows `{PREFIX}` in the secret is not base64") from None
    if not 24 <= len(key) <= 64:
        raise ValueError(f"the secret has {len(key)} bytes: 24 to 64 are needed")
