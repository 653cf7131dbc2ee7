"""Ports for servers that begin again at the same address, which nobody else may have taken meanwhile."""

from __future__ import annotations

import socket
from pathlib import Path


def free_port() -> int:
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of so many neighbours that nobody listens on, and that the kernel gives to nobody by itself."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    with socket.socket() as drawn:
        drawn.bind(("127.0.0.1", 0))
        start = 11_000 + drawn.getsockname()[1] % max(min(lowest, 32_000) - 12_000, 1)
    for first in range(start, 65_000, count):
        if all(is_free(first + each) for each in range(count)):
            return first
    raise AssertionError("no free ports")


def is_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
