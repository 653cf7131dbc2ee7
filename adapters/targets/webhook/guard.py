"""Keeps the webhook target from calling into our own network (server-side request forgery).

The check happens where a socket is made, with the very address that is about to be dialled, so literals, DNS answers,
rebinding and happy eyeballs all pass through it. What is not public is refused unless the target's `allow` names it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

Network = IPv4Network | IPv6Network
NAT64: Final = IPv6Network("64:ff9b::/96")
SPECIAL: Final = tuple(
    map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "3fff::/20", "5f00::/16", "fec0::/10"))
)
"""Not for the public by IANA's registries of special-purpose addresses, though some Python that we support calls them
global."""
HOST: Final = IPv4Network("168.63.129.16/32")
"""Of a cloud's own agent on every machine there, though it lies in public space."""
COMPATIBLE: Final = IPv6Network("::/96")
REFUSED: Final = 0x5353
"""An error number of our own: when several addresses are tried, only the number of their errors survives."""


class RefusedAddressError(OSError):
    def __init__(self, address: object) -> None:
        super().__init__(REFUSED, f"address {address} is not public and not in `allow`")


def check_address(text: str, allow: Sequence[Network]) -> None:
    """Raises RefusedAddressError for an IP address that may not be called."""
    address = ip_address(text.partition("%")[0])
    inner = _embedded(address)
    for one in (address, inner):
        if one is not None and any(one in network for network in allow if network.version == one.version):
            return
    if not (address in NAT64 or _public(address)) or (inner is not None and not _public(inner)):
        raise RefusedAddressError(address)


def _public(address: IPv4Address | IPv6Address) -> bool:
    if any(address in network for network in (HOST, *SPECIAL) if network.version == address.version):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a gateway on the way would call."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in NAT64 or address in COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.sixtofour


def guarded_sockets(allow: Sequence[Network]) -> Callable[[Any], socket.socket]:
    """A `socket_factory` for aiohttp's TCPConnector."""

    def make(address_info: Any) -> socket.socket:
        family, kind, protocol, _, address = address_info
        if family not in (socket.AF_INET, socket.AF_INET6):
            raise RefusedAddressError(address)
        check_address(address[0], allow)
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    return make


def parse_network(text: str) -> Network:
    """Raises ValueError for what is no network such as 10.0.0.0/8 or ::1/128."""
    return ip_network(text)
