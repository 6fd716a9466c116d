"""The Origin's view of the program's variables: those that a call can reach, their versions, and snapshots.

A *variable* is a name in one of the program's modules, or a member of one of its classes. While no variable that a call
reaches changes, which probes tell at little cost, its last snapshot holds. A changed value is pickled at once, not
when Workers ask for it: by then it may have changed again. Functions and classes wait: their version holds their parts.
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

from ..lazy_dataclass import dataclass, field
from . import snapshots
from .code_objects import copy_of
from .fresh import Unavailable, kind_of
from .graph import Graph, combined
from .modules import MAIN, MEMBERS, MISSING, SHARED, Key, attribute_of, describe, lookup, unwrapped
from .pickling import Circle, dump_variable
from .postponing import is_by_signal, pickles_for_program
from .probes import Probe, is_plain, probe_for
from .reach import Reach, keys_in_modules
from .shared_objects import SharedObjects
from .snapshots import NO_NAME, Seen, address_of
from .tokens import LRU_CACHE, Finding, Named, examine

pickles_for_program(__name__)

SNAPSHOTS_KEPT = 64
LARGE_CALLABLES_KEPT = 4  # so many snapshots with callables that hold large data are kept for the next call
_PICKLE = b"\x80"  # the first byte of a payload without segments
INLINE_BYTES = 512
ROUNDS_AT_MOST = 16
Dump = Callable[[Any, Key, Named], tuple[bytes, Reach]]
"""Makes the payload of a variable's value, with large buffers in segments."""


class Version:
    """One value that a variable had, pickled (`body`) or to be pickled when a Worker asks for it."""

    __slots__ = ("__weakref__", "address", "body", "is_large", "key", "own", "token", "value")

    def __init__(
        self, key: Key, token: bytes, value: Any, body: bytes | None, *, is_large: bool = False,
        own: Version | None = None,
    ) -> None:  # fmt: skip
        self.key, self.token, self.body, self.is_large = key, token, body, is_large
        self.value = value if body is None else None
        self.own = own  # the version of the value without its named parts, which owns the segments
        self.address = address_of(key, token)


class Snapshot:
    """What a call sees of the program; keeps the versions as long as Workers may ask for them."""

    __slots__ = ("__weakref__", "body", "callables", "digest", "has_large_callables", "reach", "versions")

    def __init__(
        self, versions: dict[Key, Version], process: dict[str, Any], callables: list[Version], reach: Reach
    ) -> None:  # fmt: skip
        self.versions, self.callables, self.reach = versions, callables, reach
        self.has_large_callables = any(version.is_large for version in callables)
        inline = {
            version.address: version.body
            for version in (*versions.values(), *callables)
            if version.body is not None and len(version.body) <= INLINE_BYTES
        }
        made = frozenset(module for module, _ in versions if getattr(sys.modules.get(module), "__spec__", None) is None)
        seen = Seen(
            {key: version.token for key, version in versions.items()}, inline, process,
            [version.token for version in callables], made - {MAIN, SHARED},
        )  # fmt: skip
        self.body = snapshots.pack(seen)
        self.digest = hashlib.blake2b(self.body, digest_size=snapshots.DIGEST_BYTES).digest()


@dataclass(slots=True, eq=False)
class Variable:
    """A variable of the program, as of the last look."""

    key: Key
    value: Any = MISSING
    finding: Finding = field(default_factory=lambda: Finding(None))
    own: bytes = b""  # its token without those of its named parts
    probe: Probe | None = None
    bytes: int = 0
    parts: list[tuple[Key, Any]] = field(default_factory=list)  # keys of objects inside, and these objects
    claims: list[int] = field(default_factory=list)  # ids of objects inside without a name
    since: int = 0  # the first pass that found this value
    classes: int = 0  # how many different classes this name has had
    version: Version | None = None


class Variables:
    """The variables of the program that calls have reached so far."""

    def __init__(self, dump: Dump | None = None, release: Callable[[bytes], object] | None = None) -> None:
        self._dump = dump or dump_variable
        self._release = release
        self._variables: dict[Key, Variable] = {}
        self._versions: weakref.WeakValueDictionary[bytes, Version] = weakref.WeakValueDictionary()
        self._snapshots: weakref.WeakValueDictionary[bytes, Snapshot] = weakref.WeakValueDictionary()
        self._recent: OrderedDict[bytes, Snapshot] = OrderedDict()
        self._prefix = os.urandom(8)
        self._count = itertools.count(1)
        self._shared = SharedObjects()
        self._pass = 0

    def statistics(self) -> dict[str, int]:
        """Return the numbers of variables, versions, snapshots, and snapshots kept for the next call."""
        return {
            "variables": len(self._variables), "versions": len(self._versions), "snapshots": len(self._snapshots),
            "recent": len(self._recent),
        }  # fmt: skip

    # -- what calls reach --------------------------------------------------------------------------------------------

    def reached_from(self, reach: Reach) -> dict[Key, Variable]:
        """Return all variables within reach, looked at anew where they have changed; add what they reach to `reach`."""
        for _ in range(ROUNDS_AT_MOST):
            found = self._reached_once(reach)
            if not self._shared.stale & found.keys():
                break
        return found

    def _reached_once(self, reach: Reach) -> dict[Key, Variable]:
        found: dict[Key, Variable] = {}
        named: Named | None = None
        self._pass += 1
        left = [*reach.reads, *reach.parts]
        while True:
            while left:
                key = left.pop()
                if key in found:
                    continue
                variable = self._variables.get(key)
                if variable is None or key in self._shared.stale or not is_current(variable):
                    named = named or self._named()
                    variable = self._look(key, named)
                found[key] = variable
                inner = variable.finding.reach
                reach.add_lookups(inner)
                left.extend(inner.reads)
                left.extend(inner.parts)
            left = [key for key in keys_in_modules(reach, self._variables) if key not in found]
            if not left:
                return found

    def _named(self) -> Named:
        """Return the names of objects; each keeps the name by which it was first known."""
        known = sorted(self._variables.values(), key=lambda variable: (variable.since, variable.key))
        return Named((variable.key, variable.value) for variable in known)

    def _look(self, key: Key, named: Named) -> Variable:
        variable = self._variables.get(key)
        if variable is None:
            variable = self._variables[key] = Variable(key)
        value = lookup(key)
        finding = self._examined(variable, value, named)
        body = None
        is_alias = named.key_of(value) not in (None, key)  # the name may mean another object when a Worker asks
        if finding.token is None or is_alias or not _is_held(value):
            body, reached = self._dumped(value, key, named)
            finding.reach.add(reached)
        own = finding.token or self._prefix + next(self._count).to_bytes(8, "big")
        if isinstance(value, type):
            if value is not variable.value:
                variable.classes += 1
            if variable.classes > 1 and finding.token is not None:  # another class, though its token may be the same
                own = combined(own, [(key, str(variable.classes).encode())])
            before = {part for part in variable.finding.reach.reads if part[1].startswith(f"{key[1]}.")}
            finding.reach.reads.update(before)  # members may be gone
        if own != variable.own:
            variable.version = None
        if value is not variable.value:
            variable.since = self._pass
        variable.value, variable.finding, variable.own = value, finding, own
        variable.parts = [(part, _named_by(part)) for part in finding.reach.parts]
        variable.bytes = finding.size
        is_as_found = lambda: examine(value, Named(), key).token == finding.token  # noqa: E731
        variable.probe = probe_for(value, finding.token is not None, is_as_found)
        if variable.version is None or variable.version.body is None:
            goes_by_value = type(value) is types.FunctionType and named.key_of(value) == key
            held = copy_of(value, value.__closure__) if goes_by_value else value  # the program may change its code
            variable.version = Version(key, own, held, body, is_large=finding.token is None)
            self._release_with(variable.version)
        return variable

    def _examined(self, variable: Variable, value: Any, named: Named) -> Finding:
        """Examine a value; objects that it shares with another variable become variables."""
        self._shared.forget(variable.key, variable.claims)
        self._shared.has_a_name(variable.key, value)
        while True:
            finding = examine(value, named, variable.key)
            if not self._shared.claim(variable.key, finding.claims, named):
                variable.claims = list(finding.claims)
                self._shared.stale.discard(variable.key)
                return finding

    def _dumped(self, value: Any, key: Key, named: Named) -> tuple[bytes, Reach]:
        """Return the payload of a value; for one that cannot travel, that of a stand-in."""
        try:
            return self._dump(value, key, named)
        except Exception as error:
            if is_by_signal(error):
                raise
            return pickle.dumps(Unavailable(describe(key), kind_of(value), str(error)), 5), Reach()

    def snapshot(
        self, variables: dict[Key, Variable], process: dict[str, Any] | None = None,
        callables: Iterable[tuple[bytes, Reach]] = (), base: Snapshot | None = None, reach: Reach | None = None,
    ) -> Snapshot:  # fmt: skip
        """Return the snapshot of these variables; those in `base` keep their versions of there."""
        graph = Graph(variables)
        versions = {key: self._version_of(variable, graph) for key, variable in variables.items()}
        brought = [self._version_of_callable(body, inner, graph) for body, inner in callables]
        if base is not None:
            versions |= base.versions
            brought = brought or base.callables
        made = Snapshot(versions, process or {}, brought, Reach() if reach is None else reach)
        known = self._snapshots.get(made.digest)
        if known is None:
            self._snapshots[made.digest] = known = made
        self._recent[made.digest] = known
        self._recent.move_to_end(made.digest)
        self._keep_recent()
        return known

    def _keep_recent(self) -> None:
        """Drop old snapshots, and those with large values that variables no longer have."""
        while len(self._recent) > SNAPSHOTS_KEPT:
            self._recent.popitem(last=False)
        for digest, snapshot in list(self._recent.items()):
            for key, version in snapshot.versions.items():
                variable = self._variables.get(key)
                if version.is_large and variable is not None and variable.version not in (version, version.own):
                    del self._recent[digest]
                    break
        large = [digest for digest, snapshot in self._recent.items() if snapshot.has_large_callables]
        for digest in large[:-LARGE_CALLABLES_KEPT]:
            self._recent.pop(digest)

    def _version_of(self, variable: Variable, graph: Graph) -> Version:
        """Return the version whose token covers the named objects inside, too."""
        own = variable.version
        assert own is not None
        key = variable.key
        parts = graph.depends_on(key)
        if not parts:
            self._versions.setdefault(own.address, own)
            return self._versions[own.address]
        token = combined(own.token, ((part, graph.own(part)) for part in parts))
        known = self._versions.get(address_of(key, token))
        if known is None:
            circle = graph.circle_of(key)
            if len(circle) > 1:
                body, _ = self._dumped(Circle(circle, [_named_by(k) for k in circle]), key, self._named())
                known = Version(key, token, None, body, is_large=own.is_large)
                self._release_with(known)
            else:
                known = Version(key, token, None, own.body, is_large=own.is_large, own=own)
            self._versions[known.address] = known
        return known

    def _release_with(self, version: Version) -> None:
        """Release the segments of a value when its version is gone."""
        if version.body is not None and self._release is not None:
            weakref.finalize(version, self._release, version.body).atexit = False

    def _version_of_callable(self, body: bytes, reach: Reach, graph: Graph) -> Version:
        """Return the version of a callable without a name in the program; its token covers its parts, too."""
        parts = {part for key in reach.parts for part in (key, *graph.depends_on(key))}
        own = hashlib.blake2b(body, digest_size=16).digest()
        token = combined(own, ((key, graph.own(key)) for key in sorted(parts)))
        version = self._versions.get(address_of(NO_NAME, token))
        if version is None:
            version = Version(NO_NAME, token, None, body, is_large=body[:1] != _PICKLE)
            self._versions[version.address] = version
            self._release_with(version)
        elif self._release is not None:  # it has these segments already
            self._release(body)
        return version

    # -- answers to Workers ------------------------------------------------------------------------------------------

    def body_of_snapshot(self, digest: bytes) -> bytes | None:
        """Return the body of a snapshot, None if no Future needs it any more."""
        found = self._snapshots.get(digest)
        return None if found is None else found.body

    def body_of_value(self, address: bytes) -> bytes | None:
        """Return the value of a token, as of then; None if no Future needs it any more."""
        version = self._versions.get(address)
        if version is None:
            return None
        own = version.own or version
        if own.body is None:
            own.body, _ = self._dumped(own.value, own.key, self._named())
            own.value = None
            self._release_with(own)
        version.body = version.body or own.body
        return version.body

    def body_of_missing(self, module: str, name: str) -> bytes | None:
        """Return a class or function that the program has put into an installed module."""
        value = attribute_of(module, name)
        return None if value is MISSING else self._dump(value, (module, name), self._named())[0]


def is_current(variable: Variable) -> bool:
    """Whether a variable is unchanged since the last look."""
    value = lookup(variable.key)
    if value is not variable.value and not (variable.key[1].endswith(MEMBERS) and value == variable.value):
        return False
    for part, meant in variable.parts:
        if _named_by(part) is not meant:  # another object has the name now
            return False
    return variable.probe is None or variable.probe()


def _named_by(key: Key) -> Any:
    return unwrapped(lookup(key))


def _is_held(value: Any) -> bool:
    """Whether a version can hold a value unchanged, so that it can be pickled later."""
    if value is MISSING or isinstance(value, (type, types.ModuleType)) or type(value) is LRU_CACHE:
        return True
    return type(value) is types.FunctionType and is_plain(value)


def described(keys: Iterable[Key]) -> str:
    """Return names for people, the first few of many."""
    names = [describe(key) for key in sorted(keys)]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
