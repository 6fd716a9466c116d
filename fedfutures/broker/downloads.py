"""Downloads: which segments of other hosts are missing here, for what, and how they come.

A segment is asked of a neighbour in chunks (``Get``), as many at a time as its congestion window lets through. What
waits for segments is known here by opaque keys. Each key waits for segments of one neighbour; when that neighbour does
not have one (any more), the key fails, and keys that wait for the same segment of others let it be asked of those.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from ..lazy_dataclass import dataclass, field
from ..wire import messages
from .congestion import CongestionWindow
from .files import Abandon, Begin, Brought, Finish, Unwritable, Write
from .outbox import Outbox

K = TypeVar("K", bound=Hashable)
LATER_SECONDS = 0.2
"""So long after a neighbour has said "later" it is asked again; meanwhile other segments take their turn."""


class Failed(Generic[K]):
    """A segment cannot be had for `keys`; `gone`: the neighbour has it no more, else it cannot be stored here."""

    __slots__ = ("gone", "keys", "segment", "why")

    def __init__(self, segment: str, why: str, gone: bool, keys: list[K]) -> None:
        self.segment, self.why, self.gone, self.keys = segment, why, gone, keys


@dataclass(slots=True, eq=False)
class Download:
    """A segment on its way."""

    name: str
    peer: str
    size: int = -1  # -1: not known yet
    requested: int = 0  # up to here it has been asked for
    left: int = 0  # bytes that have not come
    open: dict[int, int] = field(default_factory=dict)  # offset -> count, asked for and not come
    again: list[int] = field(default_factory=list)  # offsets of chunks that were lost
    queued: bool = False

    def set_size(self, size: int) -> None:
        """The first answer tells the size; what was asked for may have been more."""
        self.size = self.left = size
        self.requested = min(self.requested, size)
        for offset, count in self.open.items():
            self.open[offset] = min(count, size - offset)

    def on_bytes(self, offset: int, count: int) -> bool:
        """Count bytes that have come; return whether the chunk lacks some, which are asked for again."""
        rest = self.open.pop(offset) - count
        self.left -= count
        if rest:
            self.open[offset + count] = rest
            self.again.append(offset + count)
        return bool(rest)

    def next_request(self, chunk: int) -> tuple[int, int] | None:
        """Return (offset, count) of what to ask for next."""
        while self.again:
            offset = self.again.pop()
            if offset in self.open:
                return offset, self.open[offset]
        if self.size < 0 < self.requested:
            return None  # the first answer is to tell the size
        count = chunk if self.size < 0 else min(chunk, self.size - self.requested)
        if not count:
            return None
        offset, self.requested = self.requested, self.requested + count
        self.open[offset] = count
        return offset, count


class Downloads(Generic[K]):
    """The downloads of one Broker; `is_reachable` tells whether a neighbour of that name hears it now."""

    def __init__(self, outbox: Outbox, is_reachable: Callable[[str], bool]) -> None:
        self._outbox, self._is_reachable = outbox, is_reachable
        self._downloads: dict[str, Download] = {}
        self._keys: dict[str, list[K]] = {}  # by the segments they miss
        self._waits: dict[K, tuple[str, set[str]]] = {}  # key -> (neighbour, missing segments)
        self._windows: dict[str, CongestionWindow] = {}  # by neighbour
        self._queues: dict[str, deque[Download]] = {}  # what is to be asked of it
        self._later: dict[str, float] = {}  # when to ask again for what a neighbour does not have yet
        self.bytes_fetched = 0

    def __len__(self) -> int:
        return len(self._downloads)

    def __contains__(self, segment: object) -> bool:
        return segment in self._downloads

    # -- keys --------------------------------------------------------------------------------------------------------

    def wait(self, key: K, peer: str, missing: Iterable[str], now: float) -> None:
        """Download segments from a neighbour for something."""
        segments = sorted(missing)
        self._waits[key] = peer, set(segments)
        for name in segments:
            self._keys.setdefault(name, []).append(key)
            if name not in self._downloads:
                self._begin(name, peer)
        self.pump(peer, now)

    def forget(self, key: K) -> None:
        """Something waits no more; abandon what only it needed."""
        for name in self._waits.pop(key, ("", ()))[1]:
            keys = self._keys[name]
            keys.remove(key)
            if not keys:
                del self._keys[name]
                self._abandon(self._downloads[name])

    def is_waiting(self, key: K) -> bool:
        """Return whether something misses segments."""
        return key in self._waits

    def missing(self, key: K) -> set[str]:
        """Return the segments that something misses."""
        return set(self._waits[key][1]) if key in self._waits else set()

    def bytes_left(self, key: K) -> int:
        """Return how many bytes are to come of those segments of which the size is known."""
        return sum(self._downloads[name].left for name in self.missing(key))

    def keys_of(self, peer: str) -> list[K]:
        """Return what waits for segments of a neighbour."""
        return [key for key, (name, _) in self._waits.items() if name == peer]

    def _strike_out(self, key: K, segment: str) -> bool:
        """Something does not miss a segment any more; return whether that was the last."""
        missing = self._waits[key][1]
        missing.discard(segment)
        if not missing:
            del self._waits[key]
        return not missing

    # -- requests ----------------------------------------------------------------------------------------------------

    def _begin(self, name: str, peer: str) -> None:
        self._downloads[name] = Download(name, peer)
        self._enqueue(self._downloads[name])

    def _enqueue(self, download: Download, *, first: bool = False) -> None:
        if not download.queued:
            download.queued = True
            queue = self._queues.setdefault(download.peer, deque())
            (queue.appendleft if first else queue.append)(download)

    def pump(self, peer: str, now: float) -> None:
        """Ask a neighbour for as much as may be under way."""
        queue = self._queues.get(peer)
        if not queue or not self._is_reachable(peer):
            return
        window = self._windows.setdefault(peer, CongestionWindow())
        while queue and window.has_room():
            download = queue[0]
            is_current = self._downloads.get(download.name) is download
            request = download.next_request(window.chunk_bytes) if is_current else None
            if request is None:
                download.queued = False
                queue.popleft()
                continue
            window.on_request((download.name, request[0]), request[1], now)
            self._outbox.send_unnumbered(peer, messages.Get(download.name, *request))

    def on_chunk(self, event: Brought, now: float) -> Failed[K] | None:
        """Take in an answer; return what it fails, if it does. The caller pumps when it has dealt with that."""
        chunk, window = event.chunk, self._windows.get(event.peer)
        if window is None:
            return None
        window.on_answer((chunk.name, chunk.offset), now)
        download = self._downloads.get(chunk.name)
        if download is None or download.peer != event.peer or chunk.offset not in download.open:
            return None
        if chunk.size == messages.LATER:
            download.again.append(chunk.offset)
            self._later[chunk.name] = now + LATER_SECONDS
            return None
        if chunk.size < 0 or chunk.size != download.size >= 0:
            return self._fail(download, f"is not to be had from {download.peer} any more", now)
        if download.size < 0:
            download.set_size(chunk.size)
            self._outbox.act(Begin(download.name, chunk.size))
            self._enqueue(download, first=True)
        data = event.data[: download.open[chunk.offset]]  # more, or less, is the answer to an earlier question
        if not data and download.left:
            return self._fail(download, f"came without its bytes from {download.peer}", now)
        self._write(download, chunk.offset, data)
        return None

    def _write(self, download: Download, offset: int, data: bytes | memoryview) -> None:
        if download.on_bytes(offset, len(data)):
            self._enqueue(download, first=True)
        self.bytes_fetched += len(data)
        if data:
            self._outbox.act(Write(download.name, offset, data))
        if not download.left:
            self._outbox.act(Finish(download.name))

    def deadline(self) -> float | None:
        """When :meth:`tick` has something to do."""
        if not self._downloads:
            return None
        times = [due for window in self._windows.values() if (due := window.deadline()) is not None]
        return min([*times, *self._later.values()], default=None)

    def tick(self, now: float) -> None:
        """Ask again for chunks that were lost, or that were not there."""
        for name in [name for name, due in self._later.items() if now >= due]:
            del self._later[name]
            self._enqueue(self._downloads[name])
        for peer, window in self._windows.items():
            due = window.deadline()
            if due is not None and now >= due:
                self._ask_again(peer, window.on_timeout(now))
            self.pump(peer, now)

    def _ask_again(self, peer: str, lost: Iterable[tuple[str, int]]) -> None:
        for segment, offset in lost:
            download = self._downloads.get(segment)
            if download is not None and download.peer == peer and offset in download.open:
                download.again.append(offset)
                self._enqueue(download, first=True)

    # -- ends --------------------------------------------------------------------------------------------------------

    def on_stored(self, segment: str) -> tuple[int, list[K], list[K]]:
        """A segment is complete: return its size, all keys that missed it, and those that miss nothing any more."""
        download = self._downloads.pop(segment, None)
        self._later.pop(segment, None)
        if download is None:
            return -1, [], []
        keys = self._keys.pop(segment)
        return download.size, keys, [key for key in keys if self._strike_out(key, segment)]

    def on_unwritable(self, event: Unwritable, host: str, now: float) -> Failed[K] | None:
        """A segment cannot be stored on this host."""
        download = self._downloads.get(event.name)
        if download is None:
            return None
        return self._fail(download, f"cannot be stored on host {host}: {event.why}", now, gone=False)

    def _fail(self, download: Download, why: str, now: float, *, gone: bool = True) -> Failed[K]:
        """Fail the keys that wait for a segment of this neighbour; those of other neighbours go on with these."""
        self._abandon(download)
        keys = self._keys.pop(download.name)
        failed = [key for key in keys if self._waits[key][0] == download.peer]
        others = [key for key in keys if self._waits[key][0] != download.peer]
        if others:
            self._keys[download.name] = others
            other = self._waits[others[0]][0]
            self._begin(download.name, other)
            self.pump(other, now)
        for key in failed:
            self._strike_out(key, download.name)
        return Failed(download.name, why, gone, failed)

    def _abandon(self, download: Download) -> None:
        del self._downloads[download.name]
        self._later.pop(download.name, None)
        for offset in download.open:
            self._windows[download.peer].discard((download.name, offset))
        if download.size >= 0:
            self._outbox.act(Abandon(download.name))

    # -- neighbours --------------------------------------------------------------------------------------------------

    def on_session(self, peer: str, now: float) -> None:
        """A session with a neighbour has begun: what was under way in another is asked for again."""
        if peer in self._windows:
            self._ask_again(peer, self._windows[peer].begin_anew(now))
        self.pump(peer, now)

    def on_peer_gone(self, peer: str, now: float) -> None:
        """A neighbour is forgotten, and all that waits for its segments with it; other neighbours may have them."""
        for key in self.keys_of(peer):
            self.forget(key)
        for download in [download for download in self._downloads.values() if download.peer == peer]:
            self._fail(download, "went with its host", now)
        self._windows.pop(peer, None)
        self._queues.pop(peer, None)

    def check(self) -> None:
        """Assert that the books agree."""
        if not (self._keys or self._downloads or self._waits or self._windows):
            return
        assert self._keys.keys() == self._downloads.keys(), "what is missing is not what is downloaded"
        assert all(self._keys.values()), "nobody misses a segment that is downloaded"
        assert all(missing for _, missing in self._waits.values()), "something waits for nothing"
        known = {(key, name) for name, keys in self._keys.items() for key in keys}
        assert known == {(key, name) for key, (_, missing) in self._waits.items() for name in missing}, "keys are off"
        for window in self._windows.values():
            window.check()
        in_flight = sum(len(set(window)) for window in self._windows.values())
        assert in_flight <= sum(len(each.open) for each in self._downloads.values()), "more in flight than asked for"
