"""The program's modules in a Worker: brought to the snapshot of each Future before it runs.

For each variable that a snapshot names the Worker knows the token of what it was last given; the first time that is
the token of what its own import has made. Where the snapshot's token is the same, what the Worker has stays, and with
it what Futures have written there. Else the value comes, once for each version, and is set. The objects of the last few
versions are kept, so that Futures of several versions that are switched in the middle find each their own. One that
only begins finds the values as the program had them, not as others have left them in that version.
"""

from __future__ import annotations

import importlib
import io
import pickle
import sys
import types
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..errors import FutureError, VariableNotCarried
from . import snapshots
from .fresh import Unavailable
from .generators import Generators
from .graph import combined, depends_on, is_cache
from .modules import (
    MEMBERS,
    MISSING,
    Key,
    canonical,
    describe,
    lookup,
    made_module,
    members_of,
    namespace,
)
from .pickling import Circle, VariableUnpickler, fills, find
from .probes import Probe, large_probe
from .process import keys_of
from .snapshots import NO_NAME, Seen
from .tokens import LRU_CACHE, Finding, Named, examine

SNAPSHOTS_KEPT = 64
BODIES_KEPT = 512
BODY_BYTES = 64 << 10
"""Larger values are not kept as they came, but asked for again."""
VERSIONS_KEPT = 4
CALLABLES_KEPT = 256
_OWN_LARGE = b"own"
"""The token of what is too large to be compared, and is not the Origin's."""
_LEFT_BEHIND = b"left behind"
"""The token of what holds an object that has been replaced since, by a snapshot that left the holder out."""
_AS_FIRST_SEEN = b"as first seen"
"""The token of what the initializer has set and is too large to be compared: it stays until the Origin's changes."""

_STAY = (type, types.ModuleType, LRU_CACHE)
"""What Futures do not change, or what only holds values of its own version."""

Fetch = Callable[[Sequence[bytes]], list[bytes]]
"""Asks the Origin for bodies by their keys; raises :class:`~fedfutures.errors.VariableNotCarried`."""
Load = Callable[[bytes, Callable[[bytes, Sequence[Any]], Any]], Any]
"""Opens the payload of a value with a function that unpickles it."""


class Namespaces:
    """What this Worker has of the program's variables."""

    def __init__(self, fetch: Fetch, load: Load) -> None:
        self._fetch, self._load = fetch, load
        self._seen: OrderedDict[bytes, Seen] = OrderedDict()
        self._given: dict[Key, bytes] = {}
        self._kept: dict[Key, OrderedDict[bytes, Any]] = {}
        self._holders: dict[Key, set[Key]] = {}  # the variables whose values hold the object of this one
        self._with_classes: set[Key] = set()  # the variables that brought classes by value
        self._fills = 0  # of such classes, that variables have caused or that are allowed for
        self._values: dict[bytes, bytes] = {}  # addresses to values that came early: those of the initializer
        self._callables: OrderedDict[bytes, tuple[Any, Sequence[Any]]] = OrderedDict()  # each with its large buffers
        self._bodies_kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._suspended: Counter[bytes] = Counter()
        self._first_seen: dict[Key, bytes] = {}
        self._of_initializer: set[Key] = set()
        self._failures: dict[str, BaseException] = {}
        self.generators = Generators()
        self.current = b""
        self.origin = ""  # whose Futures run now: who can be asked for what they see
        self.process: dict[str, Any] = {}
        self.may_be_written: Callable[[Any], bool] = lambda buffer: True  # whether a buffer is not as it was mapped
        self.change_process: Callable[[dict[str, Any]], object] = lambda changes: None

    def learn(self, digest: bytes, body: bytes, values: dict[bytes, bytes]) -> None:
        """Take in a snapshot together with its values."""
        self._remember(digest, body)
        self._values |= values

    def note_failure(self, module: str, error: BaseException) -> None:
        """A module of the program cannot be imported here: Futures that need it raise that."""
        self._failures[canonical(module)] = error

    def switch(self, digest: bytes) -> None:
        """Bring the program's modules to a snapshot. Raises VariableNotCarried, or what importing a module raises."""
        if digest == self.current:
            return
        seen = self._seen.get(digest)
        if seen is None:
            [body] = self._fetch([snapshots.key_of_snapshot(digest, self.origin)])
            seen = self._remember(digest, body)
        changes_process = seen.process != self.process
        if changes_process:
            self.change_process(seen.process)
            self.process = seen.process
        self._bring_to(seen, goes_on=digest in self._suspended)
        if changes_process and keys_of(seen.process):  # whose functions are here only now
            self.change_process(seen.process)
        self.current = digest

    def suspend(self, digest: bytes) -> None:
        """A Future that sees this snapshot waits while others run; :meth:`resume` is the end of that."""
        self._suspended[digest] += 1

    def resume(self, digest: bytes) -> None:
        """It goes on: the program's modules are brought to its snapshot, with its own objects."""
        self.switch(digest)
        self._suspended[digest] -= 1
        if not self._suspended[digest]:
            del self._suspended[digest]

    def callables(self) -> list[Any]:
        """Return the callables that the snapshot now seen brought along.

        One whose large arrays a Future has written to is loaded anew: the next Future gets them as they came.
        """
        found = []
        seen = self._seen[self.current]
        for token in seen.callables:
            known = self._callables.get(token)
            if known is None or any(map(self.may_be_written, known[1])):
                body = self._bodies([(NO_NAME, token)], seen)[NO_NAME]
                before = fills()
                made, buffers = self._load(body, _unpickle_with_buffers)
                if fills() != before:  # its classes may be others when it is called again
                    found.append(made)
                    continue
                known = self._callables[token] = made, buffers
                while len(self._callables) > CALLABLES_KEPT:
                    self._callables.popitem(last=False)
            self._callables.move_to_end(token)
            found.append(known[0])
        return found

    def _remember(self, digest: bytes, body: bytes) -> Seen:
        seen = self._seen[digest] = snapshots.unpack(body)
        while len(self._seen) > SNAPSHOTS_KEPT:
            self._seen.popitem(last=False)
        return seen

    # -- bringing variables to a snapshot --------------------------------------------------------------------------

    def _bring_to(self, seen: Seen, goes_on: bool) -> None:
        given = self._given
        if fills() != self._fills:  # arguments brought classes by value, which may be those of variables
            for key in self._with_classes:
                self.leave_behind(key)
        different = [key for key, token in seen.tokens.items() if given.get(key) != token]
        if not different:
            self._fills = fills()
            return
        for module in {key[0] for key in different}:
            self._have_module(module, seen)
        fresh = [key for key in different if key not in given]
        if fresh:
            self.take_stock(fresh)
            different = [key for key in different if given[key] != seen.tokens[key]]
        different = [key for key in different if not self._is_as_first_seen(key, seen.tokens[key])]
        if different:
            Setting(self, seen, self._with_members(different, seen), goes_on).run()
        self.generators.note({*fresh, *different})
        self._fills = fills()

    def _with_members(self, keys: list[Key], seen: Seen) -> list[Key]:
        """Add the members of classes that are about to be others: what is known of them is of the present class."""
        found = dict.fromkeys(keys)
        for module, name in keys:
            if (module, f"{name}.{MEMBERS}") in seen.tokens:
                members = [key for key in seen.tokens if key[0] == module and key[1].startswith(f"{name}.")]
                for key in members:
                    self._kept.pop(key, None)
                found |= dict.fromkeys(members)
        return list(found)

    def _have_module(self, module: str, seen: Seen) -> None:
        """Import a module of the program that this Worker lacks; make it where the program has made it."""
        failure = self._failures.get(module)
        if failure is not None:
            raise ImportError(f"the program cannot be imported by Workers: {failure!r}") from failure
        if namespace(module) is not None:
            return
        if module not in seen.made:
            try:
                importlib.import_module(module)
                return
            except ModuleNotFoundError as error:
                if error.name not in (module, module.partition(".")[0]):
                    raise
        sys.modules[module] = made_module(module)

    def take_stock(self, keys: Iterable[Key]) -> None:
        """Compute the tokens of what the import has made of these variables."""
        named = Named()
        findings: dict[Key, Finding] = {}
        keys = list(keys)
        left = keys.copy()
        while left:
            key = left.pop()
            if key not in findings:
                findings[key] = found = examine(lookup(key), named, key)
                self.note_parts([key], found.reach.parts)
                left.extend(found.reach.parts)
                if is_cache(lookup(key)):
                    left.extend(found.reach.reads)
        tokens = {key: found.token or _OWN_LARGE for key, found in findings.items()}
        for key in keys:
            parts = depends_on(key, findings.get, is_cache(lookup(key)))
            self._given[key] = combined(tokens[key], ((part, tokens[part]) for part in parts))

    def note_parts(self, holders: Iterable[Key], parts: Iterable[Key]) -> None:
        """The values of these variables hold the objects of those."""
        for part in parts:
            self._holders.setdefault(part, set()).update(holders)

    def holders_of(self, key: Key) -> set[Key]:
        """Return the variables whose values hold the object of this one, or what holds it, and so on."""
        found: set[Key] = set()
        left = [key]
        while left:
            new = self._holders.get(left.pop(), set()) - found
            found |= new
            left.extend(new)
        return found - {key}

    def leave_behind(self, key: Key) -> None:
        """Have a variable come anew before a Future sees it, whatever its token is."""
        given = self._given.get(key)
        if given is not None and given not in (_LEFT_BEHIND, _AS_FIRST_SEEN):
            self._kept.setdefault(key, OrderedDict())[given] = lookup(key)
            self._given[key] = _LEFT_BEHIND

    def note_classes(self, keys: Iterable[Key]) -> None:
        """The values of these variables brought classes by value."""
        self._with_classes.update(keys)

    def before_changes(self) -> dict[Key, tuple[Any, Probe | None]]:
        """Return what the initializer can reach, before it runs, with what tells whether a large value has changed."""
        seen = self._seen.get(self.current)
        named = Named()
        return {
            key: (value := lookup(key), large_probe(value) if examine(value, named, key).token is None else None)
            for key in (seen.tokens if seen is not None else ())
        }

    def keep_what_changed(self, before: dict[Key, tuple[Any, Probe | None]]) -> None:
        """The initializer has run: large values that it has set stay until the program's own change.

        So does what it has set where the program has something that cannot travel, a lock that it was given, say.
        """
        for key, (value, probe) in before.items():
            if lookup(key) is not value:
                self._of_initializer.add(key)
            if probe is not None and (lookup(key) is not value or not probe()):
                self._given[key] = _AS_FIRST_SEEN

    def stays(self, key: Key, token: bytes, value: Any) -> bool:
        """Whether a variable keeps what the initializer has set, since the program's value cannot be had."""
        if type(value) is not Unavailable or key not in self._of_initializer:
            return False
        return self._first_seen.setdefault(key, token) == token

    def _is_as_first_seen(self, key: Key, token: bytes) -> bool:
        if self._given[key] != _AS_FIRST_SEEN:
            return False
        return self._first_seen.setdefault(key, token) == token

    def _bodies(self, wanted: list[tuple[Key, bytes]], seen: Seen) -> dict[Key, bytes]:
        """Return the values of these variables' tokens, all that are not here asked for at once."""
        addresses = {key: snapshots.address_of(key, token) for key, token in wanted}
        found = {key: body for key, at in addresses.items() if (body := seen.inline.get(at) or self._values.get(at))}
        found |= {key: body for key, at in addresses.items() if (body := self._bodies_kept.get(at))}
        lacking = sorted(addresses.keys() - found.keys())
        if lacking:
            came = self._fetch([snapshots.key_of_value(addresses[key], self.origin) for key in lacking])
            found |= zip(lacking, came)
            self._bodies_kept |= {addresses[key]: body for key, body in zip(lacking, came) if len(body) < BODY_BYTES}
            while len(self._bodies_kept) > BODIES_KEPT:
                self._bodies_kept.popitem(last=False)
        return found


class Setting:
    """One pass that sets the variables that differ from a snapshot, each after those that it consists of."""

    def __init__(self, namespaces: Namespaces, seen: Seen, keys: list[Key], goes_on: bool) -> None:
        self._namespaces, self._seen = namespaces, seen
        self._keys = set(keys)
        self._left = dict.fromkeys(sorted(keys, key=lambda key: (key[1].endswith(MEMBERS), key[1].count("."))))
        self._of_new_class = {key for key in keys if self._is_member_of_any(key, keys)}
        self._made: set[Key] = set()
        self._ran_hooks = False
        self._kept = namespaces._kept
        self._given = namespaces._given
        self._goes_on = goes_on
        wanted = [(key, token) for key in keys if not self._has(key, token := seen.tokens[key]) and token != b"missing"]
        self._bodies = namespaces._bodies(wanted, seen)

    def _has(self, key: Key, token: bytes) -> bool:
        """Whether an object of this version is here that can be used again."""
        kept: Any = self._kept.get(key, {})
        if _AS_FIRST_SEEN in kept and token == self._namespaces._first_seen.get(key):
            return True
        return token in kept and (self._goes_on or isinstance(kept[token], _STAY))

    def _is_member_of_any(self, key: Key, keys: list[Key]) -> bool:
        owner = key[1].rpartition(".")[0]
        return bool(owner) and (key[0], owner) in keys

    def run(self) -> None:
        """Set them all.

        Making a class may run hooks (``__init_subclass__``) that change variables: those are then set once more.
        """
        keys = dict(self._left)
        while self._left:
            self._set(next(iter(self._left)))
        if self._made:
            self._left = {key: None for key in keys if key not in self._made}
            while self._left:
                self._set(next(iter(self._left)))
        if self._ran_hooks:
            for key in keys:  # they may have changed what was here before
                kept = self._kept.pop(key, OrderedDict())
                now = self._given[key]
                self._kept[key] = OrderedDict((t, v) for t, v in kept.items() if t == now or isinstance(v, type))

    def _set(self, key: Key) -> None:
        del self._left[key]
        token, old = self._seen.tokens[key], lookup(key)
        kept = self._kept.setdefault(key, OrderedDict())
        if token == b"missing":
            value = MISSING
        elif key not in self._bodies:
            is_first = _AS_FIRST_SEEN in kept and token == self._namespaces._first_seen.get(key)
            value = kept[_AS_FIRST_SEEN if is_first else token]
        else:
            value = self._loaded(key, self._bodies[key])
            if self._namespaces.stays(key, token, value):
                value = old
            if type(value) is Circle:
                value = self._set_circle(key, value)
            if token in kept and kept[token] is not value:
                self._forget_holders(key)
            if isinstance(value, type) and value is not old:
                self._made.add(key)
        self._place(key, old, value)

    def _set_circle(self, key: Key, circle: Circle) -> Any:
        """Set variables that contain each other; return the value of the one that was asked for."""
        values = dict(zip(circle.keys, circle.values))
        for other in [other for other in values if other in self._left]:
            del self._left[other]
            self._place(other, lookup(other), values[other])
        return values[key]

    def _place(self, key: Key, old: Any, value: Any) -> None:
        token = self._seen.tokens[key]
        if not key[1].endswith(MEMBERS):  # what members a class had is told by now only by what came
            kept = self._kept.setdefault(key, OrderedDict())
            if key not in self._of_new_class and self._given[key] != _LEFT_BEHIND:
                kept[self._given[key]] = old
            kept[token] = value
            kept.move_to_end(token)
            while len(kept) > VERSIONS_KEPT:
                kept.popitem(last=False)
        assign(key, value)
        self._given[key] = token
        if value is not old:
            self._leave_behind(key)

    def _leave_behind(self, key: Key) -> None:
        """What holds the object that was replaced comes anew, too, before a Future sees it, whatever its token is."""
        for holder in self._namespaces.holders_of(key) - self._keys:
            self._namespaces.leave_behind(holder)

    def _forget_holders(self, key: Key) -> None:
        """A version that is kept has come once more: what is kept of its holders is with the object of before."""
        for holder in self._namespaces.holders_of(key) - self._keys:
            self._kept.pop(holder, None)

    def _loaded(self, key: Key, body: bytes) -> Any:
        try:
            return self._namespaces._load(body, lambda *parts: self._unpickle(key, *parts))
        except FutureError:
            raise
        except Exception as error:
            return Unavailable(describe(key), "its value", f"it cannot be loaded here: {error!r}")

    def _unpickle(self, key: Key, stream: Any, buffers: Sequence[Any]) -> Any:
        unpickler = VariableUnpickler(io.BytesIO(stream), buffers, self._find)
        before = fills()
        value = unpickler.load()
        keys = value.keys if type(value) is Circle else [key]
        self._namespaces.note_parts(keys, unpickler.parts)
        if fills() != before:
            self._namespaces.note_classes(keys)
        self._ran_hooks = self._ran_hooks or unpickler.makes_classes
        return value

    def _find(self, key: Key) -> Any:
        """Return an object that has a name of its own, as this snapshot has it."""
        if key in self._left:
            self._set(key)
        try:
            return find(key)
        except AttributeError as error:
            raise VariableNotCarried(describe(key), "the variable", str(error)) from error


def _unpickle_with_buffers(stream: Any, buffers: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
    return pickle.loads(stream, buffers=buffers), buffers


def assign(key: Key, value: Any) -> None:
    """Give a variable its value, or remove it."""
    module, name = key
    owner, _, last = name.rpartition(".")
    if owner:
        holder = lookup((module, owner))
        if not isinstance(holder, type):
            return
        if last == MEMBERS:
            for gone in set(members_of(holder)) - set(() if value is MISSING else value):
                assign((module, f"{owner}.{gone}"), MISSING)
            return
        try:
            if value is MISSING:
                type.__delattr__(holder, last)
            else:
                type.__setattr__(holder, last, value)
        except (AttributeError, TypeError):
            pass  # not to be set in this class, which came as a whole
        return
    names = namespace(module)
    if names is None:
        return
    if value is MISSING:
        names.pop(last, None)
    else:
        names[last] = value
