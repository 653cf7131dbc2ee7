"""What a targets file may say of how a webhook's receiver knows us."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from adapters.target_file import FileModel
from adapters.targets.webhook.url import check_url


class BasicModel(FileModel):
    """A user and a password (RFC 7617)."""

    user: str = Field(description="A text, or a reference such as `env:NAME`.")
    password: str = Field(repr=False, description="A reference to the secret: `env:NAME` or `file:/PATH`.")


class OAuth2Model(FileModel):
    """A token by client credentials (RFC 6749): asked for once, kept until shortly before it expires, dropped when the
    receiver answers 401."""

    token_url: str = Field(description="Where tokens are asked for; `allow` counts for it too.")
    client_id: str = Field(description="A text, or a reference such as `env:NAME`.")
    client_secret: str = Field(repr=False, description="A reference to the secret: `env:NAME` or `file:/PATH`.")
    scopes: list[str] = Field(default=[], description="That are asked for.")
    audience: str = Field("", description="Whom the token is for, where the endpoint wants it said.")
    credentials: Literal["header", "body"] = Field(
        "header", description="Where id and secret stand: in HTTP Basic, or in the form where an endpoint needs it."
    )

    @field_validator("token_url")
    @classmethod
    def _token_url(cls, text: str) -> str:
        check_url(text, parts=False)
        return text


class AuthModel(FileModel):
    """One of them."""

    bearer: str | None = Field(None, repr=False, description="A token: `env:NAME` or `file:/PATH`.")
    basic: BasicModel | None = Field(None, description="A user and a password.")
    oauth2: OAuth2Model | None = Field(None, description="A token that is asked for.")

    @model_validator(mode="after")
    def _one(self) -> AuthModel:
        if sum(each is not None for each in (self.bearer, self.basic, self.oauth2)) != 1:
            raise ValueError("write one of `bearer`, `basic` and `oauth2`")
        return self
