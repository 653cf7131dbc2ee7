"""Signatures of webhooks after the Standard Webhooks specification 1.0, by its authors' library."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime

from standardwebhooks import Webhook

PREFIX = "whsec_"


class Signer:
    """Holds the secret and never shows it."""

    def __init__(self, secret: str) -> None:
        """Raises ValueError, which does not quote it, unless it is `whsec_` and base64 of 24 to 64 bytes."""
        if not secret.startswith(PREFIX):
            raise ValueError(f"the secret must begin with `{PREFIX}`, followed by base64 of 24 to 64 random bytes")
        try:
            key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"what follows `{PREFIX}` in the secret is not base64") from None
        if not 24 <= len(key) <= 64:
            raise ValueError(f"the secret has {len(key)} bytes: 24 to 64 are needed")
        self._webhook = Webhook(secret)

    def __repr__(self) -> str:
        return "Signer(***)"

    def sign(self, id: str, seconds: int, body: bytes) -> str:
        """The `webhook-signature` of this body, sent at this time (seconds since 1970)."""
        return self._webhook.sign(id, datetime.fromtimestamp(seconds, UTC), body.decode())
