"""TLS of a target beyond the system's own: whom to trust, and who we are. Read when the target is made."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from adapters.kind import FieldError

LARGEST: Final = 4 << 20
"""Bytes of a file."""
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17


class _EncryptedError(Exception):
    pass


def make_context(ca: str | None, cert: str | None, key: str | None, now: int) -> ssl.SSLContext:
    """Trusts `ca` instead of what the system trusts, and shows `cert`; paths of PEM files. `now` in microseconds.
    Raises FieldError: a file that is missing or no PEM, a key that does not fit, a certificate out of its time."""
    context = ssl.create_default_context(cadata=_ca(ca, now) if ca is not None else None)
    if cert is not None:
        _check_times(cert, _certificates("cert", cert), now)
        try:
            context.load_cert_chain(cert, key, _no_password)
        except _EncryptedError:
            raise FieldError(("tls", "key"), f"the key in {key or cert} is encrypted: store it as it is") from None
        except OSError as error:  # an SSLError is one
            why = "it does not belong to the certificate" if "MISMATCH" in str(error) else f"{error.strerror or error}"
            where = ("tls", "key") if key is not None else ("tls", "cert")
            raise FieldError(where, f"the key in {key or cert} cannot be used: {why}; correct the path") from None
    return context


def trusting_more(ca: str | None, now: int) -> ssl.SSLContext:
    """Trusts `ca` and what the system trusts."""
    context = ssl.create_default_context()
    if ca is not None:
        context.load_verify_locations(cadata=_ca(ca, now))
    return context


def _ca(path: str, now: int) -> str:
    found = _certificates("ca", path)
    moment = _moment(now)
    if all(after < moment for _, after in map(_validity, found)):
        raise FieldError(("tls", "ca"), f"every certificate in {path} has expired: renew it")
    return "\n".join(found)


def _certificates(key: str, path: str) -> list[str]:
    """In PEM."""
    where = ("tls", key)
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise FieldError(where, f"the file {path} cannot be read ({error.strerror or error}): correct it") from None
    found = _CERTIFICATE.findall(content.decode("ascii", "replace")) if len(content) <= LARGEST else []
    if not found:
        raise FieldError(where, f"the file {path} holds no certificate in PEM: -----BEGIN CERTIFICATE-----")
    for one in found:
        try:
            _validity(one)
        except (ValueError, IndexError):
            raise FieldError(where, f"the file {path} holds a certificate that cannot be read: replace it") from None
    return found


def _check_times(path: str, certificates: list[str], now: int) -> None:
    for one in certificates:
        before, after = _validity(one)
        if after < _moment(now):
            raise FieldError(("tls", "cert"), f"the certificate in {path} has expired on {after:%Y-%m-%d}: renew it")
        if before > _moment(now):
            raise FieldError(
                ("tls", "cert"), f"the certificate in {path} begins on {before:%Y-%m-%d}: wait, or set the clock"
            )


def _moment(now: int) -> datetime:
    return datetime.fromtimestamp(now / 1e6, UTC)


def _no_password() -> str:
    raise _EncryptedError


# -- The `ssl` module tells the validity of no certificate but the other side's, so it is read from DER (X.690).


def _validity(pem: str) -> tuple[datetime, datetime]:
    """Raises ValueError or IndexError for what is no certificate."""
    ((_, certificate),) = _elements(ssl.PEM_cert_to_DER_cert(pem))
    _, signed = next(_elements(certificate))
    elements = _elements(signed)
    if next(elements)[0] == _VERSION:
        next(elements)  # the serial number
    next(elements)  # the algorithm
    next(elements)  # the issuer
    tag, content = next(elements)
    if tag != _SEQUENCE:
        raise ValueError("no validity where it should be")
    before, after = (_time(*each) for each in _elements(content))
    return before, after


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, content) of those that follow each other."""
    at = 0
    while at < len(content):
        tag, length = content[at], content[at + 1]
        at += 2
        if length & 0x80:
            many = length & 0x7F
            length = int.from_bytes(content[at : at + many], "big")
            at += many
        if at + length > len(content):
            raise ValueError("it ends too early")
        yield tag, content[at : at + length]
        at += length


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
