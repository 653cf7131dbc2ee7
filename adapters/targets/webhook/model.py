"""What a targets file may say of a webhook."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from adapters.secrets import REFERENCE
from adapters.target_file import BatchModel
from adapters.targets.webhook.auth_model import AuthModel
from adapters.targets.webhook.guard import Network, parse_network
from adapters.targets.webhook.shape import SOURCE, TYPE, Format
from adapters.targets.webhook.url import check_url
from adapters.template import Template
from adapters.tls_model import TlsModel

BINARY = "cloudevents-binary"


def _network(value: Any) -> Network:
    if not isinstance(value, str):
        raise ValueError("write a network such as 10.0.0.0/8, 127.0.0.1/32 or ::1/128")
    try:
        return parse_network(value)
    except ValueError as error:
        raise ValueError(f"{error}; write a network such as 10.0.0.0/8, 127.0.0.1/32 or ::1/128") from None


def _secrets(value: Any) -> list[str]:
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not 1 <= len(found) <= 2 or not all(isinstance(each, str) for each in found):
        raise ValueError("write one reference, such as env:NAME, or a list of two while one replaces the other")
    return found


class WebhookModel(BatchModel):
    """One request for each command, or for a batch of them."""

    kind: Literal["webhook"]
    url: str = Field(
        description="Where commands go: `http` or `https`, without user, password and fragment. Path and query may "
        "hold parts of the command: `${command.key}`. Or a reference to a secret that is such a URL.",
        repr=False,
    )
    method: Literal["POST", "PUT"] = Field("POST", description="Of the request.")
    secret: Annotated[list[str], BeforeValidator(_secrets, json_schema_input_type=str | list[str])] = Field(
        default=[],
        repr=False,
        description="Signs every delivery: `env:NAME`, `file:/PATH`, or `whsec_` and base64 of 24 to 64 bytes. Of a "
        "list of two both sign, while receivers change from one to the other.",
    )
    format: Format = Field(
        "plain",
        description="The command's JSON; a CloudEvent 1.0 whose data are its `args`, binary or structured; or a "
        "message for Slack.",
    )
    type: str = Field(TYPE, description="CloudEvents: `type`. May hold parts of the command.")
    source: str = Field(SOURCE, description="CloudEvents: `source`. May hold parts of the command.")
    headers: dict[str, str] = Field(
        default={},
        repr=False,
        description="More headers, at most 32: a text that may hold parts of the command, or a reference to a secret.",
    )
    auth: AuthModel | None = Field(None, description="What the header `Authorization` says; none: there is none.")
    tls: TlsModel | None = Field(None, description="Whom to trust and who we are; none: what the system trusts.")
    allow: list[Annotated[Network, BeforeValidator(_network, json_schema_input_type=str)]] = Field(
        default=[], description="Networks that may be called although they are not public: `10.0.0.0/8`."
    )

    @field_validator("url")
    @classmethod
    def _url(cls, text: str) -> str:
        if not text.startswith(REFERENCE):
            check_url(text)
        return text

    @field_validator("type", "source")
    @classmethod
    def _template(cls, text: str) -> str:
        if not text.strip() or not text.isprintable():
            raise ValueError("must be a text of one line")
        Template(text)
        return text

    @model_validator(mode="after")
    def _fits(self) -> WebhookModel:
        if self.format in ("plain", "slack") and self.model_fields_set & {"type", "source"}:
            raise ValueError("`type` and `source` are of CloudEvents: add `format: cloudevents-structured`")
        if self.batch > 1 and self.format in (BINARY, "slack"):
            raise ValueError(f"`{self.format}` has no batches: choose `cloudevents-structured`, or remove `batch`")
        if self.batch > 1 and not Template(self.url).static:
            raise ValueError("`url` is one for a whole batch: take the parts of the command out, or remove `batch`")
        if self.tls is not None and not self.url.startswith(("https:", *REFERENCE)):
            raise ValueError("`tls` needs a `url` that begins with https://")
        return self
