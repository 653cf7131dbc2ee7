"""The URL of a webhook: what may be one, and how parts of a command come into its path and query."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address, ip_address
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from adapters.template import Template, TemplateError

LONGEST = 4_096
"""Characters of what a template comes to."""


def check_url(text: str, *, parts: bool = True) -> None:
    """Raises ValueError for what no attempt could ever call. `parts`: of a command may stand in path and query."""
    template = Template(text)
    if not template.static:
        if not parts:
            raise ValueError("must not hold parts of a command")
        scheme, _, rest = text.partition("://")
        if "${" in scheme or "${" in rest.partition("/")[0].partition("?")[0]:
            raise ValueError("may hold parts of a command in its path and query only, not in its host")
    _check(template.sample)


class UrlTemplate:
    """What comes from a command stays within its segment of the path, or its value of the query."""

    def __init__(self, text: str) -> None:
        """Raises TemplateError. `text` has passed `check_url`."""
        path, mark, query = text.partition("?")
        self._segments = [Template(segment) for segment in path.split("/")]
        self._query = Template(mark + query)

    def render(self, command: Mapping[str, Any]) -> str:
        """Raises TemplateError."""
        path = "/".join(self._segment(each, command) for each in self._segments)
        url = path + self._query.render(command, _encoded)
        if len(url) > LONGEST:
            raise TemplateError(f"the URL is longer than {LONGEST:,} characters")
        return url

    def _segment(self, segment: Template, command: Mapping[str, Any]) -> str:
        text = segment.render(command, _encoded)
        if not segment.static and unquote(text) in ("", ".", ".."):
            raise TemplateError(f"`{segment.text}` in the URL's path would be empty, `.` or `..`")
        return text


def _encoded(text: str) -> str:
    return quote(text, safe="")


def _check(text: str) -> None:
    try:
        parts = urlsplit(text)
        port_is_wrong = parts.port == 0
    except ValueError as error:
        raise ValueError(f"is no URL: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("must begin with http:// or https://")
    if not parts.hostname or port_is_wrong:
        raise ValueError("names no host that can be called: write https://host/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or a password: use `secret`, `auth`, or a path that only you know")
    if parts.fragment or text.endswith("#"):
        raise ValueError("must not have a fragment (#…): it is never sent")
    if any(character <= " " or character == "\x7f" for character in text):
        raise ValueError("must not hold spaces or control characters")
    _check_host(parts.hostname)


def _check_host(host: str) -> None:
    try:
        if ":" in host:
            ip_address(host)
        elif host.replace(".", "").isdecimal():
            IPv4Address(host)
        else:
            host.encode("idna")
    except (AddressValueError, ValueError):
        raise ValueError(f"names the host `{host[:80]}`, which is neither a name nor an address: correct it") from None
