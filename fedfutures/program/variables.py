"""The program's variables, as the Origin follows them: what a call reaches, and snapshots of it.

A *variable* is a name in one of the program's modules, or a member of one of its classes. From the functions of a call
the variables that it can reach are found by name and by content, each with its token; while none of them changes, which
probes tell at little cost, the snapshot of the last time is used again. A value is taken down when it is first seen and
whenever it has changed, not when Workers ask for it: then it may be another one. Functions and classes are the
exception, for what they consist of is held.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import pickle
import sys
import types
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from . import snapshots
from .fresh import Unavailable, kind_of
from .modules import MISSING, Key, ProgramModules, describe, lookup, namespace
from .pickling import Reached, dump_variable
from .probes import Probe, is_frozen, probe_for
from .snapshots import NO_NAME, Seen, address_of
from .tokens import LRU_CACHE, Finding, Named, examine

SNAPSHOTS_KEPT = 64
INLINE_BYTES = 512
INLINE_CHANGED_BYTES = 16 << 10
EXACT_BYTES_A_SUBMIT = 256 << 10
Dump = Callable[[Any, Key, Named], tuple[bytes, Reached]]
"""Makes the payload of a variable's value, its large buffers in segments."""


class Version:
    """One value that a variable had, ready to travel or to be pickled when it is asked for."""

    __slots__ = ("__weakref__", "address", "body", "key", "token", "value")

    def __init__(self, key: Key, token: bytes, value: Any, body: bytes | None) -> None:
        self.key, self.token, self.value, self.body = key, token, value, body
        self.address = address_of(key, token)


class Snapshot:
    """What a call sees; holds the versions, so that they can be asked for as long as it is needed."""

    __slots__ = ("__weakref__", "body", "callables", "digest", "versions")

    def __init__(self, versions: dict[Key, Version], process: dict[str, Any], callables: list[Version]) -> None:
        self.versions, self.callables = versions, callables
        inline = {
            version.address: version.body
            for version in (*versions.values(), *callables)
            if version.body is not None and len(version.body) <= INLINE_BYTES
        }
        made = frozenset(module for module, _ in versions if getattr(sys.modules.get(module), "__spec__", None) is None)
        seen = Seen(
            {key: version.token for key, version in versions.items()}, inline, process,
            [version.token for version in callables], made - {"__main__"},
        )  # fmt: skip
        self.body = snapshots.pack(seen)
        self.digest = hashlib.blake2b(self.body, digest_size=snapshots.DIGEST_BYTES).digest()


class Variable:
    """A name of the program's, as it was when it was last looked at."""

    __slots__ = ("bytes", "changes", "finding", "key", "own", "probe", "value", "version")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.value: Any = MISSING
        self.finding = Finding(None, set(), set())
        self.own = b""
        self.probe: Probe | None = None
        self.bytes = 0
        self.changes = 0
        self.version: Version | None = None


class Variables:
    """All variables of the program that calls have reached so far."""

    def __init__(self, dump: Dump | None = None, release: Callable[[bytes], object] | None = None) -> None:
        self._dump = dump or dump_variable
        self._release = release
        self._modules = ProgramModules()
        self._variables: dict[Key, Variable] = {}
        self._versions: weakref.WeakValueDictionary[bytes, Version] = weakref.WeakValueDictionary()
        self._snapshots: weakref.WeakValueDictionary[bytes, Snapshot] = weakref.WeakValueDictionary()
        self._recent: OrderedDict[bytes, Snapshot] = OrderedDict()
        self._prefix = os.urandom(8)
        self._count = itertools.count(1)

    # -- what calls reach --------------------------------------------------------------------------------------------

    def reached_from(self, keys: Iterable[Key]) -> dict[Key, Variable]:
        """Return the variables that can be reached from these names, each looked at anew where it has changed."""
        found: dict[Key, Variable] = {}
        named: Named | None = None
        left = list(keys)
        while left:
            key = left.pop()
            if key in found:
                continue
            variable = self._variables.get(key)
            if variable is None or not is_current(variable):
                named = named or Named(self._modules)
                variable = self._look(key, named)
            found[key] = variable
            left.extend(variable.finding.reads)
            left.extend(variable.finding.parts)
        return found

    def _look(self, key: Key, named: Named) -> Variable:
        variable = self._variables.get(key)
        if variable is None:
            variable = self._variables[key] = Variable(key)
        value = lookup(key)
        finding = examine(value, named, key)
        body = None
        if finding.token is None or not _is_held(value):
            body, reached = self._taken_down(value, key, named)
            finding.reads |= reached.reads
            finding.parts |= reached.parts
        own = finding.token or self._prefix + next(self._count).to_bytes(8, "big")
        if own != variable.own:
            variable.changes += bool(variable.own)
            variable.version = None
        variable.value, variable.finding, variable.own = value, finding, own
        variable.probe, variable.bytes = probe_for(value, finding.token is not None, lambda: _is_as(value, key, own))
        if variable.version is None or variable.version.body is None:
            variable.version = Version(key, own, value, body)
            if body is not None and self._release is not None:
                weakref.finalize(variable.version, self._release, body).atexit = False
        return variable

    def _taken_down(self, value: Any, key: Key, named: Named) -> tuple[bytes, Reached]:
        """Return the payload of a value; of one that cannot travel, what says so on the Worker when it is used."""
        try:
            return self._dump(value, key, named)
        except Exception as error:
            return pickle.dumps(Unavailable(describe(key), kind_of(value), str(error)), 5), Reached()

    def snapshot(
        self, variables: dict[Key, Variable], process: dict[str, Any] | None = None,
        callables: Iterable[Version] = (), base: Snapshot | None = None,
    ) -> Snapshot:  # fmt: skip
        """Return the snapshot of these variables; those of `base` stay as they are there."""
        versions = {key: self._version_of(variable, variables) for key, variable in variables.items()}
        if base is not None:
            versions |= base.versions
        made = Snapshot(versions, process or {}, list(callables) or (base.callables if base is not None else []))
        known = self._snapshots.get(made.digest)
        if known is None:
            self._snapshots[made.digest] = known = made
        self._recent[made.digest] = known
        self._recent.move_to_end(made.digest)
        if len(self._recent) > SNAPSHOTS_KEPT:
            self._recent.popitem(last=False)
        return known

    def _version_of(self, variable: Variable, variables: dict[Key, Variable]) -> Version:
        """Return the version whose token also speaks for the objects inside that have names of their own."""
        own = variable.version
        assert own is not None
        parts = depends_on(variable.key, {key: other.finding for key, other in variables.items()}, variable.value)
        token = combined(own.token, ((key, variables[key].own) for key in parts))
        known = self._versions.get(address_of(variable.key, token))
        if known is None:
            known = own if token == own.token else Version(variable.key, token, own, own.body)
            self._versions[known.address] = known
        return known

    def version_of_callable(self, body: bytes, reached: Reached, variables: dict[Key, Variable]) -> Version:
        """Return the version of a callable that has no name in the program; its token speaks for its parts, too."""
        findings = {key: other.finding for key, other in variables.items()}
        parts = {part for key in reached.parts for part in (key, *depends_on(key, findings, None))}
        own = hashlib.blake2b(body, digest_size=16).digest()
        token = combined(own, ((key, variables[key].own) for key in sorted(parts)))
        version = self._versions.get(address_of(NO_NAME, token))
        if version is None:
            version = Version(NO_NAME, token, None, body)
            self._versions[version.address] = version
            if self._release is not None:
                weakref.finalize(version, self._release, body).atexit = False
        return version

    # -- what Workers ask for ----------------------------------------------------------------------------------------

    def body_of_snapshot(self, digest: bytes) -> bytes | None:
        """Return the body of a snapshot that some Future may still need."""
        found = self._snapshots.get(digest)
        return None if found is None else found.body

    def body_of_value(self, address: bytes) -> bytes | None:
        """Return a value as it stood when its token was taken; None if nothing needs it any more."""
        version = self._versions.get(address)
        if version is None:
            return None
        if version.body is None:
            inner = version.value if isinstance(version.value, Version) else version
            if inner.body is None:
                inner.body, _ = self._taken_down(inner.value, inner.key, Named(self._modules))
            version.body = inner.body
        return version.body

    def body_of_missing(self, module: str, name: str) -> bytes | None:
        """Return a class or function that the program has put into a module of others."""
        value: Any = sys.modules.get(module)
        for part in name.split("."):
            value = getattr(value, part, MISSING)
        if value is MISSING:
            return None
        body, _ = self._dump(value, (module, name), Named(self._modules))
        return body


def is_current(variable: Variable) -> bool:
    """Whether a variable has the value that it had when it was last looked at."""
    if lookup(variable.key) is not variable.value:
        return False
    return variable.probe is None or variable.probe()


def depends_on(key: Key, findings: dict[Key, Finding], value: Any) -> list[Key]:
    """Return the variables whose change makes another object of this one: those it consists of, classes aside.

    A cache depends on all that its function reads, too: what it has kept would be of other values.
    """
    found: set[Key] = set()
    is_cache = type(value) is LRU_CACHE
    left = [key]
    while left:
        finding = findings.get(left.pop())
        if finding is None:
            continue
        for part in finding.parts | finding.reads if is_cache else finding.parts:
            if part not in found and part != key and part in findings:
                found.add(part)
                left.append(part)
    return sorted(found)


def combined(own: bytes, parts: Iterable[tuple[Key, bytes]]) -> bytes:
    """Return the token of a value together with those of what it consists of."""
    parts = list(parts)
    if not parts:
        return own
    digest = hashlib.blake2b(own, digest_size=16)
    for key, token in parts:
        digest.update(repr(key).encode("utf-8", "surrogatepass") + token)
    return digest.digest()


def _is_held(value: Any) -> bool:
    """Whether a value stays as it is, so that it need not be taken down at once."""
    if value is MISSING or isinstance(value, (type, types.ModuleType)) or type(value) is LRU_CACHE:
        return True
    if type(value) is not types.FunctionType or value.__closure__ or value.__kwdefaults__ or vars(value):
        return False
    return is_frozen(value.__defaults__)


def _is_as(value: Any, key: Key, token: bytes) -> bool:
    return examine(value, Named(ProgramModules()), key).token == token


class Plan:
    """What is to be compared, at each submit of a callable, to know that its definition is still right."""

    __slots__ = ("_code", "_defaults", "_exact", "_keyword_defaults", "_names", "_others", "_turn", "definition")

    def __init__(self, function: Any, key: Key | None, definition: Any, variables: dict[Key, Variable]) -> None:
        self.definition = definition
        self._code = self._defaults = self._keyword_defaults = None
        if type(function) is types.FunctionType:
            self._code, self._defaults = function.__code__, function.__defaults__
            self._keyword_defaults = function.__kwdefaults__
        self._names: list[tuple[dict[str, Any], str, Any]] = []
        self._exact: list[Probe] = []
        self._others: list[Probe] = []
        self._turn = 0
        left = EXACT_BYTES_A_SUBMIT
        if key is not None and key not in variables:
            self._add_name(key, function)
        for at, variable in variables.items():
            self._add_name(at, variable.value)
            if variable.probe is not None:
                left -= variable.bytes
                (self._exact if left >= 0 else self._others).append(variable.probe)

    def _add_name(self, key: Key, value: Any) -> None:
        names = namespace(key[0])
        if names is not None and "." not in key[1]:  # members of classes are compared by the class
            self._names.append((names, key[1], value))

    def watch(self, probe: Probe) -> None:
        """Have one more thing compared."""
        self._exact.append(probe)

    def is_current(self, function: Any) -> bool:
        """Whether neither the callable nor what it reaches has changed, as far as one look can tell."""
        if self._code is not None and (
            function.__code__ is not self._code
            or function.__defaults__ is not self._defaults
            or function.__kwdefaults__ is not self._keyword_defaults
        ):
            return False
        for names, name, value in self._names:
            if names.get(name, MISSING) is not value:
                return False
        if self._exact:
            for probe in self._exact:
                if not probe():
                    return False
        if self._others:
            self._turn = (self._turn + 1) % len(self._others)
            return self._others[self._turn]()
        return True


def described(keys: Iterable[Key]) -> str:
    """Return names for people, the first few of many."""
    names = [describe(key) for key in sorted(keys)]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
