"""A host of a run as the user wants it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Any

from fedfutures.host.hosts import Hosts

# No word that ssh could take for an option, or a shell for more than a word.
HOST = re.compile(r"\w(?:[\w.%+-]*\w)?\.?")
USER = re.compile(r"\w[\w.%+\\@-]*")

OPTIONS = {item.name: item for item in fields(Hosts) if item.metadata["of_one"]}
"""The options that a user may give for one host: the fields of :class:`fedfutures.Hosts` that are declared so."""

UNSAID = Hosts()
"""No options."""


class BadHosts(ValueError):
    """The user's description of the hosts contradicts itself or makes no sense."""


@dataclass(slots=True)
class HostSpec:
    """A host as the user wants it."""

    host: str
    user: str | None = None
    port: int | None = None
    count: int | None = None  # of its Workers; None: one for each processor
    name: str = ""  # for people; `in_run` gives each host a short, unique one
    site: str | None = None  # its access host
    external_hostname: str | None = None  # where others dial its Brokers
    options: Hosts = UNSAID  # of this host alone; `completed` adds those of all hosts
    life: str = ""  # of a host that comes by itself: the same each time that it comes
    key: str = ""  # the fingerprint of the key by which it has come; "": by ssh

    @property
    def word(self) -> str:
        """The host as it is written on the command line."""
        return written(self.host, self.user, self.port)

    @property
    def place(self) -> str:
        """The same text for two spellings of one host."""
        return written(folded(self.host), self.user, self.port)

    def put_behind(self, site: str | None) -> None:
        """Set the access host; None: there is none."""
        self.site = site


def spec_from(value: dict[str, Any]) -> HostSpec:
    """Return the host of a plain dictionary, as ``dataclasses.asdict`` makes it."""
    return HostSpec(**value | {"options": Hosts(**value["options"])})


def completed(spec: HostSpec, of_all: Hosts) -> HostSpec:
    """Return a host with the options of all hosts where it has none of its own; lists are joined, its own first.

    >>> completed(HostSpec("a", options=Hosts(nice=0)), Hosts(nice=7, path="/x")).options.nice
    0
    """
    found = {name: getattr(spec.options, name) for name in OPTIONS}
    for name, value in found.items():
        common = getattr(of_all, name)
        found[name] = [*value, *common] if isinstance(common, (list, tuple)) else value if is_said(value) else common
    return replace(spec, options=Hosts(**found))


def is_said(value: object) -> bool:
    """Whether the user has set an option: any number counts, 0 as well."""
    return value is not False and value not in (None, "", (), [])


def folded(host: str) -> str:
    """Return what is the same for two spellings of a host name."""
    return host.rstrip(".").lower()


def written(host: str, user: str | None, port: int | None) -> str:
    """Return ``[user@]host[:port]``."""
    shown = f"[{host}]" if ":" in host and port is not None else host
    return f"{f'{user}@' if user else ''}{shown}{f':{port}' if port is not None else ''}"
