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
import pickle
import sys
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgpack

from ..errors import NoRoom, SealBroken
from ..program import tensors
from ..program.modules import MAIN_NAMES
from ..program.pickling import PROTOCOL, ProgramUnpickler, dump_by_value
from ..program.postponing import pickles_for_program
from ..program.reach import Reach
from ..program.scanning import STACK_GLOBAL, keys_in
from ..program.snapshots import split
from .manifest import MANIFEST, segments_of
from .mappings import Mappings
from .pages import address_of
from .seal import Seal, digest_of
from .segments import SHARED_FROM_BYTES, Segments
from .written import Written, WrittenAt

pickles_for_program(__name__)

Unpickle = Callable[[Any, Sequence[Any]], Any]
"""Makes a value of a pickle and its buffers."""
Keep = Callable[[pickle.PickleBuffer], Any]
"""Asked for each buffer of a pickle whether it stays there; takes those that do not."""
Find = Callable[[bytes, list[pickle.PickleBuffer]], "bytes | None"]
MESSAGE_BYTES_AT_MOST = 24 << 20
"""Payloads up to this size travel in messages where no directory has room for their segments."""
MISSING_AT_MOST = 64
"""So many names that are missing here are asked for while one payload is loaded."""


class _KnownArray(NamedTuple):
    array: weakref.ref[Any]
    place: WrittenAt


class Payloads:
    """Makes and opens the payloads of one process."""

    def __init__(self, segments: Segments | None = None, seal: Seal | None = None) -> None:
        self.segments = segments
        self.bring_missing: Callable[[Exception], bool] | None = None
        """Brings what a pickle names and this process lacks; False where there is none."""
        self.seal = seal  # with which this node seals what it submits, and opens what it is given
        self.mappings = Mappings()
        self.place_of: Callable[[str], str] = str  # where a segment of a variable is, on a host that had to fetch it
        self._known: dict[int, _KnownArray] = {}  # segments of arrays that still live, by identity
        # What the program defines comes back from Workers under the name that it has there.
        sys.modules.setdefault(MAIN_NAMES[1], sys.modules[MAIN_NAMES[0]])

    def attend(
        self, bring_missing: Callable[[Exception], bool], place_of: Callable[[str], str] | None = None
    ) -> None:  # fmt: skip
        """Learn who brings what a pickle names and this process lacks, and where segments of variables are."""
        self.bring_missing = bring_missing
        self.place_of = place_of or self.place_of

    def dump(
        self, value: Any, written: Written | None = None, *, alone: bool = False, inline: bool = False,
        reached: Reach | None = None,
    ) -> bytes:  # fmt: skip
        """Return the payload of `value`.

        `written` remembers the segments of buffers by identity, so that a buffer met again unchanged is not written
        again. `alone`: its receiver is to have the segments for itself, as that of a result has. `inline`: no segments.
        What the value reaches of the program is added to `reached`. Raises what the pickler raises.
        """
        if inline:
            return self.pickled(value, None, [], reached)
        buffers: list[pickle.PickleBuffer] = []
        keep = buffers.append
        callback = None if self.segments is None else lambda buffer: is_small(buffer) or keep(buffer)
        stream = self.pickled(value, callback, buffers, reached)
        if not buffers and len(stream) < SHARED_FROM_BYTES:
            return stream
        return self._packed(stream, buffers, written, alone) or self.pickled(value, None, [])

    def pickled(self, value: Any, keep: Keep | None, buffers: list[Any], reached: Reach | None = None) -> bytes:
        """Return the pickle of a value; `keep` adds buffers to `buffers`."""
        try:
            # Written out, for each submit and each result comes here: without torch there are no tensors.
            if "torch" in sys.modules:
                stream = tensors.dumps(value, keep)
            else:
                stream = pickle.dumps(value, PROTOCOL, buffer_callback=keep)
        except (pickle.PicklingError, AttributeError, TypeError):
            buffers.clear()
            stream, found = dump_by_value(value, keep)
            if reached is not None:
                reached.add(found)
        else:
            if reached is not None and STACK_GLOBAL in stream:
                reached.parts.update(keys_in(stream, value))
        return stream

    def dump_with(
        self, dump: Callable[[Keep | None], tuple[bytes, Reach]], find: Find | None = None
    ) -> tuple[bytes, Reach]:
        """Return the payload of what `dump` pickles, given a callback for buffers, and what that reaches.

        `find` returns the payload that there is already of a pickle and its buffers, or None.
        """
        buffers: list[pickle.PickleBuffer] = []
        keep = buffers.append
        stream, reached = dump(None if self.segments is None else lambda buffer: is_small(buffer) or keep(buffer))
        found = None if find is None else find(stream, buffers)
        return found or self._packed(stream, buffers, None, False) or dump(None)[0], reached

    def _packed(self, stream: bytes, buffers: list[pickle.PickleBuffer], written: Written | None, alone: bool) -> bytes:
        """Return the payload of a pickle and its buffers; b"" where it has to travel in messages for want of room."""
        if not buffers and (len(stream) < SHARED_FROM_BYTES or self.segments is None):
            return stream
        assert self.segments is not None
        segment_of = self._new_segment_of if alone else self._segment_of
        names: list[str] = []
        try:
            for buffer in buffers:
                names.append(segment_of(buffer.raw(), written))
            held: bytes | str = stream if len(stream) < SHARED_FROM_BYTES else self.segments.write(stream)
        except BaseException as error:
            self.segments.release(names)
            if isinstance(error, NoRoom) and _fits_a_message(stream, buffers):
                return b""
            raise
        reusable = not any(self.segments.is_shared(name) for name in names)
        digest = [digest_of(stream)] if self.seal is not None and isinstance(held, str) else []
        body: bytes = msgpack.packb([held, names, reusable, *digest])
        return MANIFEST + body

    def _segment_of(self, raw: memoryview, written: Written | None) -> str:
        """Return the segment that holds a buffer: the one it is in already, where it has not changed since."""
        assert self.segments is not None
        owner, segments = raw.obj, self.segments
        if written is not None:
            place = written.find(owner)
            if place is not None:
                if self._is_unchanged(raw, place, is_steady=written.is_steady):
                    segments.retain(place.name)
                    return place.name
                segments.release([written.forget(owner)], reuse=True)
        known = self._known.get(id(owner))
        if known is not None and known.array() is owner and self._is_unchanged(raw, known.place):
            segments.retain(known.place.name)
            return known.place.name
        name = self._new_segment_of(raw, None)
        if written is not None:
            written.remember(owner, WrittenAt(name, address_of(raw), raw.nbytes))
            segments.retain(name)
        elif known is None and (self.mappings.find(raw) is not None or _is_read_only(owner)):
            self._keep(owner, WrittenAt(name, address_of(raw), raw.nbytes))
        return name

    def _new_segment_of(self, raw: memoryview, written: Written | None) -> str:
        """Return a segment of its own for a buffer: a second name where it is what was mapped of another one."""
        assert self.segments is not None
        mapping = self.mappings.unwritten(raw, self.segments.holds)
        name = None if mapping is None else self.segments.name_again(mapping.name)
        return self.segments.write(raw) if name is None else name

    def _is_unchanged(self, raw: memoryview, place: WrittenAt, *, is_steady: bool = False) -> bool:
        """Whether a buffer is as it was when it was written to a segment."""
        assert self.segments is not None
        if (address_of(raw), raw.nbytes) == (place.address, place.size):
            if is_steady or (raw.readonly and _is_of_bytes(raw.obj)):
                return True
            if self.mappings.unwritten(raw, self.segments.holds) is not None:  # so it was not at that time
                return True
        return self.segments.holds(place.name, raw)

    def _keep(self, owner: Any, place: WrittenAt) -> None:
        """Remember the segment of an array until the array is gone."""
        key, segments = id(owner), self.segments
        assert segments is not None

        def forget(_: Any) -> None:
            del self._known[key]
            segments.release([place.name])

        try:
            self._known[key] = _KnownArray(weakref.ref(owner, forget), place)
        except TypeError:
            return
        segments.retain(place.name)

    def load(self, payload: bytes, *, take: bool = False, read_only: bool = False) -> Any:
        """Return the value; with `take` the files that its buffers map are let go with them.

        They are private: what is written to them is seen nowhere else. With `read_only` nobody can. Raises what loading
        raises.
        """
        if payload[:1] != MANIFEST:
            return self.unpickled(payload, ())
        return self._load(payload, self.unpickled, str, take=take, private=not read_only)

    def load_with(self, payload: bytes, unpickle: Unpickle) -> Any:
        """Return what `unpickle` makes of the payload of a variable, which may have to be fetched."""
        if payload[:1] != MANIFEST:
            return unpickle(payload, ())
        return self._load(payload, unpickle, self.place_of)

    def _load(
        self, payload: bytes, unpickle: Unpickle, place_of: Callable[[str], str], *, take: bool = False,
        private: bool = True,
    ) -> Any:  # fmt: skip
        assert self.segments is not None
        held, names, _, *digest = msgpack.unpackb(payload[1:])
        places = [place_of(name) for name in names]
        buffers = [self.mappings.add(name, self.segments.map(name, private=private, take=take)) for name in places]
        if isinstance(held, bytes):
            return unpickle(held, buffers)
        with self.segments.map(place_of(held), take=take) as stream:
            if digest and digest_of(memoryview(stream)) != digest[0]:
                raise SealBroken(f"the segment {held} is not what the submitter wrote; it was altered on its way")
            return unpickle(memoryview(stream), buffers)

    def unpickled(self, stream: bytes | memoryview, buffers: Sequence[Any]) -> Any:
        """Return the value of a pickle, with what is missing in this process brought."""
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

    def retain(self, payload: bytes) -> None:
        """Have one more :meth:`release` of this payload be needed before its segments go."""
        if payload[:1] == MANIFEST and self.segments is not None:
            for name in segments_of(payload):
                self.segments.retain(name)

    def release(self, payload: bytes) -> None:
        """The Future of this payload has resolved, and no longer needs its segments."""
        payload = split(payload)[1]
        if payload[:1] == MANIFEST and self.segments is not None:
            held, names, *_ = msgpack.unpackb(payload[1:])
            self.segments.release(names if isinstance(held, bytes) else [held, *names], reuse=True)


def _fits_a_message(stream: bytes, buffers: list[pickle.PickleBuffer]) -> bool:
    """Whether a pickle and its buffers may travel in a message, for want of room for segments."""
    return len(stream) + sum(buffer.raw().nbytes for buffer in buffers) <= MESSAGE_BYTES_AT_MOST


def _is_read_only(array: Any) -> bool:
    """Whether an array views memory that it cannot write to, nor be made to: ``bytes``, or a map of a file.

    One that owns its memory and is merely flagged read-only can be made writable again.
    """
    base = _base_of(array)
    try:
        return base is not array and memoryview(base).readonly
    except TypeError:
        return False


def _is_of_bytes(array: Any) -> bool:
    """Whether an array views what can never change, whoever tries; memory that is read-only here may have writers."""
    base = _base_of(array)
    while type(base) is memoryview:
        base = base.obj
    return type(base) is bytes


def _base_of(array: Any) -> Any:
    """Return what an array, or a view of a view of one, has its memory from; itself if that is its own."""
    base = array
    while (below := getattr(base, "base", None)) is not None:
        base = below
    return base


def is_small(buffer: pickle.PickleBuffer) -> bool:
    """Whether a buffer stays in the pickle: it is below the limit, or not in one piece."""
    try:
        return buffer.raw().nbytes < SHARED_FROM_BYTES
    except BufferError:
        return True
