"""Announcing a standing Federation to the local network, and hearing of those that are: DNS-SD over multicast DNS.

The library is zeroconf (RFC 6762, RFC 6763), of the extra ``discovery``. What is announced says who stands where, and
lets nobody in: one comes by ssh, or by a key that is allowed. What is heard may be a lie, so it is shown and nothing is
done with it; what could be no Federation is passed over, for people paste what they are shown.
"""

from __future__ import annotations

import importlib.util
import re
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fedfutures.standing.places import NAME
from fedfutures.version import __version__

from ..hosts.spec import HOST
from ..launchers.keeper_visit import address_by_key
from ..ssh.known_hosts import FINGERPRINT

SERVICE = "_fedfutures._tcp.local."
ALL = "all"
_MEANT = {
    "name": NAME, "host": HOST, "user": re.compile(r"[A-Za-z0-9._@-]{0,64}"), "workers": re.compile(r"\d{1,9}"),
    "version": re.compile(r"[0-9A-Za-z.+-]{0,40}"), "address": re.compile(r"[0-9A-Fa-f.:]{0,45}"),
    "key": re.compile(rf"({FINGERPRINT})?"),
}  # fmt: skip
"""What an announcement may say."""
CLOSE_SECONDS = 1.0
RESOLVE_MILLISECONDS = 1000
LONGEST = 63
"""Bytes of an instance's name, as DNS has it."""
SSH_PORT = 22


def is_installed() -> bool:
    """Whether the library is there."""
    return importlib.util.find_spec("zeroconf") is not None


@dataclass(frozen=True)
class AnnouncedFederation:
    """A standing Federation that somebody has announced. Nothing of it is proved."""

    name: str
    host: str
    user: str
    workers: str
    version: str
    addresses: tuple[str, ...]
    port: int  # at which it listens; 0: one comes by ssh alone
    key: str  # the fingerprint of the key of its server; "": it does not listen

    @property
    def address(self) -> str:
        """What one types to come by a key; "": it does not listen."""
        host = self.addresses[0] if self.addresses else self.host
        return address_by_key(host, self.port, self.name, self.key) if self.key else ""


class FederationNotice:
    """What a keeper's connector announces, from a thread of its own: the library waits for answers of others.

    where: the address of the interface, or ``all``; "": nothing is announced.
    """

    def __init__(self, where: str, facts: Mapping[str, str], port: int) -> None:
        self._where, self._facts, self._port = where, dict(facts), port
        self._changed = threading.Condition()
        self._workers: int | None = None
        self._said: int | None = None
        self._over = False
        self._thread = threading.Thread(target=self._run, name="announcement", daemon=True)

    def say(self, workers: int) -> None:
        """Announce that so many Workers may live there."""
        if self._where and workers != self._workers:
            with self._changed:
                self._workers = workers
                self._changed.notify_all()
            if not self._thread.ident:
                self._thread.start()

    def close(self) -> None:
        """Take it back, for a bounded time."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        if self._thread.ident:
            self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            self._announce()
        except Exception as error:  # no network, or one without multicast: programs join all the same
            print(f"fedfutures: {self._facts['name']} is not announced: {error!r}", file=sys.stderr, flush=True)

    def _announce(self) -> None:
        import zeroconf

        info: Any = None
        service = zeroconf.Zeroconf(**_interfaces(self._where))
        try:
            while (workers := self._next()) is not None:
                known, info = info, self._info(zeroconf, workers)
                if known is None:
                    service.register_service(info, allow_name_change=True)
                else:
                    info.name = known.name  # the library may have changed it, if another one has the same
                    service.update_service(info)
        finally:
            service.unregister_all_services()
            service.close()

    def _next(self) -> int | None:
        """Wait until there is something new to announce; None: nothing any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._workers != self._said)
            self._said = self._workers
            return None if self._over else self._workers

    def _info(self, zeroconf: Any, workers: int) -> Any:
        own = zeroconf.get_all_addresses() if self._where == ALL else [self._where]
        found = [address for address in own if self._where != ALL or not address.startswith("127.")]
        name = f"{self._facts['name']}@{self._facts['host']}".replace(".", "-")
        label = name.encode()[:LONGEST].decode("utf-8", "ignore")
        return zeroconf.ServiceInfo(
            SERVICE, f"{label}.{SERVICE}", addresses=[_packed(address) for address in found], server=f"{label}.local.",
            port=self._port or SSH_PORT, properties={**self._facts, "workers": str(workers), "version": __version__},
        )  # fmt: skip


def discovered(where: str, seconds: float) -> list[AnnouncedFederation]:
    """Return who is announced, by name; it is listened for so long. Raises OSError where there is no such network."""
    import zeroconf

    names: set[str] = set()
    service = zeroconf.Zeroconf(**_interfaces(where))
    try:
        browser = zeroconf.ServiceBrowser(
            service, SERVICE, handlers=[lambda name, state_change, **_: _note(names, name, state_change.name)]
        )
        time.sleep(seconds)
        browser.cancel()
        infos = [service.get_service_info(SERVICE, name, timeout=RESOLVE_MILLISECONDS) for name in sorted(names)]
        found = [announced_by(one.properties, one.parsed_addresses(), one.port) for one in infos if one is not None]
        return sorted((one for one in found if one is not None), key=lambda one: (one.name, one.host))
    finally:
        service.close()


def announced_by(
    properties: Mapping[bytes, bytes | None], addresses: list[str], port: int | None
) -> AnnouncedFederation | None:  # fmt: skip
    """Return what an announcement says; None: it could be no standing Federation.

    >>> announced_by({b"name": b"lab", b"host": b"login", b"workers": b"8"}, ["10.0.0.5"], 22).address
    ''
    >>> announced_by({b"name": b"lab", b"host": b"login;reboot", b"workers": b"8"}, ["10.0.0.5"], 22)
    """
    said = {name: (properties.get(name.encode()) or b"").decode("utf-8", "replace") for name in _MEANT}
    if not all(pattern.fullmatch(said[name]) for name, pattern in _MEANT.items()):
        return None
    own = [said["address"]] if said["address"] else addresses
    port = port or 0 if said["key"] else 0
    return AnnouncedFederation(
        said["name"], said["host"], said["user"], said["workers"], said["version"], tuple(own), port, said["key"]
    )


def _note(names: set[str], name: str, change: str) -> None:
    (names.discard if change == "Removed" else names.add)(name)


def _interfaces(where: str) -> dict[str, Any]:
    if where == ALL:
        return {}
    with socket.socket(socket.AF_INET6 if ":" in where else socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind((where, 0))  # the library would leave sockets open
    return {"interfaces": [where]}


def _packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
