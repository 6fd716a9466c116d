"""The addresses of this machine by which other hosts may reach it. Sources: proc(5), netdevice(7)."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import socket
import struct

_SIOCGIFADDR = 0x8915
_IFREQ_BYTES = 256
_GLOBAL_SCOPE = "00"


def addresses_here() -> list[str]:
    """Return all addresses but those of the loopback interface, and those that hold for one cable only."""
    return [*_version_4(), *_version_6()]


def _version_4() -> list[str]:
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):  # this one has no address
                answer = fcntl.ioctl(asker, _SIOCGIFADDR, struct.pack(f"{_IFREQ_BYTES}s", name.encode()[:15]))
                found.append(socket.inet_ntoa(answer[20:24]))
    return [address for address in found if not ipaddress.ip_address(address).is_loopback]


def _version_6() -> list[str]:
    with contextlib.suppress(OSError), open("/proc/net/if_inet6") as listing:
        lines = [line.split() for line in listing]
        return [str(ipaddress.IPv6Address(int(words[0], 16))) for words in lines if words[3] == _GLOBAL_SCOPE]
    return []
