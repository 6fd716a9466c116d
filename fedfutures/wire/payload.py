"""Objects to payloads and back: pickle protocol 5, large buffers through shared memory.

A payload is a pickle (its first byte is ``0x80``) or, when something in it was large, a manifest (:mod:`.manifest`).
Brokers carry either without loading it, but between hosts they bring the segments of a manifest along. They cannot do
that for a manifest inside of something else: what becomes part of a definition or of another payload is dumped
`inline`.

The standard C pickler is tried first, cloudpickle only when it fails. Functions and classes that the program's modules
have under a name always go by that name, so a class is one class in a Worker however an instance came there; Workers
have them by the snapshot that their Future sees (:mod:`..program.variables`).
"""

from __future__ import annotations

import contextlib
import io
import itertools
import pickle
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import msgpack

from ..errors import NoRoom, NotSupportedHere, SealBroken
from ..program import tensors
from ..program.modules import MAIN_NAMES
from ..program.pickling import PROTOCOL, ProgramUnpickler, dump_by_value
from ..program.postponing import pickles_for_program
from ..program.reach import Reach
from ..program.scanning import STACK_GLOBAL, keys_in
from ..program.snapshots import split
from .digests import SegmentDigests
from .manifest import MANIFEST, segments_of
from .mappings import Mappings, is_never_copied, know_live
from .names import is_live, is_user_file
from .pages import address_of
from .seal import Seal
from .segments import LIVE_ELSEWHERE, SHARED_FROM_BYTES, Check, Segments
from .written import Written, WrittenAt

pickles_for_program(__name__)

Unpickle = Callable[[Any, Sequence[Any]], Any]
"""Makes a value of a pickle and its buffers."""
Keep = Callable[[pickle.PickleBuffer], Any]
"""Says of each buffer whether it stays in the pickle, and takes those that do not."""
Find = Callable[[bytes, list[pickle.PickleBuffer]], "bytes | None"]
MESSAGE_BYTES_AT_MOST = 24 << 20
"""A payload up to this size travels in a message where no directory has room for its segments."""
MISSING_AT_MOST = 64
"""While one payload is loaded, this many names that are missing here are asked for."""


class Sharing(Protocol):
    """Knows the memory that is made to be passed on."""

    def name_of(self, buffer: memoryview, segments: Segments, *, alone: bool) -> str | None:
        """Return the segment of a buffer, with `alone` one that nobody else gets; None if the buffer is copied."""


_sharing: Sharing | None = None


def share_by(sharing: Sharing) -> None:
    """From now on there is memory that is made to be passed on."""
    global _sharing
    _sharing = sharing


class Payloads:
    """Makes and opens the payloads of one process."""

    def __init__(self, segments: Segments | None = None, seal: Seal | None = None) -> None:
        self.segments = segments
        self._digests = None if segments is None else SegmentDigests(segments)
        self.bring_missing: Callable[[Exception], bool] | None = None
        """Brings what a pickle names and this process lacks; False where there is none."""
        self.seal = seal  # seals what this node submits, and opens what it is given
        self.mappings = Mappings()
        self.place_of: Callable[[str], str] = str  # where a segment of a variable is, on a host that had to fetch it
        # Segments of arrays that still live, by identity.
        self._known: dict[int, tuple[weakref.ref[Any], WrittenAt]] = {}
        # What the program defines comes back from Workers under the name that it has there.
        sys.modules.setdefault(MAIN_NAMES[1], sys.modules[MAIN_NAMES[0]])

    def attend(
        self, bring_missing: Callable[[Exception], bool], place_of: Callable[[str], str] | None = None
    ) -> None:  # fmt: skip
        """Learn who brings what a pickle names and this process lacks, and where segments of variables are."""
        self.bring_missing = bring_missing
        self.place_of = place_of or self.place_of

    def dump(
        self, value: Any, written: Written | None = None, *, alone: bool = False, near: bool = False,
        inline: bool = False, reached: Reach | None = None,
    ) -> bytes:  # fmt: skip
        """Return the payload of `value`.

        `written` remembers the segments of buffers, so a buffer that has not changed is not written again. `alone`: the
        receiver gets the segments for itself, as that of a result does. `near`: the receiver is on this host, and uses
        no digest of what was written here, so none is computed. `inline`: no segments. Adds to `reached` what the value
        reaches of the program. Raises what the pickler raises.
        """
        if inline:
            return self.pickled(value, None, [], reached)
        buffers: list[pickle.PickleBuffer] = []
        keep = buffers.append
        callback = None if self.segments is None else lambda buffer: is_small(buffer) or keep(buffer)
        stream = self.pickled(value, callback, buffers, reached)
        if not buffers and len(stream) < SHARED_FROM_BYTES:
            return stream
        return self._packed(stream, buffers, written, alone, near) or self.pickled(value, None, [])

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

        `find` returns an earlier payload of this pickle and these buffers, or None.
        """
        buffers: list[pickle.PickleBuffer] = []
        keep = buffers.append
        stream, reached = dump(None if self.segments is None else lambda buffer: is_small(buffer) or keep(buffer))
        found = None if find is None else find(stream, buffers)
        return found or self._packed(stream, buffers, None, False) or dump(None)[0], reached

    def _packed(
        self, stream: bytes, buffers: list[pickle.PickleBuffer], written: Written | None, alone: bool,
        near: bool = False,
    ) -> bytes:  # fmt: skip
        """Return the payload of a pickle and its buffers; b"" where there is no room and it fits into a message."""
        segments = self.segments
        if segments is None or (not buffers and len(stream) < SHARED_FROM_BYTES):
            return stream
        names: list[str] = []
        try:
            for buffer in buffers:
                raw = buffer.raw()
                names.append(self._new_segment_of(segments, raw) if alone else self._segment_of(segments, raw, written))
            held: bytes | str = stream if len(stream) < SHARED_FROM_BYTES else segments.write(stream)
        except BaseException as error:
            segments.release(names)
            size = len(stream) + sum(buffer.raw().nbytes for buffer in buffers)
            if isinstance(error, NoRoom) and size <= MESSAGE_BYTES_AT_MOST:
                return b""
            raise
        reusable = not any(map(segments.is_shared, names))
        parts: list[Any] = [held, names, reusable]
        if self.seal is not None and self._digests is not None and not near:
            if any(map(is_live, names)):
                segments.release(names)
                raise NotSupportedHere(LIVE_ELSEWHERE)
            parts.append(self._digests.of([*names, held] if isinstance(held, str) else names))
        body: bytes = msgpack.packb(parts)
        return MANIFEST + body

    def _segment_of(self, segments: Segments, raw: memoryview, written: Written | None) -> str:
        """Return the segment that holds a buffer: an earlier one, if the buffer has not changed since."""
        name = None if _sharing is None else _sharing.name_of(raw, segments, alone=False)
        if name is not None:
            return name
        owner = raw.obj
        if written is not None:
            place = written.find(owner)
            if place is not None:
                if self._is_unchanged(segments, raw, place, is_steady=written.is_steady):
                    segments.retain(place.name)
                    return place.name
                segments.release([written.forget(owner)], reuse=True)
        known = self._known.get(id(owner))
        if known is not None and known[0]() is owner and self._is_unchanged(segments, raw, known[1]):
            segments.retain(known[1].name)
            return known[1].name
        name = self._new_segment_of(segments, raw)
        if written is not None:
            written.remember(owner, WrittenAt(name, address_of(raw), raw.nbytes))
            segments.retain(name)
        elif known is None and (self.mappings.find(raw) is not None or _is_read_only(owner)):
            self._keep(segments, owner, WrittenAt(name, address_of(raw), raw.nbytes))
        return name

    def _new_segment_of(self, segments: Segments, raw: memoryview) -> str:
        """Return a segment of its own for a buffer: a second name where the buffer shows another segment."""
        name = None if _sharing is None else _sharing.name_of(raw, segments, alone=True)
        if name is not None:
            return name
        mapping = self.mappings.unwritten(raw, segments.holds)
        name = None if mapping is None else segments.name_again(mapping.name)
        if name is None and is_never_copied(raw):
            raise NotSupportedHere("a live array cannot be passed on when what it came with has ended: copy it")
        return segments.write(raw) if name is None else name

    def _is_unchanged(
        self, segments: Segments, raw: memoryview, place: WrittenAt, *, is_steady: bool = False
    ) -> bool:  # fmt: skip
        """Whether a buffer has not changed since it was written to a segment."""
        if (address_of(raw), raw.nbytes) == (place.address, place.size):
            if is_steady or (raw.readonly and _is_of_bytes(raw.obj)):
                return True
            if self.mappings.unwritten(raw, segments.holds) is not None:  # so nobody had written to it then
                return True
        return segments.holds(place.name, raw)

    def _keep(self, segments: Segments, owner: Any, place: WrittenAt) -> None:
        """Remember the segment of an array until the array is gone."""
        key = id(owner)

        def forget(_: Any) -> None:
            del self._known[key]
            segments.release([place.name])

        try:
            self._known[key] = weakref.ref(owner, forget), place
        except TypeError:
            return
        segments.retain(place.name)

    def load(self, payload: bytes, *, take: bool = False, read_only: bool = False) -> Any:
        """Return the value; raises what loading raises.

        Its buffers are private: nobody else sees what is written to them. With `read_only` nobody can write to them.
        `take` frees the files that they map when they are gone.
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
        held, names, _, *digests = msgpack.unpackb(payload[1:])
        checks = self._checks(*digests)
        try:
            places = [place_of(name) for name in names]
            buffers = [self._mapped(place, private=private, take=take, check=next(checks)) for place in places]
            if isinstance(held, bytes):
                return unpickle(held, buffers)
            stream = self.segments.map(place_of(held), take=take, check=next(checks))
        except SealBroken:
            if take:
                self.discard(payload)
            raise
        try:
            return unpickle(memoryview(stream), buffers)
        finally:
            with contextlib.suppress(BufferError):  # the traceback of an error holds it: it goes with that
                stream.close()

    def _mapped(self, name: str, *, private: bool, take: bool, check: Check | None) -> memoryview:
        """Return the memory of a segment."""
        assert self.segments is not None
        if not is_live(name):
            return self.mappings.add(name, self.segments.map(name, private=private, take=take, check=check))
        mapped = self.segments.map_live(name)
        know_live(mapped)
        if take:
            weakref.finalize(mapped, self.segments.remove, name).atexit = False
        return self.mappings.add(name, mapped)

    def _checks(self, digests: Sequence[bytes] = ()) -> Iterator[Check | None]:
        """Return what checks the segments of a payload, one after the other; those that lack a digest fail."""
        if self.seal is None or self._digests is None:
            return itertools.repeat(None)
        return map(self._digests.checking, itertools.chain(digests, itertools.repeat(b"")))

    def unpickled(self, stream: bytes | memoryview, buffers: Sequence[Any]) -> Any:
        """Return the value of a pickle; brings what this process lacks."""
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
        """Keep the segments of this payload for one more :meth:`release`."""
        if payload[:1] == MANIFEST and self.segments is not None:
            for name in segments_of(payload):
                self.segments.retain(name)

    def discard(self, outcome: bytes) -> None:
        """An outcome is not opened: remove its segments."""
        if self.segments is not None:
            for name in segments_of(outcome):
                if not is_user_file(name):
                    self.segments.remove(name)

    def release(self, payload: bytes) -> None:
        """The Future of this payload has resolved and no longer needs its segments."""
        payload = split(payload)[1]
        if payload[:1] == MANIFEST and self.segments is not None:
            held, names, *_ = msgpack.unpackb(payload[1:])
            self.segments.release(names if isinstance(held, bytes) else [held, *names], reuse=True)


def _is_read_only(array: Any) -> bool:
    """Whether an array views memory that it can never write to: ``bytes``, or a read-only map of a file.

    An array that owns its memory and is only flagged read-only can be made writable again.
    """
    base = _base_of(array)
    try:
        return base is not array and memoryview(base).readonly
    except TypeError:
        return False


def _is_of_bytes(array: Any) -> bool:
    """Whether an array views what can never change; other memory that is read-only here may have writers elsewhere."""
    base = _base_of(array)
    while type(base) is memoryview:
        base = base.obj
    return type(base) is bytes


def _base_of(array: Any) -> Any:
    """Return the owner of the memory of an array or of a view of one: the array itself if that is its own."""
    base = array
    while (below := getattr(base, "base", None)) is not None:
        base = below
    return base


def is_small(buffer: pickle.PickleBuffer) -> bool:
    """Whether a buffer stays in the pickle: it is below the limit and not live, or not contiguous."""
    try:
        raw = buffer.raw()
        return raw.nbytes < SHARED_FROM_BYTES and not is_never_copied(raw)
    except BufferError:
        return True
