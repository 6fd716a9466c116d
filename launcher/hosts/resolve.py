"""The hosts of a run: those that the user names, each once, under a short name, this machine first.

A host that is named twice, in whatever spelling, has two Workers. So as soon as one host is named twice, each mention
counts one; otherwise the count stays open, and a host has as many Workers as processors.

A host may be behind another one, its access host; an access host with a count of 0 has no Workers. This machine, named
without user and port, needs no ssh and always comes first: the program runs there.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fedfutures.host.hosts import Hosts

from .hostfile import from_hostfile
from .local import LOOPBACK, is_local, on_terminal, own_names, with_environment
from .schedulers import allocation_from
from .schedulers.allocation import Allocation
from .spec import OPTIONS, UNSAID, BadHosts, HostSpec, completed, folded, is_said, written
from .words import from_word, is_address

_SINGLE = ("user", "port", "name", "site", "external_hostname")
"""Fields of a host of which two mentions may not say different things; host and count aside."""


def allocation(hosts: Hosts) -> Allocation | None:
    """Return what the batch scheduler has given to this job; None: there is no job, or the user names the hosts.

    Raises :class:`~fedfutures_launcher.hosts.spec.BadHosts`.
    """
    if hosts.names or hosts.file is not None:
        return None
    return allocation_from(os.environ, _read, on_terminal=on_terminal())


def wanted(hosts: Hosts, given: Allocation | None = None) -> list[HostSpec]:
    """Return the hosts of a run, this machine first: those that are named, or those of the batch scheduler's job.

    `given`: what :func:`allocation` returned, where the caller has asked already. Raises
    :class:`~fedfutures_launcher.hosts.spec.BadHosts`.
    """
    names = own_names()
    if hosts.names:
        words = [word for name in hosts.names for word in name.split(",") if word]
        if not words:
            raise BadHosts("no host is named")
        specs = from_words(words)
    elif hosts.file is not None:
        try:
            specs = from_hostfile(_read(hosts.file), hosts.file)
        except OSError as error:
            raise BadHosts(f"host file {hosts.file!r}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise BadHosts(f"host file {hosts.file!r}: this is no text in UTF-8") from None
    else:
        found = given or allocation(hosts)
        specs = [] if found is None else found.hosts
        # A scheduler may give full names that /etc/hosts here lacks; but its hosts share a domain.
        names += [spec.host for spec in specs if spec.host.partition(".")[0].lower() == names[0].lower()]
    if not any(is_local(spec, names) for spec in specs):
        specs = [HostSpec("localhost", count=None if not specs else 0), *specs]
    here, *others = in_run(specs, names)
    if hosts.launcher not in (None, "ssh"):
        _check_names(others, str(hosts.launcher))
    hosts = with_environment(hosts)
    # Where this machine is none of the hosts, the options of all hosts are not for it.
    here = replace(here, options=UNSAID) if here.count == 0 else completed(here, hosts)
    specs = [here, *(completed(spec, hosts) for spec in others)]
    return [replace(spec, options=with_environment(spec.options)) for spec in specs]


def _check_names(specs: Iterable[HostSpec], launcher: str) -> None:
    """Raise BadHosts for a host with a user or a port: only ssh goes by these."""
    for spec in specs:
        if spec.user is not None or spec.port is not None:
            what = "user" if spec.user is not None else "port"
            raise BadHosts(
                f"{spec.word}: only ssh takes a {what}; the launcher {launcher} gets the name of a host alone"
            )


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def from_words(words: Iterable[str]) -> list[HostSpec]:
    """Return the hosts of ``--hosts``. Raises BadHosts.

    >>> [(spec.host, spec.count) for spec in from_words(["a", "b", "a"])]
    [('a', 2), ('b', 1)]
    >>> [(spec.host, spec.count) for spec in from_words(["a", "b"])]
    [('a', None), ('b', None)]
    """
    return _merged([from_word(word) for word in words], lambda spec: spec.place)


def in_run(specs: Sequence[HostSpec], own_names: Sequence[str] = ()) -> list[HostSpec]:
    """Return each host once, under a short name of its own, this machine first. Raises BadHosts.

    `own_names` are the names of this machine, the one that people know first.

    >>> [(s.name, s.count) for s in in_run(from_words(["b.lab.org", "c.lab.org", "localhost"]), ["laptop"])]
    [('laptop', None), ('b', None), ('c', None)]
    """
    merged = _merged(specs, lambda spec: "" if is_local(spec, own_names) else spec.place)
    merged.sort(key=lambda spec: not is_local(spec, own_names))
    names = _names(merged, own_names)
    known = _known(merged, names)
    here = next((name for spec, name in zip(merged, names) if is_local(spec, own_names)), None)
    for own in (*LOOPBACK, *own_names):
        known.setdefault(folded(own), "")
    named = [replace(spec, name=name, site=_site(spec, name, known) or None) for spec, name in zip(merged, names)]
    _check_ways(named, here)
    return named


def _merged(specs: Sequence[HostSpec], key: Callable[[HostSpec], str]) -> list[HostSpec]:
    """Return each host once; as soon as one host is named twice, a mention without a count counts one."""
    places = [key(spec) for spec in specs]
    each = 1 if len(set(places)) < len(places) else None
    merged: dict[str, HostSpec] = {}
    for spec, at in zip(specs, places):
        spec = replace(spec, count=each if spec.count is None else spec.count)
        merged[at] = _both(merged[at], spec) if at in merged else spec
    return list(merged.values())


def _both(one: HostSpec, other: HostSpec) -> HostSpec:
    """Return the host of two mentions."""
    found = {name: _agreed(one, name, getattr(one, name), getattr(other, name)) for name in _SINGLE}
    options = {name: _agreed(one, name, getattr(one.options, name), getattr(other.options, name)) for name in OPTIONS}
    return replace(one, count=(one.count or 0) + (other.count or 0), options=Hosts(**options), **found)


def _agreed(spec: HostSpec, what: str, first: Any, second: Any) -> Any:
    if is_said(first) and is_said(second) and first != second:
        raise BadHosts(f"host {spec.word} is named twice, with {what} {first!r} and {second!r}")
    return first if is_said(first) or not is_said(second) else second


def _names(specs: Sequence[HostSpec], own_names: Sequence[str]) -> list[str]:
    """Return a name for each host: as short as it can be while no other has it."""
    choices = []
    for spec in specs:
        host = own_names[0] if own_names and is_local(spec, own_names) else spec.host
        short = host if is_address(host) else host.partition(".")[0]
        choices.append([spec.name] if spec.name else [short, host, written(host, None, spec.port), spec.word])
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
    """Return the names of the hosts by all the words that may stand for them as an access host."""
    known: dict[str, str] = {}
    for spec, name in zip(specs, names):
        for called in (folded(spec.host), spec.place, spec.word):
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
    """Raise BadHosts if access hosts form a circle; remove this machine as an access host."""
    ways = {spec.name: spec for spec in specs}
    for spec in specs:
        if spec.site == here:
            spec.put_behind(None)
    for spec in specs:
        if spec.name == here and spec.site is not None:
            raise BadHosts(f"host {spec.name} is this machine: it cannot be behind {spec.site}")
        seen, at = {spec.name}, spec.site
        while at is not None:
            if at in seen:
                raise BadHosts(f"host {spec.name} is behind itself")
            seen.add(at)
            at = ways[at].site
