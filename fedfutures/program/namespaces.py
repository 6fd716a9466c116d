"""Brings the program's modules in a Worker to the snapshot of each Future before it runs.

A variable whose token (:mod:`.given`) is that of the snapshot keeps its value, and with it what Futures have written
there. Else the value comes, once for each version, and is set (:mod:`.setting`). The objects of the last few versions
are kept: Futures of several versions that wait for each other find each their own. A Future that begins finds the
values as the program had them.
"""

from __future__ import annotations

import importlib
import pickle
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from . import snapshots
from .generators import Generators
from .given import Given
from .modules import MEMBERS, Key, canonical, made_module, namespace
from .pickling import fills
from .probes import Probe
from .process import keys_of
from .setting import Load, Setting
from .snapshots import NO_NAME, Seen
from .tokens import MISSING_TOKEN

SNAPSHOTS_KEPT = 64
BODIES_KEPT = 512
BODY_BYTES = 64 << 10  # larger bodies are not kept, but asked for again
CALLABLES_KEPT = 256
ROUNDS_AT_MOST = 4

Fetch = Callable[[Sequence[bytes]], list[bytes]]
"""Asks the Origin for the bodies of keys; raises :class:`~fedfutures.errors.VariableNotCarried`."""


class Namespaces:
    """The program's variables in this Worker. `may_be_written`: whether a buffer may differ from what was mapped."""

    def __init__(
        self, fetch: Fetch, load: Load, change_process: Callable[[dict[str, Any]], object] = lambda changes: None,
        may_be_written: Callable[[Any], bool] = lambda buffer: True,
    ) -> None:  # fmt: skip
        self._fetch, self._load = fetch, load
        self._given = Given()
        self._seen: OrderedDict[bytes, Seen] = OrderedDict()
        self._values: dict[bytes, bytes] = {}  # by address: those that came with the initializer
        self._callables: OrderedDict[bytes, tuple[Any, Sequence[Any]]] = OrderedDict()  # each with its large buffers
        self._bodies_kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._suspended: Counter[bytes] = Counter()
        self._failures: dict[str, BaseException] = {}
        self.generators = Generators()
        self.current = b""
        self.origin = ""  # whose Futures run now, and who has their snapshots and values
        self.process: dict[str, Any] = {}
        self.may_be_written = may_be_written
        self.change_process = change_process

    def statistics(self) -> dict[str, int]:
        """Return the numbers of things kept, by name."""
        kept = {"snapshots": len(self._seen), "callables": len(self._callables), "bodies": len(self._bodies_kept)}
        return kept | self._given.statistics()

    def learn(self, digest: bytes, body: bytes, values: dict[bytes, bytes]) -> None:
        """Take in a snapshot together with its values."""
        self._remember(digest, body)
        self._values |= values

    def note_failure(self, module: str, error: BaseException) -> None:
        """Have Futures raise this error when they need a module that cannot be imported here."""
        self._failures[canonical(module)] = error

    def switch(self, digest: bytes, origin: str | None = None) -> None:
        """Bring the program's modules to a snapshot; `origin`: that of another Origin than before.

        Raises VariableNotCarried, or the error of importing a module.
        """
        if origin is not None:
            self.origin = origin
        if digest == self.current:
            return
        seen = self._seen.get(digest)
        if seen is None:
            [body] = self._fetch([snapshots.key_of("state", digest, self.origin)])
            seen = self._remember(digest, body)
        changes_process = seen.process != self.process
        if changes_process:
            self.change_process(seen.process)
            self.process = seen.process
        self._bring_to(seen, goes_on=digest in self._suspended)
        if changes_process and keys_of(seen.process):  # its signal handlers are defined only now
            self.change_process(seen.process)
        self.current = digest

    def suspend(self, digest: bytes) -> None:
        """Note that a Future of this snapshot waits while others run, until :meth:`resume`."""
        self._suspended[digest] += 1

    def resume(self, digest: bytes, origin: str | None = None) -> None:
        """Bring the program's modules back to the snapshot of a Future that waited, with the objects that it had."""
        self.switch(digest, origin)
        self._suspended[digest] -= 1
        if not self._suspended[digest]:
            del self._suspended[digest]

    def callables(self) -> list[Any]:
        """Return the callables of the current snapshot.

        One whose large arrays a Future has written to is loaded anew: the next Future gets them as they came.
        """
        found = []
        seen = self._seen[self.current]
        for token in seen.callables:
            known = self._callables.get(token)
            if known is None or any(map(self.may_be_written, known[1])):
                body = self._bodies([(NO_NAME, token)], seen)[NO_NAME]
                before = fills()
                made, buffers = self._load(body, lambda data, parts: (pickle.loads(data, buffers=parts), parts))
                if fills() != before:  # it brought classes, which may be others at the next call
                    found.append(made)
                    continue
                known = self._callables[token] = made, buffers
                _shrink(self._callables, CALLABLES_KEPT)
            self._callables.move_to_end(token)
            found.append(known[0])
        return found

    def _remember(self, digest: bytes, body: bytes) -> Seen:
        seen = self._seen[digest] = snapshots.unpack(body)
        _shrink(self._seen, SNAPSHOTS_KEPT)
        return seen

    def before_changes(self) -> dict[Key, tuple[Any, Probe | None]]:
        """Return what :meth:`keep_what_changed` needs, before the initializer runs."""
        seen = self._seen.get(self.current)
        return self._given.before_changes(() if seen is None else seen.tokens)

    def keep_what_changed(self, before: dict[Key, tuple[Any, Probe | None]]) -> None:
        """See :meth:`.given.Given.keep_what_changed`."""
        self._given.keep_what_changed(before)

    # -- bringing variables to a snapshot --------------------------------------------------------------------------

    def _bring_to(self, seen: Seen, goes_on: bool) -> None:
        given, tokens = self._given, seen.tokens
        for _ in range(ROUNDS_AT_MOST):  # a new object of one may have others come anew, which hold the former one
            different = given.differing(tokens)
            for module in {key[0] for key in different}:
                self._have_module(module, seen)
            fresh = [key for key in different if key not in given]
            if fresh:
                given.take_stock(fresh)
            different = [key for key in different if not given.is_right(key, tokens[key])]
            if different:
                self._set(self._with_members(different, seen), seen, goes_on)
            if fresh or different:
                self.generators.note({*fresh, *different})
            given.is_up_to_date()
            if not different:
                break

    def _set(self, keys: list[Key], seen: Seen, goes_on: bool) -> None:
        lacking = [(key, token) for key in keys if not self._given.has(key, token := seen.tokens[key], goes_on=goes_on)]
        bodies = self._bodies([(key, token) for key, token in lacking if token != MISSING_TOKEN], seen)
        Setting(self._given, seen, keys, bodies, self._load).run()

    def _with_members(self, keys: list[Key], seen: Seen) -> list[Key]:
        """Add the members of classes that are to be replaced: their tokens are those of the present class."""
        found = dict.fromkeys(keys)
        for module, name in keys:
            if (module, f"{name}.{MEMBERS}") in seen.tokens:
                members = [key for key in seen.tokens if key[0] == module and key[1].startswith(f"{name}.")]
                self._given.forget(members)
                found |= dict.fromkeys(members)
        return list(found)

    def _have_module(self, module: str, seen: Seen) -> None:
        """Import a module that this Worker lacks, or make one that the program has made without a file."""
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

    def _bodies(self, wanted: list[tuple[Key, bytes]], seen: Seen) -> dict[Key, bytes]:
        """Return the values of these tokens; ask for all that are not here at once."""
        addresses = {key: snapshots.address_of(key, token) for key, token in wanted}
        kept, early = self._bodies_kept, self._values
        found = {key: kept.get(at) or seen.inline.get(at) or early.get(at, b"") for key, at in addresses.items()}
        lacking = sorted(key for key, body in found.items() if not body)
        if lacking:
            came = self._fetch([snapshots.key_of("value", addresses[key], self.origin) for key in lacking])
            found |= zip(lacking, came)
            self._bodies_kept |= {addresses[key]: body for key, body in zip(lacking, came) if len(body) < BODY_BYTES}
            _shrink(self._bodies_kept, BODIES_KEPT)
        return found


def _shrink(kept: OrderedDict[bytes, Any], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)
