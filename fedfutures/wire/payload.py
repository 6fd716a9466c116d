"""Objects to payloads and back: pickle protocol 5, large buffers through shared memory.

A payload is a pickle (its first byte is ``0x80``), or, when something in it was large, a *manifest*: the byte ``0x01``
and msgpack of ``[pickle or name of the segment holding it, [names of the buffers' segments], reusable]``, the last
telling whether this payload is the only one that needs these segments. Brokers carry either without loading it, but
between hosts they see to it that the segments of a manifest come along (:mod:`.manifest`). They cannot do that for
a manifest inside of something else: what is put into a definition or another payload is dumped `inline`.

The standard C pickler is tried first and cloudpickle only when it fails. Functions and classes that the program's
modules have under a name always go by that name, so that a class is one class in a Worker however an instance came
there; Workers have them by the snapshot that their Future sees (:mod:`..program.variables`).
"""

from __future__ import annotations

import io
import mmap
import pickle
import sys
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import msgpack

from ..errors import NoRoom, SealBroken
from ..program import tensors
from ..program.modules import MAIN_NAMES
from ..program.pickling import ProgramUnpickler, dump_by_value
from ..program.reach import Reach
from ..program.scanning import keys_in
from ..program.snapshots import split
from .manifest import MANIFEST as _MANIFEST
from .manifest import segments_of
from .seal import Seal, digest_of
from .segments import SHARED_FROM_BYTES, Segments

Written = dict[int, tuple[Any, str]]
"""Buffers written before, with their segments, by ``id``; holding the buffer keeps the ``id`` its own."""
Unpickle = Callable[[Any, Sequence[Any]], Any]
"""Makes a value of a pickle and its buffers."""
Find = Callable[[bytes, list[pickle.PickleBuffer]], "bytes | None"]
MESSAGE_BYTES_AT_MOST = 24 << 20
"""Payloads up to this size travel in messages where no directory has room for their segments."""
MISSING_AT_MOST = 64
"""So many names that are missing here are asked for while one payload is loaded."""


class Payloads:
    """Makes and opens the payloads of one process."""

    def __init__(self, segments: Segments | None = None) -> None:
        self.segments = segments
        self.bring_missing: Callable[[Exception], bool] | None = None
        """Brings what a pickle names and this process lacks; False where there is none."""
        self.seal: Seal | None = None  # with which this node seals what it submits, and opens what it is given
        self.opened: list[tuple[str, mmap.mmap]] = []  # segments that loading has mapped; see let_go
        self.place_of: Callable[[str], str] = str  # where a segment of a variable is, on a host that had to fetch it
        self._read_only: dict[int, tuple[weakref.ref[Any], str]] = {}  # arrays that cannot change, by identity
        # What the program defines comes back from Workers under the name that it has there.
        sys.modules.setdefault(MAIN_NAMES[1], sys.modules[MAIN_NAMES[0]])

    def dump(
        self, value: Any, written: Written | None = None, *, alone: bool = False, inline: bool = False,
        reached: Reach | None = None,
    ) -> bytes:  # fmt: skip
        """Return the payload of `value`.

        `written` remembers the segments of buffers by identity, so that a buffer met again is not written again;
        who passes it promises that the buffers do not change meanwhile. `alone`: its receiver is to have the segments
        for itself, as that of a result has. `inline`: no segments. What the value reaches of the program is added to
        `reached`. Raises what the pickler raises.
        """
        buffers: list[pickle.PickleBuffer] = []
        segments = None if inline else self.segments
        keep = buffers.append if segments is not None else None
        callback = None if keep is None else lambda buffer: _is_small(buffer) or keep(buffer)
        try:
            stream = tensors.dumps(value, callback)
        except (pickle.PicklingError, AttributeError, TypeError):
            buffers.clear()
            stream, found = dump_by_value(value, callback)
            if reached is not None:
                reached.add(found)
        else:
            if reached is not None:
                reached.parts |= keys_in(stream, value)
        if inline:
            return stream
        try:
            return self._packed(stream, buffers, written, alone)
        except NoRoom:
            if not _fits_a_message(stream, buffers):
                raise
            return self.dump(value, inline=True)

    def dump_with(
        self, dump: Callable[[Callable[[pickle.PickleBuffer], Any]], tuple[bytes, Reach]], find: Find | None = None
    ) -> Any:
        """Return the payload of what `dump` pickles, given a callback for buffers, and what that reaches.

        `find` returns the payload that there is already of a pickle and its buffers, or None.
        """
        buffers: list[pickle.PickleBuffer] = []
        keep = None if self.segments is None else buffers.append
        stream, reached = dump(lambda buffer: keep is None or _is_small(buffer) or keep(buffer))
        found = None if find is None else find(stream, buffers)
        if found is not None:
            return found, reached
        try:
            return self._packed(stream, buffers, None, False), reached
        except NoRoom:
            if not _fits_a_message(stream, buffers):
                raise
            return dump(lambda buffer: True)[0], reached

    def _packed(
        self, stream: bytes, buffers: list[pickle.PickleBuffer], written: Written | None, alone: bool
    ) -> bytes:  # fmt: skip
        if not buffers and (len(stream) < SHARED_FROM_BYTES or self.segments is None):
            return stream
        assert self.segments is not None
        names: list[str] = []
        try:
            for buffer in buffers:
                raw = buffer.raw()
                names.append(self.segments.write(raw) if alone else self._segment_of(raw, written))
            held: bytes | str = stream if len(stream) < SHARED_FROM_BYTES else self.segments.write(stream)
        except BaseException:
            self.segments.release(names)
            raise
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

    def load_with(self, payload: bytes, unpickle: Unpickle) -> Any:
        """Return what `unpickle` makes of a payload that is never released; its buffers are private copies on write."""
        if payload[:1] != _MANIFEST:
            return unpickle(payload, ())
        assert self.segments is not None
        held, names, _, *digest = msgpack.unpackb(payload[1:])
        buffers = [self.segments.map(self.place_of(name), private=True) for name in names]
        if isinstance(held, bytes):
            return unpickle(held, buffers)
        with self.segments.map(self.place_of(held)) as stream:
            if digest and digest_of(memoryview(stream)) != digest[0]:
                raise SealBroken(f"the segment {held} is not what the submitter wrote; it was altered on its way")
            return unpickle(memoryview(stream), buffers)

    def _unpickle(self, stream: bytes | memoryview, buffers: Sequence[Any]) -> Any:
        try:
            return pickle.loads(stream, buffers=buffers)
        except (AttributeError, ModuleNotFoundError):
            pass
        for _ in range(MISSING_AT_MOST):
            try:
                return ProgramUnpickler(io.BytesIO(stream), buffers=buffers).load()
            except (AttributeError, ModuleNotFoundError) as error:
                if self.bring_missing is None or not self.bring_missing(error):
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

    def retain(self, payload: bytes) -> None:
        """Have one more :meth:`release` of this payload be needed before its segments go."""
        if payload[:1] == _MANIFEST and self.segments is not None:
            for name in segments_of(payload):
                self.segments.retain(name)

    def release(self, payload: bytes) -> None:
        """The Future that this payload was for has resolved: nobody needs its segments for it any more."""
        payload = split(payload)[1]
        if payload[:1] == _MANIFEST and self.segments is not None:
            held, names, *_ = msgpack.unpackb(payload[1:])
            self.segments.release(names if isinstance(held, bytes) else [held, *names], reuse=True)


def _fits_a_message(stream: bytes, buffers: list[pickle.PickleBuffer]) -> bool:
    """Whether a pickle and its buffers may travel in a message, for want of room for segments."""
    return len(stream) + sum(buffer.raw().nbytes for buffer in buffers) <= MESSAGE_BYTES_AT_MOST


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
