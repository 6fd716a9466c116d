"""What came from another host and waits for its segments (docs/federation.rst, "Large values").

Constants go to everybody, and Futures that come behind one over the same link wait for it. A segment that cannot be had
fails what needs it, by name; where that of a result is gone, the Future runs again. Segments of arguments are cached
(:mod:`.segment_cache`); those of results are their submitter's alone, so the neighbour is told to ``Drop`` its copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat

from ..errors import RemoteProtocolError
from ..lazy_dataclass import dataclass
from ..wire import messages
from ..wire.manifest import HAS_SEGMENTS, MANIFEST, is_reusable, segments_of
from .delivery import only
from .downloads import Downloads
from .ledger import Ledger
from .lots import Lot, Source
from .outbox import Outbox
from .peers import Peer
from .segment_cache import SegmentCache

BROUGHT_REMEMBERED = 4096
GONE_REMEMBERED = 256


@dataclass(slots=True, eq=False)
class Deferred:
    """Something that waits for segments; `is_local`: for Futures or processes here, so that a cached copy is of use."""

    peer: str
    what: Lot | messages.Results | messages.Constant | messages.Fetch
    segments: list[str]  # of Results: all
    is_local: bool = False


class Deferrals:
    """What waits for segments at one Broker; `size_of` says how large a segment is here, -1 if it is not."""

    def __init__(
        self, ledger: Ledger, outbox: Outbox, downloads: Downloads[Deferred], cache: SegmentCache,
        size_of: Callable[[str], int],
    ) -> None:  # fmt: skip
        self._ledger, self._outbox, self._size_of = ledger, outbox, size_of
        self._downloads, self._cache = downloads, cache
        self._constants: dict[str, list[Deferred]] = {}  # by neighbour
        self._gone: set[str] = set()  # segments that were to be brought, until that is asked for again
        self._brought: dict[str, str] = {}  # segments of results that came last, and from which neighbour

    def defer_futures(self, peer: str, lot: Lot, now: float) -> None:
        """Park those Futures of a neighbour that miss segments."""
        groups = self.group(peer, lot.intake.source, lot.ids, lot.payloads)
        keys = {Deferred(peer, lot, [], is_local=True): missing for missing in groups if missing}
        if not keys:
            return
        parts = self._ledger.park_parts(lot, {deferred: groups[missing] for deferred, missing in keys.items()})
        for (deferred, missing), part in zip(keys.items(), parts):
            deferred.what = part
            self._downloads.wait(deferred, peer, missing, now)

    def group(
        self, peer: str, source: Source, ids: Sequence[int], payloads: Sequence[bytes]
    ) -> dict[frozenset[str], list[int]]:
        """Return the Futures of a Batch by the segments they miss; nothing if they name none."""
        constants = self._constants.get(peer, ())
        before = frozenset(name for deferred in constants for name in self._downloads.missing(deferred))
        if not before and not any(payload[:1] in HAS_SEGMENTS for payload in payloads):
            return {}
        groups: dict[frozenset[str], list[int]] = {}
        is_missing: dict[str, bool] = {}  # many may need the same segment
        for i, payload in zip(ids, payloads):
            names = segments_of(payload)
            if names and is_reusable(payload):
                self._cache.use_once(names, source)
            for name in names:
                if name not in is_missing:
                    is_missing[name] = not self.is_here(name)
            groups.setdefault(before.union(name for name in names if is_missing[name]), []).append(i)
        self._cache.use(is_missing, source)
        return groups

    def defer_results(
        self, peer: Peer, results: messages.Results, awaited: Callable[[], set[int]], now: float
    ) -> messages.Results:  # fmt: skip
        """Let `awaited` outcomes wait for their segments, and drop the others; return those that miss none.

        An outcome that names segments of others, which are here, raises RemoteProtocolError: whoever opens a result
        removes its segments.
        """
        for outcome in results.outcomes:
            if outcome[:1] == MANIFEST and any(map(self._is_foreign, segments_of(outcome), repeat(peer.name))):
                raise RemoteProtocolError(f"{peer.name} names segments in a result that it has not written")
        lacking = {
            i: (names, missing)
            for i, outcome in zip(results.ids, results.outcomes)
            if outcome[:1] == MANIFEST and (missing := self._missing(names := segments_of(outcome)))
        }
        if not lacking:
            return results
        wanted = awaited()
        for i, (names, missing) in lacking.items():
            if i in wanted:
                deferred = Deferred(peer.name, only(results, {i}, measured=False), names)
                self._downloads.wait(deferred, peer.name, missing, now)
            else:
                self._outbox.send(peer, messages.Drop(names), now)
        return only(results, set(results.ids).difference(lacking))

    def defer_constant(self, peer: str, constant: messages.Constant, now: float) -> bool:
        """Let a constant wait for its segments; return whether it misses some."""
        missing = self._missing(segments_of(constant.body))
        if missing:
            deferred = Deferred(peer, constant, [])
            self._constants.setdefault(peer, []).append(deferred)
            self._downloads.wait(deferred, peer, missing, now)
        return bool(missing)

    def is_here(self, segment: str) -> bool:
        """Whether a segment is on this host."""
        return self._size_of(segment) >= 0

    def bring(self, segment: str, source: str, now: float) -> bool:
        """Download a segment that one neighbour has lent and another one needs; return whether it may come.

        It was here before, or on the way, unless this whole host was started again.
        """
        if segment in self._gone:
            self._gone.discard(segment)
            return False
        if segment not in self._downloads:
            deferred = Deferred(source, messages.Fetch(segment), [], is_local=True)
            self._downloads.wait(deferred, source, [segment], now)
        return True

    def note_gone(self, segment: str) -> None:
        """A segment that was to be brought is not to be had."""
        if len(self._gone) >= GONE_REMEMBERED:
            self._gone.clear()
        self._gone.add(segment)

    def _is_foreign(self, segment: str, peer: str) -> bool:
        """Whether a segment is here, and did not come as that of a result from this neighbour."""
        return self.is_here(segment) and self._brought.get(segment) != peer

    def _missing(self, names: Iterable[str]) -> set[str]:
        return {name for name in names if not self.is_here(name)}

    def on_stored(self, segment: str) -> list[Deferred]:
        """A segment is here: return what misses nothing any more."""
        size, waited, ready = self._downloads.on_stored(segment)
        if any(deferred.is_local for deferred in waited):
            self._cache.add(segment, size)
        for deferred in waited:
            if isinstance(deferred.what, messages.Results):
                self._brought[segment] = deferred.peer
                if len(self._brought) > BROUGHT_REMEMBERED:
                    del self._brought[next(iter(self._brought))]
            if isinstance(deferred.what, Lot):
                self._cache.use([segment], deferred.what.intake.source)
        return ready

    def strike_out(self, deferred: Deferred) -> None:
        """Something does not wait any more."""
        self._downloads.forget(deferred)
        if isinstance(deferred.what, messages.Constant):
            self._constants[deferred.peer].remove(deferred)

    def forget_vacated(self) -> None:
        """Futures are not here any more: what only they miss is not downloaded."""
        for key in self._ledger.take_vacated():
            if isinstance(key, Deferred):
                self.strike_out(key)

    def on_new_session(self, peer: str) -> None:
        """A neighbour begins anew: Results and Constants of the session before are of no use; it may say them again.

        It is not told to drop them, since a Worker may say the same again, and its Future be matched with it.
        """
        for deferred in self._downloads.keys_of(peer):
            if not deferred.is_local:
                self.strike_out(deferred)

    def on_peer_gone(self, peer: str) -> None:
        """A neighbour is forgotten; its Futures have been withdrawn."""
        self._constants.pop(peer, None)

    def explain(self, deferred: Deferred) -> str:
        """Say what a Future waits for that is parked under this key."""
        left, missing = self._downloads.bytes_left(deferred), self._downloads.missing(deferred)
        of = f"{len(missing)} segments of its arguments from {deferred.peer}"
        return f"for {of}; of those begun, {left} bytes are to come"

    def check(self) -> None:
        """Assert that all that is listed here waits."""
        listed = [deferred for each in self._constants.values() for deferred in each]
        listed += [key for key in self._ledger.parked if isinstance(key, Deferred)]
        assert all(self._downloads.is_waiting(deferred) for deferred in listed), "something waits for nothing"
