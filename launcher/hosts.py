"""The hosts of a run: words of the command line, and the checked list of all. Pure.

A host is named as ssh takes it, ``[user@]host[:port]``, where the host may be an alias of the ssh config or an address
(IPv6 in brackets where a port follows). Two spellings of one place are one host: whoever names a host twice gets two
Workers there. So as soon as one host is named twice, each name counts one; while no host is, the count stays open,
and as many Workers fit as the host has processors.

A host may be behind another one, its access host. A count of 0 says that a host only carries what is behind it.

This machine, named without user and port, needs no ssh and always comes first: the program runs there.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

LOOPBACK = frozenset({"localhost", "localhost.localdomain", "127.0.0.1", "::1"})

UNSAID: tuple[object, ...] = (None, "", [])

# No word that ssh could take for an option, or a shell for more than a word.
HOST = re.compile(r"\w(?:[\w.%+-]*\w)?\.?")
USER = re.compile(r"\w[\w.%+\\@-]*")


class BadHosts(ValueError):
    """What the user said of the hosts cannot be meant."""


@dataclass(slots=True)
class HostSpec:
    """A host as the user wants it; None and nothing: as for all others.

    `site` names the host that is the way to it. `count` is how many Workers it has room for; None: see its processors.
    """

    host: str
    user: str | None = None
    port: int | None = None
    count: int | None = None
    name: str = ""  # for people; `in_run` gives each a short one of its own
    site: str | None = None
    python: str | None = None
    path: str | None = None
    pythonpath: list[str] = field(default_factory=list)
    prolog: str | None = None
    nice: int | None = None
    external_hostname: str | None = None
    tunnel: bool | None = None

    @property
    def word(self) -> str:
        """The host as it is written on the command line."""
        return _word(self.host, self.user, self.port)


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


def from_words(words: Iterable[str]) -> list[HostSpec]:
    """Return the hosts of ``--hosts``. Raises BadHosts.

    >>> [(spec.host, spec.count) for spec in from_words(["a", "b", "a"])]
    [('a', 2), ('b', 1)]
    >>> [(spec.host, spec.count) for spec in from_words(["a", "b"])]
    [('a', None), ('b', None)]
    """
    return _merged([from_word(word) for word in words], place)


def is_local(spec: HostSpec, own_names: Iterable[str]) -> bool:
    """Whether a host is this machine, to be started without ssh: a user or a port says that ssh is meant.

    >>> is_local(from_word("localhost"), []), is_local(from_word("Node7"), ["node7"]), is_local(from_word("::1"), [])
    (True, True, True)
    >>> is_local(from_word("localhost:22"), []), is_local(from_word("127.0.1.1"), ["node7"])
    (False, False)
    """
    if spec.user is not None or spec.port is not None:
        return False
    return folded(spec.host) in LOOPBACK | {folded(name) for name in own_names}


def in_run(specs: Sequence[HostSpec], own_names: Sequence[str] = ()) -> list[HostSpec]:
    """Return each host once, under a short name of its own, this machine first. Raises BadHosts.

    `own_names` are the names of this machine, the one that people know first.

    >>> [(s.name, s.count) for s in in_run(from_words(["b.lab.org", "c.lab.org", "localhost"]), ["laptop"])]
    [('laptop', None), ('b', None), ('c', None)]
    """
    merged = _merged(specs, lambda spec: "" if is_local(spec, own_names) else place(spec))
    merged.sort(key=lambda spec: not is_local(spec, own_names))
    names = _names(merged, own_names)
    known = _known(merged, names)
    here = next((name for spec, name in zip(merged, names) if is_local(spec, own_names)), None)
    for own in (*LOOPBACK, *own_names):
        known.setdefault(folded(own), "")
    named = [replace(spec, name=name, site=_site(spec, name, known) or None) for spec, name in zip(merged, names)]
    _check_ways(named, here)
    return named


def folded(host: str) -> str:
    """Return what is the same for two spellings of a host name."""
    return host.rstrip(".").lower()


def place(spec: HostSpec) -> str:
    """What is the same for two spellings of one place."""
    return _word(folded(spec.host), spec.user, spec.port)


# --------------------------------------------------------------------------------------------------- words and places


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
    try:
        return ipaddress.ip_address(text).version == 6 and bool(re.fullmatch(r"[0-9A-Fa-f:.]+(%[\w.-]+)?", text))
    except ValueError:
        return False


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _word(host: str, user: str | None, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host and port is not None else host
    return f"{f'{user}@' if user else ''}{shown}{f':{port}' if port is not None else ''}"


# --------------------------------------------------------------------------------------------------- one run's hosts


def _merged(specs: Sequence[HostSpec], key: Callable[[HostSpec], str]) -> list[HostSpec]:
    """Return each place once; as soon as one place is named twice, a name without a count counts one."""
    places = [key(spec) for spec in specs]
    each = 1 if len(set(places)) < len(places) else None
    merged: dict[str, HostSpec] = {}
    for spec, at in zip(specs, places):
        spec = replace(spec, count=each if spec.count is None else spec.count)
        merged[at] = _both(merged[at], spec) if at in merged else spec
    return list(merged.values())


def _both(one: HostSpec, other: HostSpec) -> HostSpec:
    """Return what two mentions of a host say together."""
    total = replace(one, count=(one.count or 0) + (other.count or 0))
    for item in fields(HostSpec):
        if item.name in ("host", "count"):
            continue
        first, second = getattr(one, item.name), getattr(other, item.name)
        said = [value for value in (first, second) if value not in UNSAID]
        if len(said) == 2 and first != second:
            raise BadHosts(f"host {one.word} is named twice, with {item.name} {first!r} and {second!r}")
        setattr(total, item.name, said[0] if said else first)
    return total


def _names(specs: Sequence[HostSpec], own_names: Sequence[str]) -> list[str]:
    """Return a name for each host: as short as it can be while no other has it."""
    choices = []
    for spec in specs:
        host = own_names[0] if own_names and is_local(spec, own_names) else spec.host
        short = host if _is_address(host) else host.partition(".")[0]
        choices.append([spec.name] if spec.name else [short, host, _word(host, None, spec.port), spec.word])
    names = [""] * len(specs)
    for length in range(4):
        offered = [names[k] or choice[min(length, len(choice) - 1)] for k, choice in enumerate(choices)]
        counts = Counter(offered)
        for k, name in enumerate(offered):
            if counts[name] == 1 or len(choices[k]) == 1:
                names[k] = name
    for spec, name in zip(specs, names):
        if not name or names.count(name) > 1:
            raise BadHosts(f"two hosts are called {name or spec.word}: give one of them another name")
    return names


def _known(specs: Sequence[HostSpec], names: Sequence[str]) -> dict[str, str]:
    """Return the names of the hosts by all that they may be called where a site is named."""
    known: dict[str, str] = {}
    for spec, name in zip(specs, names):
        for called in (folded(spec.host), place(spec), spec.word):
            known.setdefault(called, name)
    return known | {name: name for name in names}


def _site(spec: HostSpec, name: str, known: Mapping[str, str]) -> str | None:
    if spec.site is None:
        return None
    access = known.get(spec.site, known.get(folded(spec.site)))
    if access is None:
        raise BadHosts(f"host {name} is behind {spec.site!r}, which is none of the hosts")
    return access


def _check_ways(specs: Sequence[HostSpec], here: str | None) -> None:
    """See that the way to each host ends here; what is behind this machine is reached as all others are."""
    ways = {spec.name: spec for spec in specs}
    for spec in specs:
        if spec.site == here:
            spec.site = None
    for spec in specs:
        if spec.name == here and spec.site is not None:
            raise BadHosts(f"host {spec.name} is this machine: it cannot be behind {spec.site}")
        seen, at = {spec.name}, spec.site
        while at is not None:
            if at in seen:
                raise BadHosts(f"host {spec.name} is behind itself")
            seen.add(at)
            at = ways[at].site
