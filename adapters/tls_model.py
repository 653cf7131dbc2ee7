"""What a targets file may say of TLS, of every kind that has it."""

from __future__ import annotations

from pydantic import Field, model_validator

from adapters.target_file import FileModel


class TlsModel(FileModel):
    """Files in PEM, read at start."""

    ca: str | None = Field(None, description="Certificates to trust, instead of those that the system trusts.")
    cert: str | None = Field(None, description="Our own certificate, and those between it and its authority.")
    key: str | None = Field(None, description="Its key, not encrypted; none: it stands in `cert`.")
    server_name: str | None = Field(None, description="That the receiver's certificate must be for; none: the host.")

    @model_validator(mode="after")
    def _fits(self) -> TlsModel:
        if self.key is not None and self.cert is None:
            raise ValueError("a `key` needs the `cert` that it belongs to")
        return self
