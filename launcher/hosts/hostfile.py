"""The host file: one host a line, or TOML. Pure.

Plain, a line is ``[user@]host[:port] [count] [key=value ...]``; words are quoted as in a shell, and ``#`` begins a
comment. A file of one line may name several hosts instead, ``h1 h2 h3``; ``worker=8`` and ``slots=8`` are counts, too.
In TOML, ``[defaults]`` holds what all hosts share, each ``[[hosts]]`` one host, and each ``[[sites]]`` the hosts behind
an access host. An access host that is not among the hosts itself carries its site and has no Workers::

    [defaults]
    python = "/opt/python3.11/bin/python3"

    [[hosts]]
    host = "ann@workstation"
    count = 8

    [[sites]]
    access = "login.cluster.org"
    hosts = ["node1", "node2"]

The keys are the same in both: the fields of a host (``_CHECKS``), and its options, by the names of their flags
(:data:`.spec.OPTIONS`).
"""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from fedfutures.host.hosts import Hosts
from fedfutures.sizes import size_of_worker

from .spec import HOST, OPTIONS, USER, BadHosts, HostSpec, folded
from .words import from_word

MAX_COUNT = 100_000

_TOML = re.compile(r"^[ \t]*(\[defaults\]|\[\[(hosts|sites)\]\])[ \t]*(#.*)?$", re.MULTILINE)


def from_hostfile(text: str, name: str) -> list[HostSpec]:
    """Return the hosts of a host file. Raises BadHosts, which names the file and the line or table."""
    if name.endswith(".toml") or _TOML.search(text):
        return _from_toml(text, name)
    specs: list[HostSpec] = []
    lines = [line for line in text.splitlines() if line.partition("#")[0].strip()]
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
            if len(lines) == 1 and (hosts := _hosts_alone(words)):
                specs += map(from_word, hosts)
            elif words:
                specs.append(_from_line(words))
        except ValueError as error:
            raise BadHosts(f"{name}:{number}: {error}") from None
    if not specs:
        raise BadHosts(f"{name}: no hosts")
    return specs


# ------------------------------------------------------------------------------------------------------- plain files


def _hosts_alone(words: list[str]) -> list[str]:
    """Return the hosts of a file of one line if it names several and says nothing else, as PBS writes them; else none.

    >>> _hosts_alone(["a", "b", "c"]), _hosts_alone(["a,b,c"]), _hosts_alone(["a", "8"]), _hosts_alone(["a", "nice=1"])
    (['a', 'b', 'c'], ['a', 'b', 'c'], [], [])
    """
    hosts = [host for word in words for host in word.split(",") if host]
    said = any("=" in host or host.lstrip("-").isdecimal() for host in hosts)
    return hosts if len(hosts) > 1 and not said else []


def _from_line(words: list[str]) -> HostSpec:
    word, *rest = words
    given: dict[str, Any] = {}
    if rest and "=" not in rest[0]:
        given["count"] = _whole(rest.pop(0), "count")
    for item in rest:
        key, equals, value = item.partition("=")
        if not equals:
            raise BadHosts(f"{item!r}: after host and count, only key=value")
        key = _key(key)
        if key == "pythonpath":
            given.setdefault(key, []).extend(value.split(":"))
        elif key in ("env", "preload"):
            given.setdefault(key, []).append(value)
        elif key in given:
            raise BadHosts(f"{key} is given twice")
        else:
            given[key] = value
    return _spec(word, given)


def _spec(word: str, given: Mapping[str, Any]) -> HostSpec:
    """Return the host of a word and of values by key."""
    spec = from_word(word)
    for key in ("user", "port"):
        if given.get(key, None) is not None and getattr(spec, key) not in (None, given[key]):
            raise BadHosts(f"host {word!r} and {key} = {given[key]!r} do not agree")
    found = {key: _CHECKS[key](value, key) for key, value in given.items()}
    options = Hosts(**{key: found.pop(key) for key in given if key in OPTIONS})
    return replace(spec, options=options, **found)


def _key(key: str) -> str:
    name = _ALIASES.get(key.replace("-", "_"), key.replace("-", "_"))
    if name not in _CHECKS:
        raise BadHosts(f"{key!r} is none of {', '.join(sorted(_CHECKS)).replace('_', '-')}")
    return name


def _whole(value: Any, key: str) -> int:
    low, high = (1, 65535) if key == "port" else (0, MAX_COUNT)
    if key in OPTIONS:
        low, high = OPTIONS[key].metadata["argument"]["between"]
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadHosts(f"{key} is {value!r}, not a number from {low} to {high}")
    return value


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise BadHosts(f"{key} is {value!r}, not a text of one line")
    return value


def _size(value: Any, key: str) -> int:
    try:
        return size_of_worker(value)
    except (TypeError, ValueError) as error:
        raise BadHosts(str(error).replace("_", "-")) from None


def _user(value: Any, key: str) -> str:
    if not USER.fullmatch(_text(value, key)):
        raise BadHosts(f"{value!r} is no user name")
    return str(value)


def _name(value: Any, key: str) -> str:
    if not HOST.fullmatch(_text(value, key)):
        raise BadHosts(f"{key} is {value!r}: letters, digits, dots and dashes only")
    return str(value)


def _texts(value: Any, key: str) -> list[str]:
    if not isinstance(value, list):
        raise BadHosts(f"{key} is {value!r}, not a list of texts")
    return [_text(item, key) for item in value]


def _switch(value: Any, key: str) -> bool:
    known = {"yes": True, "true": True, "no": False, "false": False}
    if isinstance(value, str):
        value = known.get(value.lower(), value)
    if not isinstance(value, bool):
        raise BadHosts(f"{key} is {value!r}, not yes or no")
    return value


_KINDS = {
    "str | None": _text,
    "int | None": _whole,
    "bool": _switch,
    "int | str | None": _size,
    "Sequence[str]": _texts,
}
"""What checks the value of an option, by its type."""
_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "name": _name, "user": _user, "port": _whole, "count": _whole, "site": _text, "external_hostname": _text,
    **{name: _KINDS[str(item.type)] for name, item in OPTIONS.items()},
}  # fmt: skip
_COUNTS = ("worker", "workers", "slots")
"""What other programs call the count of a host: SCOOP, Open MPI."""
_ALIASES = {
    **dict.fromkeys(_COUNTS, "count"),
    **{flag.strip("-").replace("-", "_"): item.name for item in fields(Hosts) for flag in item.metadata["flags"]},
}


# -------------------------------------------------------------------------------------------------------- TOML files


def _from_toml(text: str, name: str) -> list[HostSpec]:
    data = _toml(text, name)
    unknown = data.keys() - {"defaults", "hosts", "sites"}
    if unknown:
        raise BadHosts(f"{name}: {sorted(unknown)[0]!r} is none of [defaults], [[hosts]], [[sites]]")
    try:
        defaults = _keys(_table(data.get("defaults", {})))
        if defaults.keys() & {"name", "site"}:
            raise BadHosts("no two hosts share name or site")
    except BadHosts as error:
        raise BadHosts(f"{name}: [defaults]: {error}") from None
    specs: list[HostSpec] = []
    for kind, read in (("hosts", _toml_host), ("sites", _toml_site), ("sites", _toml_door)):
        for number, table in enumerate(_tables(data.get(kind, []), kind, name), 1):
            try:
                read(_table(table), defaults, specs)
            except BadHosts as error:
                raise BadHosts(f"{name}: [[{kind}]] number {number}: {error}") from None
    if not specs:
        raise BadHosts(f"{name}: no hosts")
    return specs


def _toml(text: str, name: str) -> dict[str, Any]:
    library = "tomllib" if sys.version_info >= (3, 11) else "tomli"
    try:
        return importlib.import_module(library).loads(text)  # type: ignore[no-any-return]
    except ModuleNotFoundError:
        raise BadHosts(f"{name}: this Python reads TOML only with the package tomli: pip install tomli") from None
    except ValueError as error:
        raise BadHosts(f"{name}: {error}") from None


def _tables(value: Any, kind: str, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadHosts(f"{name}: write [[{kind}]], not [{kind}]")
    return value


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadHosts(f"{value!r} is no table")
    return value


def _keys(table: Mapping[str, Any]) -> dict[str, Any]:
    return {_key(key): value for key, value in table.items()}


def _toml_host(table: dict[str, Any], defaults: dict[str, Any], specs: list[HostSpec]) -> None:
    word = _text(table.get("host"), "host")
    own = _keys({key: value for key, value in table.items() if key != "host"})
    specs.append(_spec(word, {**_apart(word, defaults), **own}))


def _toml_site(table: dict[str, Any], defaults: dict[str, Any], specs: list[HostSpec]) -> None:
    """Put hosts behind their access host: those of [[hosts]], and new ones."""
    access = _text(table.get("access"), "access")
    shared = _site_keys(table, defaults)
    for word in _texts(table.get("hosts"), "hosts"):
        spec = _find(word, specs)
        if spec is None:
            specs.append(spec := _spec(word, _apart(word, shared)))
        if spec.site not in (None, access):
            raise BadHosts(f"host {word!r} is behind {spec.site!r} too")
        spec.put_behind(access)


def _toml_door(table: dict[str, Any], defaults: dict[str, Any], specs: list[HostSpec]) -> None:
    """Add the access host of a site if nothing else has named it."""
    access = table["access"]
    if _find(access, specs) is None:
        specs.append(_spec(access, {**_apart(access, _site_keys(table, defaults)), "count": 0}))


def _site_keys(table: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    return {**defaults, **_keys({key: value for key, value in table.items() if key not in ("access", "hosts", "name")})}


def _apart(word: str, shared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the shared values without the user and port that the word of this host has itself."""
    own = from_word(word)
    return {key: value for key, value in shared.items() if key not in ("user", "port") or getattr(own, key) is None}


def _find(word: str, specs: list[HostSpec]) -> HostSpec | None:
    """Return the host of a name or a word; a word without user and port matches all of them."""
    wanted = from_word(word).place
    return next((spec for spec in specs if word == spec.name or wanted in (spec.place, folded(spec.host))), None)
