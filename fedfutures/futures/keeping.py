"""Keeps the results of what a program submits in a checkpoint, and takes them from there.

A call is known by its digest (:mod:`..checkpoint.digests`) and by how many calls of the same digest its keeper has seen
before: ten equal calls are ten results, in the next run, too. A result is pickled before anybody can have it, and so
change it (:mod:`..worker.watched`).
"""

from __future__ import annotations

import io
import logging
import os
import pickle
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ..checkpoint.digests import CallDigests, digest_of_parts, function_parts, repeated
from ..errors import CheckpointRefused, NotSupportedHere
from ..program.callables import not_callable
from ..program.pickling import ProgramUnpickler, dump_by_value
from ..program.postponing import calls_program, is_by_signal
from ..wire.functions import name_of
from ..worker import current
from ..worker.call_terms import CallTerms
from ..worker.future import Future, resolved
from ..worker.seeding import Seeded
from ..worker.slices import Star
from ..worker.streams import Stream
from ..worker.watched import watch

calls_program(__name__)

logger = logging.getLogger("fedfutures")
DIGESTS_KEPT = 256


class Keeper:
    """Knows the calls of one run of a program, or of one map, that a checkpoint has results of."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        from ..checkpoint.store import opened_store  # not before: sqlite3 takes its time to be imported

        self.path = os.fspath(path)
        self._store = opened_store(self.path)
        self.close = weakref.finalize(self, self._store.close)  # its Futures hold it until they are done
        self._is_new = self._store.is_empty  # then no call is looked up: it makes no key twice
        self._seen: set[bytes] = set()
        self._counts: dict[bytes, int] = {}  # of the calls that have been made more than once
        self._digests: dict[Any, CallDigests] = {}
        self._said = False

    # -- keys --------------------------------------------------------------------------------------------------------

    def digests_of(self, node: Any, function: Any) -> CallDigests:
        """Return the digests of calls of a function as it is now. Raises NotCheckpointable."""
        version = None if node.runs_at_once else node.version_of(function)  # the same while Workers see the same
        known = self._digests.get(version) if version is not None else None
        if known is None:
            inner, kind = (function.inner[0], b"star") if isinstance(function, Star) else (function, b"")
            parts = function_parts(inner)
            module = str(getattr(inner, "__module__", ""))
            self._store.compare(name_of(inner), module, parts)
            known = CallDigests(digest_of_parts(parts) + kind)
            if version is not None:
                if len(self._digests) >= DIGESTS_KEPT:
                    self._digests.clear()
                self._digests[version] = known
        return known

    def next_key(self, digest: bytes) -> bytes:
        """Return the key of the next call that has this digest."""
        if digest not in self._seen:
            self._seen.add(digest)
            return digest
        count = self._counts[digest] = self._counts.get(digest, 0) + 1
        return repeated(digest, count)

    # -- results -----------------------------------------------------------------------------------------------------

    def has(self, key: bytes) -> bool:
        """Whether there is a result of that key, and it is whole."""
        return not self._is_new and self._store.body(key) is not None

    def value(self, key: bytes) -> Any:
        """Return the result of a key that was there; raise CheckpointRefused if it is none any more."""
        body = self._store.body(key)
        try:
            if body is None:
                raise EOFError("it was there a moment ago")
            return ProgramUnpickler(io.BytesIO(body)).load()
        except Exception as error:
            if is_by_signal(error):
                raise
            raise CheckpointRefused(
                f"checkpoint {self.path}: a result in it cannot be loaded ({type(error).__name__}: {error}). To have "
                f"it computed again: python -m fedfutures checkpoint {self.path} --remove {key.hex()}"
            ) from error

    def keep(self, key: bytes, name: str, value: Any) -> None:
        """Keep a result. Raises nothing."""
        try:
            body = _pickled(value)
        except Exception as error:
            if not self._said:
                self._said = True
                logger.warning("checkpoint %s: results of %s are not kept: %s", self.path, name, error)
            return
        self._store.add([key], name, [body])

    def keep_items(self, keys: Sequence[bytes], name: str, outcome: Any) -> None:
        """Keep the results of a slice, but for the items that raised or were not run."""
        values, failures, _ = outcome
        if failures:
            failed = {place for place, _ in failures}
            kept = [pair for place, pair in enumerate(zip(keys, values)) if place not in failed]
            keys, values = [key for key, _ in kept], [value for _, value in kept]
        try:
            bodies = [_pickled(value) for value in values]
        except Exception:  # one of them has none
            for key, value in zip(keys, values):
                self.keep(key, name, value)
            return
        self._store.add(keys, name, bodies)


def _pickled(value: Any) -> bytes:
    try:
        return pickle.dumps(value, 5)
    except Exception:
        return dump_by_value(value)[0]


class KeptNode:
    """A node whose calls are looked up in a checkpoint first; has of a node what the face needs."""

    def __init__(self, node: Any, keeper: Keeper) -> None:
        self.node, self.keeper = node, keeper

    def __getattr__(self, name: str) -> Any:
        return getattr(self.node, name)

    def submit(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
        terms: CallTerms | None = None,
    ) -> Future:  # fmt: skip
        """Return a Future that is done if the checkpoint has its result; else submit it, and keep its result."""
        if not callable(function):
            raise not_callable("submit", function)
        inner: Any = function
        own, stream = args, b""
        if isinstance(function, Seeded):
            inner, own, stream = function.inner[0], args[:-1], told(Stream.unpacked(args[-1]))
        keeper, name = self.keeper, name_of(inner)
        key = keeper.next_key(keeper.digests_of(self.node, inner).of(own, kwargs, stream))
        if keeper.has(key):
            value = keeper.value(key)
            with self.node.lock:
                return resolved(self.node.submissions, value, None, name)
        future: Future = self.node.submit(function, args, kwargs, terms)
        watch(future, partial(keeper.keep, key, name))
        return future


def told(stream: Stream | None) -> bytes:
    """Return what a stream of random numbers adds to a digest."""
    return b"" if stream is None else repr(tuple(stream)).encode()


def keeper_at(path: str | os.PathLike[str]) -> Keeper:
    """Return a new keeper of a file; raise CheckpointRefused, and NotSupportedHere in a Future."""
    if not current.is_origin:
        raise NotSupportedHere(
            "a Future keeps no results in a checkpoint: give checkpoint= to a map or an Executor of the program itself"
        )
    return Keeper(path)


def keep_run(path: str) -> None:
    """For the launcher: keep what the program submits from now on. Raises CheckpointRefused."""
    current.keep_by(KeptNode(current.node, Keeper(path)))
