"""From what a targets file says of a target of the kind `smtp` to its adapter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field

from adapters.kind import FieldError, Kind, Surroundings
from adapters.secrets import resolve
from adapters.target_file import FileModel, TargetModel
from adapters.template import Template, TemplateError
from orchestrator_smtp.adapter import SmtpAdapter, SmtpOptions

LOOPBACK = ("127.0.0.1", "localhost")


class Login(FileModel):
    user: str
    password: str = Field(description="A reference: env:NAME or file:/PATH.")


class SmtpModel(TargetModel):
    kind: Literal["smtp"]
    server: Annotated[str, Field(pattern=r"^[^:\s]+:[0-9]{1,5}$", description="HOST:PORT")]
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    login: Login | None = None
    sender: str = Field(description="The address that mail comes from.")
    to: str = Field(description="One address; parts of the command may stand in it.")
    subject: str
    text: str


def _make(name: str, model: SmtpModel, around: Surroundings) -> Callable[[], SmtpAdapter]:
    if "@" not in model.sender:
        raise FieldError(("sender",), "is no address: write somebody@example.org")
    host, _, port = model.server.partition(":")
    if model.login is not None and model.tls == "none" and host not in LOOPBACK:
        raise FieldError(("tls",), "`none` would send the password in the clear: write starttls or implicit")
    login = None
    if model.login is not None:
        login = (model.login.user, resolve(model.login.password, ("login", "password"), around.secret))
    options = SmtpOptions(
        host,
        int(port),
        model.tls,
        login,
        model.sender,
        _template("to", model.to),
        _template("subject", model.subject),
        _template("text", model.text),
        model.timeout,
    )
    return lambda: SmtpAdapter(options)


def _template(key: str, text: str) -> Template:
    try:
        return Template(text)
    except TemplateError as error:
        raise FieldError((key,), str(error)) from None


KIND = Kind("smtp", SmtpModel, _make)
