"""The kind `webhook`: from what a targets file says to an adapter."""

from __future__ import annotations

from collections.abc import Callable

from adapters.kind import FieldError, Kind, Surroundings
from adapters.secrets import REFERENCE, resolve
from adapters.targets.webhook.adapter import WebhookAdapter, WebhookOptions
from adapters.targets.webhook.auth_model import AuthModel
from adapters.targets.webhook.headers import MOST, check_name, check_value
from adapters.targets.webhook.model import WebhookModel
from adapters.targets.webhook.shape import Shape
from adapters.targets.webhook.signing import PREFIX, Signer
from adapters.targets.webhook.tokens import TokenOptions, basic
from adapters.targets.webhook.url import UrlTemplate, check_url
from adapters.template import Template
from adapters.tls import make_context, trusting_more
from adapters.tls_model import TlsModel

_Path = tuple[str | int, ...]


def _make(name: str, model: WebhookModel, around: Surroundings) -> Callable[[], WebhookAdapter]:
    auth, tls = model.auth, model.tls or TlsModel()
    url = _url(model, around)
    options = WebhookOptions(
        url,
        _signer(model, around),
        tuple(model.allow),
        model.timeout,
        model.concurrency,
        method=model.method,
        shape=Shape(model.format, Template(model.type), Template(model.source)),
        path=None if Template(url).static else UrlTemplate(url),
        headers=_headers(model, around),
        authorization=_authorization(auth, around),
        tokens=_tokens(auth, tls, around),
        tls=None if model.tls is None else make_context(tls.ca, tls.cert, tls.key, around.now()),
        server_name=tls.server_name,
        batch=model.batch,
        now=around.now,
    )
    return lambda: WebhookAdapter(options)


def _url(model: WebhookModel, around: Surroundings) -> str:
    """What is written, or the secret that it refers to: who knows the address of a chat may write to it."""
    if not model.url.startswith(REFERENCE):
        return model.url
    url = resolve(model.url, ("url",), around.secret)
    try:
        check_url(url)
    except ValueError as error:
        raise FieldError(("url",), f"the secret is no address: it {error}") from None
    if model.tls is not None and not url.startswith("https:"):
        raise FieldError(("tls",), "needs a `url` that begins with https://")
    if model.batch > 1 and not Template(url).static:
        raise FieldError(("url",), "is one for a whole batch: take the parts of the command out, or remove `batch`")
    for text in Template(url).texts:
        around.redactor.add(text)  # with parts of a command in it, the secret as it is stands nowhere
    return url


def _signer(model: WebhookModel, around: Surroundings) -> Signer | None:
    secrets = []
    for place, reference in enumerate(model.secret):
        path: _Path = ("secret", place)
        secret = reference
        if reference.startswith(REFERENCE):
            secret = resolve(reference, path, around.secret)
        elif not reference.startswith(PREFIX):
            raise FieldError(path, f"write env:NAME, the variable that holds the secret, file:/PATH, or {PREFIX}…")
        try:
            Signer(secret)
        except ValueError as error:
            where = f" (from {reference})" if reference != secret else ""
            raise FieldError(path, f"{error}{where}") from None
        around.redactor.add(secret)
        secrets.append(secret)
    return Signer(*secrets) if secrets else None


def _headers(model: WebhookModel, around: Surroundings) -> tuple[tuple[str, Template], ...]:
    if len(model.headers) > MOST:
        raise FieldError(("headers",), f"{len(model.headers)} are more than {MOST}: leave some away")
    taken = frozenset({"authorization"} if model.auth is not None else ())
    found: dict[str, Template] = {}
    for name, text in model.headers.items():
        path = ("headers", name)
        try:
            check_name(name, taken)
            if name.lower() in found:
                raise ValueError("is there twice: names differ by more than capitals")
            if text.startswith(REFERENCE):
                template = Template.fixed(resolve(text, path, around.secret))
            else:
                template = Template(text)
            check_value(template.sample)
        except FieldError:
            raise
        except ValueError as error:
            raise FieldError(path, f"`{name[:100]}` {error}") from None
        if model.batch > 1 and not template.static:
            raise FieldError(path, "is one for a whole batch: take the parts of the command out, or remove `batch`")
        found[name.lower()] = template
    return tuple(found.items())


def _authorization(auth: AuthModel | None, around: Surroundings) -> str:
    if auth is None or auth.oauth2 is not None:
        return ""
    if auth.bearer is not None:
        return "Bearer " + _secret(auth.bearer, ("auth", "bearer"), around)
    assert auth.basic is not None
    user = _text(auth.basic.user, ("auth", "basic", "user"), around)
    if ":" in user:
        raise FieldError(("auth", "basic", "user"), "a user has no colon in it")
    return basic(user, _secret(auth.basic.password, ("auth", "basic", "password"), around))


def _tokens(auth: AuthModel | None, tls: TlsModel, around: Surroundings) -> TokenOptions | None:
    if auth is None or auth.oauth2 is None:
        return None
    model = auth.oauth2
    path: _Path = ("auth", "oauth2")
    return TokenOptions(
        model.token_url,
        _text(model.client_id, (*path, "client_id"), around),
        _secret(model.client_secret, (*path, "client_secret"), around),
        tuple(model.scopes),
        model.audience,
        model.credentials == "body",
        None if tls.ca is None else trusting_more(tls.ca, around.now()),
        around.redactor.add_passing,
    )


def _text(text: str, path: _Path, around: Surroundings) -> str:
    """What is written, or what it refers to."""
    return _secret(text, path, around) if text.startswith(REFERENCE) else text


def _secret(reference: str, path: _Path, around: Surroundings) -> str:
    found = resolve(reference, path, around.secret)
    try:
        check_value(found)
    except ValueError as error:
        raise FieldError(path, f"the secret {error}") from None
    return found


KIND = Kind("webhook", WebhookModel, _make)
