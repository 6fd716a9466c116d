"""Hosts as words of the command line: ``[user@]host[:port]``, as ssh takes them. Pure.

The host may be an alias of the ssh config or an address (IPv6 in brackets where a port follows).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace

from .spec import HOST, USER, BadHosts, HostSpec

MOST_COUNT = 1024
"""A number behind a host that is higher was meant as a port."""


def from_word(word: str) -> HostSpec:
    """Return the host of one word. Raises BadHosts.

    >>> from_word("ann@node7:2222").port, from_word("[::1]:22").host, from_word("::1").port
    (2222, '::1', None)
    """
    user, at, where = word.rpartition("@")
    if at and not USER.fullmatch(user):
        raise BadHosts(f"host {word!r}: {user!r} is no user name")
    host, port = _host_and_port(where, word)
    if not (HOST.fullmatch(host) or _is_ipv6(host)):
        raise BadHosts(f"host {word!r}: {host!r} is no host name or address")
    return HostSpec(host, user or None, port)


def counted(word: str) -> HostSpec:
    """Return the host of one word in which a number is that of its Workers, not a port. Raises BadHosts.

    >>> counted("ann@node7:8").count, counted("node7").count, counted("node7:8").port
    (8, None, None)
    """
    spec = from_word(word)
    if spec.port is not None and spec.port > MOST_COUNT:
        raise BadHosts(f"host {word!r}: {spec.port} would be its number of Workers; the ssh config says its port")
    return replace(spec, port=None, count=spec.port)


def _host_and_port(where: str, word: str) -> tuple[str, int | None]:
    if where.startswith("["):
        host, closed, rest = where[1:].partition("]")
        if not closed or not _is_ipv6(host) or (rest and not rest.startswith(":")):
            raise BadHosts(f"host {word!r}: brackets hold an IPv6 address, as in [::1]:22")
        return host, _port(rest[1:], word) if rest else None
    if _is_ipv6(where):
        return where, None
    host, colon, port = where.partition(":")
    return host, _port(port, word) if colon else None


def _port(text: str, word: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise BadHosts(f"host {word!r}: {text!r} is no port (1 to 65535)")
    return int(text)


def _is_ipv6(text: str) -> bool:
    return is_address(text, 6) and bool(re.fullmatch(r"[0-9A-Fa-f:.]+(%[\w.-]+)?", text))


def is_address(text: str, version: int | None = None) -> bool:
    """Whether a text is an IP address, of this version if one is given."""
    try:
        return version in (None, ipaddress.ip_address(text).version)
    except ValueError:
        return False
