"""Segments from other hosts: what is too large for messages is fetched before the Futures that need it are given out.

A payload may name segments, files in the directory that the processes of one host share (:mod:`..wire.segments`). When
a Batch, Results or a Constant comes from a neighbour on another host, the segments that are not here are *pulled*: the
Broker asks for one chunk after the other with ``Get``, as many at a time as the link carries in a moment
(:mod:`.window`), and writes them to a file that gets its name when it is complete. Only then does what came go on. Who
is asked keeps no state. Nothing of this is numbered: what was lost is asked for again, and a chunk that comes twice is
dropped.

A segment that is not to be had any more fails what needs it, by name. That of an argument goes when its submitter has
the outcome or is gone, so nobody will miss it. Where that of a result is gone, as it may be after Brokers have ended,
the Future runs again.

Arguments stay here as long as Futures that need them are open, and after that until others need the space: what is sent
to many Futures crosses each link once. What was fetched of a result is its submitter's alone, so the neighbour is told
to ``Drop`` its own copy. Processes only map what they use, so removing a file harms nobody who has it. Constants stay,
and Futures that come behind one over the same link wait for it.

A node may ask for a segment by itself (``Fetch``). A Broker that lacks it passes that on to the neighbour that dials
it, towards the Origin, and pulls it from there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..host.brokers import host_of
from ..wire import messages
from ..wire.manifest import HAS_SEGMENTS, OF_USER, is_reusable, is_segment, segments_of
from ..wire.messages import LOST, MAX_CHUNK_BYTES
from .files import Abandon, Begin, Brought, Finish, Read, Remove, Stored, Unwritable, Write
from .inbound import Inbound, Waiting
from .keeping import Keeping
from .ledger import Lot, Peer, only
from .window import Window

if TYPE_CHECKING:
    from .machine import BrokerMachine

ATTEMPTS_AT_MOST = 16
"""A Future whose result could not be had so often is lost."""
PARENT_SECONDS = 2.0
"""How long a Broker that nobody dials waits for that before it says that a segment is not to be had."""


class Transfers:
    """The segments that one Broker fetches; `size_of` says how large one is that is here, -1 if it is not."""

    def __init__(self, broker: BrokerMachine, size_of: Callable[[str], int], space: int) -> None:
        self._broker, self._size_of = broker, size_of
        self._outbox = broker.outbox
        self.kept = Keeping(broker, space)
        self.inbound: dict[str, Inbound] = {}
        self._needs: dict[str, list[Waiting]] = {}  # by segment
        self._lots: list[Waiting] = []
        self._windows: dict[str, Window] = {}  # by neighbour
        self._queues: dict[str, deque[Inbound]] = {}  # what is to be asked of it
        self._askers: dict[str, set[str]] = {}  # peers that said Fetch, by segment
        self._no_parent_until: dict[str, float] = {}
        self.fetched = 0  # bytes

    # -- what came, and what it lacks --------------------------------------------------------------------------------

    def put_aside(self, peer: Peer, lot: Lot, now: float) -> Lot:
        """Let Futures of a neighbour on another host wait for their segments; return those that have theirs."""
        before = frozenset(name for waiting in self._constants_of(peer) for name in waiting.missing)
        manifests = any(payload[:1] in HAS_SEGMENTS for payload in lot.payloads)
        if not before and not manifests:
            return lot
        groups: dict[frozenset[str], tuple[list[int], list[bytes], list[str]]] = {}
        lacks: dict[str, bool] = {}  # many may need the same segment
        for i, payload in zip(lot.ids, lot.payloads):
            names = segments_of(payload)
            if names and is_reusable(payload):
                self.kept.use_once(names, lot.giver)
            for name in names:
                if name not in lacks:
                    lacks[name] = self._size_of(name) < 0
            missing = before.union(name for name in names if lacks[name])
            ids, payloads, all_names = groups.setdefault(missing, ([], [], []))
            ids.append(i)
            payloads.append(payload)
            all_names.extend(names)
        self.kept.use(lacks, lot.giver)
        for missing, (ids, payloads, names) in groups.items():
            if missing:
                waiting = Waiting(peer.name, lot.with_futures(ids, payloads), set(missing), names)
                self._lots.append(waiting)
                self._wait(waiting, now)
        ids, payloads, _ = groups.get(frozenset(), ([], [], []))
        return lot.with_futures(ids, payloads)

    def put_results_aside(self, peer: Peer, results: messages.Results, now: float) -> messages.Results:
        """Let outcomes wait for their segments; return the others."""
        lacking = {
            i: (names, missing)
            for i, outcome in zip(results.ids, results.outcomes)
            if outcome[:1] == b"\x01" and (missing := self._missing(names := segments_of(outcome)))
        }
        if not lacking:
            return results
        awaited = self._awaited(peer, results)
        for i, (names, missing) in lacking.items():
            if i in awaited:
                self._wait(Waiting(peer.name, only(results, {i}, measured=False), missing, names), now)
            else:
                self._outbox.send(peer, messages.Drop(names), now)
        return only(results, set(results.ids).difference(lacking))

    def put_constant_aside(self, peer: Peer, constant: messages.Constant, now: float) -> bool:
        """Let a constant wait for its segments; return whether it does."""
        names = segments_of(constant.body)
        missing = self._missing(names)
        if missing:
            self._wait(Waiting(peer.name, constant, missing, names), now)
        return bool(missing)

    def _missing(self, names: list[str]) -> set[str]:
        return {name for name in names if self._size_of(name) < 0}

    def _constants_of(self, peer: Peer) -> list[Waiting]:
        return [
            waiting
            for waits in self._needs.values()
            for waiting in waits
            if waiting.peer == peer.name and type(waiting.what) is messages.Constant
        ]

    def _awaited(self, peer: Peer, results: messages.Results) -> set[int]:
        """Return which Futures of these results have no outcome yet."""
        held = {i for key, ids in peer.keys(results.piece, results.ids) for i in ids if i in peer.held[key].pending}
        held.update(*(lent for _, lent in peer.doubtful.get(results.piece, ())))
        if results.piece in peer.orphans:
            held |= peer.orphans[results.piece].ids
        return held

    def _wait(self, waiting: Waiting, now: float) -> None:
        for name in sorted(waiting.missing):
            self._needs.setdefault(name, []).append(waiting)
            if name not in self.inbound:
                self._pull(name, waiting.peer)
        self._pump(waiting.peer, now)

    # -- pulling -----------------------------------------------------------------------------------------------------

    def _pull(self, name: str, peer: str) -> None:
        self.inbound[name] = Inbound(name, peer)
        self._enqueue(self.inbound[name])

    def _enqueue(self, inbound: Inbound, *, first: bool = False) -> None:
        if not inbound.queued:
            inbound.queued = True
            queue = self._queues.setdefault(inbound.peer, deque())
            (queue.appendleft if first else queue.append)(inbound)

    def _pump(self, name: str, now: float) -> None:
        """Ask a neighbour for as much as may be under way."""
        peer, queue = self._broker.peers.get(name), self._queues.get(name)
        if not queue or peer is None or peer.silent:
            return
        window = self._windows.setdefault(name, Window())
        while queue and window.room:
            inbound = queue[0]
            part = inbound.next(window.chunk) if self.inbound.get(inbound.name) is inbound else None
            if part is None:
                inbound.queued = False
                queue.popleft()
                continue
            window.ask((inbound.name, part[0]), part[1], now)
            self._outbox.send_unnumbered(name, messages.Get(inbound.name, *part))

    def brought(self, event: Brought, now: float) -> None:
        """Take in a chunk."""
        chunk, window = event.chunk, self._windows.get(event.peer)
        if window is None:
            return
        window.came((chunk.name, chunk.offset), now)
        inbound = self.inbound.get(chunk.name)
        if inbound is not None and inbound.peer == event.peer and chunk.offset in inbound.open:
            self._take(inbound, chunk, event.data, now)
        self._pump(event.peer, now)

    def _take(self, inbound: Inbound, chunk: messages.Chunk, data: bytes | memoryview, now: float) -> None:
        if chunk.size < 0 or chunk.size != inbound.size >= 0:
            self._fail(inbound, f"is not to be had from {inbound.peer} any more", now)
            return
        if inbound.size < 0:
            inbound.has_size(chunk.size)
            self._outbox.act(Begin(inbound.name, chunk.size))
            self._enqueue(inbound, first=True)
        data = data[: inbound.open[chunk.offset]]  # more, or less, is the answer to an earlier question
        if not data and inbound.left:
            self._fail(inbound, f"came without its bytes from {inbound.peer}", now)
            return
        if inbound.came(chunk.offset, len(data)):
            self._enqueue(inbound, first=True)
        self.fetched += len(data)
        if data:
            self._outbox.act(Write(inbound.name, chunk.offset, data))
        if not inbound.left:
            self._outbox.act(Finish(inbound.name))

    def deadline(self) -> float | None:
        """When :meth:`tick` has something to do."""
        times = [due for window in self._windows.values() if (due := window.deadline()) is not None]
        times += self._no_parent_until.values()
        if self.kept.due is not None:
            times.append(self.kept.due)
        return min(times, default=None)

    def tick(self, now: float) -> None:
        """Ask again for what was lost."""
        for name, window in self._windows.items():
            due = window.deadline()
            if due is not None and now >= due:
                self._lost(name, window, now)
            self._pump(name, now)
        for name, until in list(self._no_parent_until.items()):
            if now >= until:
                self._answer(name, -1, now)
        self.kept.tick(now)

    def _lost(self, name: str, window: Window, now: float) -> None:
        for segment, offset in window.lost(now):
            inbound = self.inbound.get(segment)
            if inbound is not None and inbound.peer == name and offset in inbound.open:
                inbound.again.append(offset)
                self._enqueue(inbound, first=True)

    # -- what becomes of it ------------------------------------------------------------------------------------------

    def stored(self, event: Stored, now: float) -> None:
        """A segment is here: what waited for it goes on."""
        inbound = self.inbound.pop(event.name, None)
        needed = self._needs.pop(event.name, [])
        if inbound is None:
            return
        lots = [waiting.what for waiting in needed if type(waiting.what) is Lot]
        if lots or any(type(waiting.what) is messages.Fetch for waiting in needed):
            self.kept.keep(event.name, inbound.size)
        for lot in lots:
            self.kept.use([event.name], lot.giver)
        for waiting in needed:
            waiting.missing.discard(event.name)
            if not waiting.missing:
                self._complete(waiting, now)

    def _complete(self, waiting: Waiting, now: float) -> None:
        """All segments of something are here."""
        what, peer = waiting.what, self._broker.peers.get(waiting.peer)
        if type(what) is Lot:
            self._lots.remove(waiting)
            self._broker.admit(what, now)
        elif type(what) is messages.Fetch:
            self._answer(what.name, self._size_of(what.name), now)
        elif peer is not None and type(what) is messages.Constant:
            self._broker.definitions.share(peer, what, now)
        elif peer is not None and type(what) is messages.Results:
            if not self._awaited(peer, what):
                self._outbox.act(Remove(waiting.names))
            self._broker.settle_results(peer, what, now)
            self._outbox.send(peer, messages.Drop(waiting.names), now)

    def unwritable(self, event: Unwritable, now: float) -> None:
        """A segment cannot be stored here."""
        inbound = self.inbound.get(event.name)
        if inbound is not None:
            why = f"cannot be stored on host {host_of(self._broker.name)}: {event.why}"
            self._fail(inbound, why, now, gone=False)

    def _fail(self, inbound: Inbound, why: str, now: float, *, gone: bool = True) -> None:
        """A neighbour does not have a segment (or it is not `gone`): what it gave fails; others may have it."""
        self._abandon(inbound)
        needed = self._needs.pop(inbound.name, [])
        others = [waiting for waiting in needed if waiting.peer != inbound.peer]
        if others:
            self._needs[inbound.name] = others
            self._pull(inbound.name, others[0].peer)
            self._pump(others[0].peer, now)
        for waiting in needed:
            if waiting.peer == inbound.peer:
                self._fail_one(waiting, inbound.name, why, gone, now)

    def _fail_one(self, waiting: Waiting, name: str, why: str, gone: bool, now: float) -> None:
        waiting.missing.discard(name)
        what, broker = waiting.what, self._broker
        outcome = broker.pack(f"segment {name}, which it needs, {why}")
        if type(what) is Lot:
            ids = [i for i, payload in zip(what.ids, what.payloads) if name in segments_of(payload)]
            if ids:
                broker.withdraw(what, set(ids))
                broker.resolve(what.giver, ids, [outcome] * len(ids), [(i, LOST) for i in ids], now)
            if what.ids and not waiting.missing:
                self._complete(waiting, now)
        elif type(what) is messages.Fetch:
            self._answer(what.name, -1, now)
        else:
            self._forget(waiting)
            peer = broker.peers.get(waiting.peer)
            if peer is not None and type(what) is messages.Results:
                self._run_again(peer, what, outcome, gone, now)

    def _run_again(self, peer: Peer, results: messages.Results, outcome: bytes, gone: bool, now: float) -> None:
        """Outcomes cannot be had: their Futures run as the next attempt, unless that would be of no use."""
        broker = self._broker
        if not gone or results.attempt >= ATTEMPTS_AT_MOST:
            lost = [(i, LOST) for i in results.ids]
            failed = messages.Results(results.piece, results.attempt, results.ids, [outcome] * len(lost), lost)
            broker.settle_results(peer, failed, now)
            return
        for key, ids in peer.keys(results.piece, results.ids):
            piece = peer.held[key]
            lot = broker.losses.taken(peer, piece, ids, now, lost=True)
            broker.close(peer, key, piece)
            if lot is not None:
                broker.put_back(lot)
        broker.orphans.forget(peer, results.piece, results.ids)
        broker.losses.clear_doubt(peer, results.piece, results.ids)

    def _abandon(self, inbound: Inbound) -> None:
        """Fetch no more of a segment."""
        del self.inbound[inbound.name]
        for offset in inbound.open:
            self._windows[inbound.peer].drop((inbound.name, offset))
        if inbound.size >= 0:
            self._outbox.act(Abandon(inbound.name))

    def _forget(self, waiting: Waiting) -> None:
        """Something does not wait any more; what only it needed is not fetched."""
        for name in waiting.missing:
            needed = self._needs[name]
            needed.remove(waiting)
            if not needed:
                del self._needs[name]
                if name in self.inbound:
                    self._abandon(self.inbound[name])
        waiting.missing = set()

    # -- Futures that wait -------------------------------------------------------------------------------------------

    def lots(self) -> list[Lot]:
        """Return the Futures that wait here."""
        return [waiting.what for waiting in self._lots if type(waiting.what) is Lot]

    def withdraw(self, lot: Lot, ids: set[int]) -> Lot | None:
        """Take Futures out of a lot if it waits here."""
        for index, waiting in enumerate(self._lots):
            if waiting.what is lot:
                part = lot.part(ids)
                if not lot.ids:
                    del self._lots[index]
                    self._forget(waiting)
                return part
        return None

    # -- neighbours --------------------------------------------------------------------------------------------------

    def asked(self, name: str, get: messages.Get, now: float) -> None:
        """A neighbour asks for a part of a segment."""
        peer = self._broker.peers.get(name)
        if peer is None or peer.link is None or not is_segment(get.name) or get.count > MAX_CHUNK_BYTES:
            self._broker.violations += 1
        else:
            self._outbox.act(Read(name, get.name, get.offset, get.count))

    def dropped(self, peer: Peer, drop: messages.Drop, now: float) -> None:
        """A neighbour has fetched the segments of a result."""
        if peer.far:
            self._outbox.act(Remove([name for name in drop.names if is_segment(name) and not name.startswith(OF_USER)]))

    def linked(self, peer: Peer, *, anew: bool, now: float) -> None:
        """A session has begun; `anew`: there was one before, of which only the Futures are left that it gave us."""
        if anew:
            for waiting in self._all(peer.name, messages.Results, messages.Constant):
                self._forget(waiting)  # no Drop: the Worker may say the same again, and its Future be matched with it
        if peer.name in self._windows:
            self._lost(peer.name, self._windows[peer.name], now)
        self._pump(peer.name, now)
        if peer.link is not None and not peer.link.dials:
            self._no_parent_until.clear()
            for name in sorted(self._askers):
                if name not in self._needs:
                    self._outbox.send(peer, messages.Fetch(name), now)

    def gone(self, peer: Peer, now: float) -> None:
        """A peer is forgotten; the Futures that it gave are not here any more."""
        for waiting in self._all(peer.name, messages.Results, messages.Constant, messages.Fetch):
            self._forget(waiting)
        if peer.link is not None and not peer.link.dials:
            for name in self._askers.keys() - self._needs.keys():
                self._no_parent_until[name] = now + PARENT_SECONDS
        for inbound in [inbound for inbound in self.inbound.values() if inbound.peer == peer.name]:
            self._fail(inbound, "went with its host", now)
        self._windows.pop(peer.name, None)
        self._queues.pop(peer.name, None)
        for askers in self._askers.values():
            askers.discard(peer.name)

    def _all(self, peer: str, *kinds: type) -> list[Waiting]:
        found = [waiting for waits in self._needs.values() for waiting in waits]
        return [waiting for waiting in dict.fromkeys(found) if waiting.peer == peer and type(waiting.what) in kinds]

    # -- segments that are asked for by name -------------------------------------------------------------------------

    def fetch(self, peer: Peer, name: str, now: float) -> None:
        """A peer needs a segment on this host."""
        size = self._size_of(name) if is_segment(name) else -1
        if size >= 0 or not is_segment(name):
            self._outbox.send(peer, messages.Fetched(name, size), now)
            return
        known = name in self._askers
        self._askers.setdefault(name, set()).add(peer.name)
        if known:
            return
        parents = [other for other in self._broker.neighbours if other.link is not None and not other.link.dials]
        if parents:
            self._outbox.send(parents[0], messages.Fetch(name), now)
        else:
            self._no_parent_until[name] = now + PARENT_SECONDS

    def answered(self, peer: Peer, fetched: messages.Fetched, now: float) -> None:
        """The neighbour towards the Origin has a segment, or not."""
        name = fetched.name
        if name not in self._askers:
            return
        size = self._size_of(name)
        if fetched.size < 0 or size >= 0 or not peer.far:
            self._answer(name, size, now)
        else:
            self._wait(Waiting(peer.name, messages.Fetch(name), {name}, [name]), now)

    def _answer(self, name: str, size: int, now: float) -> None:
        self._no_parent_until.pop(name, None)
        for asker in sorted(self._askers.pop(name, ())):
            if asker in self._broker.peers:
                self._outbox.send(self._broker.peers[asker], messages.Fetched(name, size), now)

    # -- for people and tests ----------------------------------------------------------------------------------------

    def explain(self, submitter: str, number: int) -> str:
        """Say what a Future waits for; "" if it does not wait here."""
        for waiting in self._lots:
            lot = waiting.what
            if type(lot) is Lot and lot.submitter == submitter and number in lot.ids:
                fetching = [self.inbound[name] for name in waiting.missing if name in self.inbound]
                left = sum(inbound.left for inbound in fetching)
                here = f"waits at Broker {self._broker.name} for {len(waiting.missing)} segments"
                return f"{here} of its arguments from {waiting.peer}; of those begun, {left} bytes are to come"
        return ""

    def check(self) -> None:
        """Assert that the books agree."""
        waiting = {one for waits in self._needs.values() for one in waits}
        assert all(self._needs.values()), "nobody needs a segment that is waited for"
        assert all(one.missing for one in waiting), "something waits for nothing"
        for one in waiting | set(self._lots):
            assert {name for name, waits in self._needs.items() if one in waits} == one.missing, "needs are off"
        assert {one for one in waiting if type(one.what) is Lot} == set(self._lots), "lots that wait are off"
        assert self._needs.keys() == self.inbound.keys(), "what is needed is not what is fetched"
        for window in self._windows.values():
            window.check()
        under_way = sum(len(set(window)) for window in self._windows.values())
        assert under_way <= sum(len(inbound.open) for inbound in self.inbound.values()), "more under way than asked for"
        self.kept.check()
