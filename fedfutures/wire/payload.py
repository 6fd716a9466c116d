"""Objects to payloads and back: pickle protocol 5, large buffers through shared memory.

A payload is a pickle (its first byte is ``0x80``), or, when something in it was large, a *manifest*: the byte ``0x01``
and msgpack of ``[pickle or name of the segment holding it, [names of the buffers' segments], reusable]``, the last
telling whether this payload is the only one that needs these segments. Brokers carry either without loading it, but
between hosts they see to it that the segments of a manifest come along (:mod:`.manifest`). They cannot do that for
a manifest inside of something else: what is put into a definition or another payload is dumped `inline`.

The standard C pickler is tried first and cloudpickle only when it fails, or when the pickle speaks of ``__main__`` and
the program cannot be imported by Workers (``-c``, standard input, notebooks, programs without a main guard): then its
classes and functions must go by value. Where the program can be imported, its classes always go by reference, so that
a class is one class in a Worker however an instance came there.
"""

from __future__ import annotations

import functools
import io
import mmap
import pickle
import sys
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import msgpack

from ..errors import SealBroken
from .manifest import MANIFEST as _MANIFEST
from .seal import Seal, digest_of
from .segments import SHARED_FROM_BYTES, Segments

PROTOCOL = 5
Written = dict[int, tuple[Any, str]]
"""Buffers written before, with their segments, by ``id``; holding the buffer keeps the ``id`` its own."""
MAIN_NAMES = ("__main__", "__fedfutures_main__")
"""The program's module, in the Origin and (second name) as Workers import it."""


class Payloads:
    """Makes and opens the payloads of one process."""

    def __init__(self, segments: Segments | None = None, *, main_importable: bool = False) -> None:
        self.segments = segments
        self.main_importable = main_importable
        self.retry_after_import: Callable[[], bool] | None = None
        self.seal: Seal | None = None  # with which this node seals what it submits, and opens what it is given
        self.opened: list[tuple[str, mmap.mmap]] = []  # segments that loading has mapped; see let_go
        self._read_only: dict[int, tuple[weakref.ref[Any], str]] = {}  # arrays that cannot change, by identity
        if main_importable:  # what the program defines comes back from Workers under the name that it has there
            sys.modules.setdefault(MAIN_NAMES[1], sys.modules[MAIN_NAMES[0]])

    def dump(
        self, value: Any, written: Written | None = None, *, alone: bool = False, inline: bool = False
    ) -> bytes:  # fmt: skip
        """Return the payload of `value`.

        `written` remembers the segments of buffers by identity, so that a buffer met again is not written again;
        who passes it promises that the buffers do not change meanwhile. `alone`: its receiver is to have the segments
        for itself, as that of a result has. `inline`: no segments. Raises what the pickler raises.
        """
        buffers: list[pickle.PickleBuffer] = []
        segments = None if inline else self.segments
        keep = buffers.append if segments is not None else None
        callback = None if keep is None else lambda buffer: _is_small(buffer) or keep(buffer)
        try:
            stream = pickle.dumps(value, PROTOCOL, buffer_callback=callback)
        except (pickle.PicklingError, AttributeError, TypeError):
            buffers.clear()
            stream = self.dump_by_value(value, callback)
        else:
            if not self.main_importable and b"__main__" in stream:
                buffers.clear()
                stream = self.dump_by_value(value, callback)
        if not buffers and (len(stream) < SHARED_FROM_BYTES or segments is None):
            return stream
        return self._manifest(stream, buffers, written, alone)

    def dump_by_value(self, value: Any, callback: Callable[[pickle.PickleBuffer], Any] | None = None) -> bytes:
        """Pickle with cloudpickle: lambdas, closures and what ``__main__`` defines travel by value."""
        target = io.BytesIO()
        pickler = by_value_pickler()(target, PROTOCOL, callback)
        pickler.main_importable = self.main_importable
        pickler.dump(value)
        return target.getvalue()

    def _manifest(
        self, stream: bytes, buffers: list[pickle.PickleBuffer], written: Written | None, alone: bool
    ) -> bytes:
        assert self.segments is not None
        if alone:
            names = [self.segments.write(buffer.raw()) for buffer in buffers]
        else:
            names = [self._segment_of(buffer.raw(), written) for buffer in buffers]
        held: bytes | str = stream if len(stream) < SHARED_FROM_BYTES else self.segments.write(stream)
        reusable = not any(self.segments.is_shared(name) for name in names)
        digest = [digest_of(stream)] if self.seal is not None and isinstance(held, str) else []
        body: bytes = msgpack.packb([held, names, reusable, *digest])
        return _MANIFEST + body

    def _segment_of(self, raw: memoryview, written: Written | None) -> str:
        """Return the segment that holds a buffer: the one it is in already, where it cannot have changed since."""
        assert self.segments is not None
        owner = raw.obj
        if written is not None and id(owner) in written:
            written[id(owner)] = known_here = written.pop(id(owner))  # the one used last stands last
            name = known_here[1]
            self.segments.retain(name)
            return name
        known = self._read_only.get(id(owner))
        if known is not None and known[0]() is owner:
            self.segments.retain(known[1])
            return known[1]
        name = self.segments.write(raw)
        if written is not None:
            written[id(owner)] = (owner, name)
            self.segments.retain(name)
        elif raw.readonly and _can_never_change(owner):
            self._keep_read_only(owner, name)
        return name

    def _keep_read_only(self, owner: Any, name: str) -> None:
        """Remember the segment of an array that nobody can write to, until the array is gone."""
        key, segments = id(owner), self.segments
        assert segments is not None

        def forget(_: Any) -> None:
            del self._read_only[key]
            segments.release([name])

        self._read_only[key] = (weakref.ref(owner, forget), name)
        segments.retain(name)

    def load(self, payload: bytes, *, take: bool = False) -> Any:
        """Return the value; with `take` its buffers are writable, its alone. Raises what loading raises."""
        if payload[:1] != _MANIFEST:
            return self._unpickle(payload, ())
        assert self.segments is not None
        held, names, _, *digest = msgpack.unpackb(payload[1:])
        buffers = [self.segments.map(name, take=take) for name in names]
        if not take:
            self.opened.extend(zip(names, buffers))
        if isinstance(held, bytes):
            return self._unpickle(held, buffers)
        with self.segments.map(held, take=take) as stream:
            if digest and digest_of(memoryview(stream)) != digest[0]:
                raise SealBroken(f"the segment {held} is not what the submitter wrote; it was altered on its way")
            return self._unpickle(memoryview(stream), buffers)

    def _unpickle(self, stream: bytes | memoryview, buffers: Sequence[Any]) -> Any:
        try:
            return pickle.loads(stream, buffers=buffers)
        except (AttributeError, ModuleNotFoundError):
            # A class that the program makes at import may be all that is missing.
            if self.retry_after_import is None or not self.retry_after_import():
                raise
        return pickle.loads(stream, buffers=buffers)

    def let_go(self, opened: list[tuple[str, mmap.mmap]]) -> None:
        """A Future that had these segments mapped is done: those that it still uses must not be written again."""
        assert self.segments is not None
        for name, mapped in opened:
            try:
                mapped.close()
            except BufferError:
                self.segments.keep(name)

    def release(self, payload: bytes) -> None:
        """The Future that this payload was for has resolved: nobody needs its segments for it any more."""
        if payload[:1] == _MANIFEST and self.segments is not None:
            held, names, *_ = msgpack.unpackb(payload[1:])
            self.segments.release(names if isinstance(held, bytes) else [held, *names], reuse=True)


def _can_never_change(array: Any) -> bool:
    """Whether an array views memory that nobody can write to, such as ``bytes`` or a read-only map.

    One that owns its memory and is merely flagged read-only can be made writable again, changed and flagged again.
    """
    base = getattr(array, "base", None)
    while isinstance(base, type(array)):
        base = base.base
    try:
        return base is not None and memoryview(base).readonly
    except TypeError:
        return False


def _is_small(buffer: pickle.PickleBuffer) -> bool:
    """Whether a buffer stays in the pickle: it is below the limit, or not in one piece."""
    try:
        return buffer.raw().nbytes < SHARED_FROM_BYTES
    except BufferError:
        return True


@functools.cache
def by_value_pickler() -> Any:
    """Return the by-value pickler class; cloudpickle is imported at first use, for it takes as long as all the rest."""
    import cloudpickle

    class ByValuePickler(cloudpickle.Pickler):  # type: ignore[misc]
        main_importable = False

        def reducer_override(self, obj: Any) -> Any:
            if self.main_importable and isinstance(obj, type) and is_of_main(obj):
                return NotImplemented  # by reference: the Worker imports the program
            return super().reducer_override(obj)

    return ByValuePickler


def is_of_main(obj: Any) -> bool:
    """Whether `obj` is what the program's module has under its name."""
    if getattr(obj, "__module__", None) not in MAIN_NAMES:
        return False
    found: Any = sys.modules.get(obj.__module__)
    for part in obj.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is obj


def culprit(value: Any, name: str) -> str:
    """Return the path, such as ``args[0].lock``, to the first part of `value` that cannot be pickled.

    >>> import threading
    >>> culprit(([1, {"lock": threading.Lock()}],), "args")
    "args[0][1]['lock']"
    """
    for _ in range(16):
        for path, part in _parts(value):
            try:
                Payloads().dump(part)
            except Exception:
                name, value = name + path, part
                break
        else:
            return name
    return name


def _parts(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, (list, tuple)):
        return [(f"[{index}]", part) for index, part in enumerate(value[:1000])]
    if isinstance(value, dict):
        return [(f"[{key!r}]", part) for key, part in list(value.items())[:1000]]
    if isinstance(value, type):
        return []
    return [(f".{key}", part) for key, part in getattr(value, "__dict__", {}).items()]
