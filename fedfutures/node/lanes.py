"""The lanes of a submitter: what goes over them to Workers that it was lent, and what becomes of it. Pure.

A Future goes over a lane if it is alone, has no conditions, and the lane is free; all others go to the Broker. The
kernel keeps the order of what is sent and loses none while both ends live. So what has no outcome when a lane ends has
got none, and waits for the Broker's word on how its Worker ended, which says whether that counts as a crash.
"""

from __future__ import annotations

from ..errors import RemoteProtocolError
from ..federation.terms import FREE
from ..wire.messages import (
    LANE_PIECES,
    VALUE,
    Batch,
    Cancel,
    LeaseEnded,
    Message,
    Results,
    Return,
    Running,
    Want,
)
from . import events as rules
from .own_pieces import OwnPieces

LANE_BYTES_AT_MOST = 1 << 16
"""Larger payloads go to the Broker: a lane takes one datagram at a time."""
WORD_SECONDS = 2.0
"""For so long the Broker's word on a lost Worker is waited for; it may have been lost with it."""
CANCEL_AGAIN_SECONDS = 0.25
"""So often the Broker is told of a Future that is not to run on."""


class Lane:
    """One lane: the Worker at its other end, and the Future that is on it."""

    __slots__ = ("digest", "future", "is_closed", "number", "piece", "said", "until", "worker")

    def __init__(self, number: int, worker: str) -> None:
        self.number, self.worker = number, worker
        self.piece = self.future = 0  # 0: none is on it
        self.digest = b""
        self.is_closed = False
        self.said: LeaseEnded | None = None  # the Broker's word
        self.until = float("inf")  # until when that is waited for

    def carry(self, piece: int, future: int, digest: bytes) -> None:
        """A Future goes over it."""
        self.piece, self.future, self.digest = piece, future, digest

    def empty(self) -> int:
        """Its Future is not on it any more; return which it was."""
        future, self.future = self.future, 0
        return future

    def close(self, until: float) -> None:
        """Nothing comes any more; the Broker's word is waited for until then."""
        self.is_closed, self.until = True, until

    def hear(self, said: LeaseEnded) -> None:
        """The Broker has said how its Worker has ended."""
        self.said = said


class OwnLanes:
    """The lanes of one submitter: mostly none, or one; more only while old ones end."""

    __slots__ = ("_lanes", "_made", "_own", "_unwanted", "_unwanted_at", "due", "usable")

    def __init__(self, own: OwnPieces) -> None:
        self._own = own
        self._lanes: dict[int, Lane] = {}  # by lease
        self.usable: Lane | None = None  # the one that Futures are put on
        self._made = LANE_PIECES  # the number of the last piece
        self.due: float | None = None
        self._unwanted: dict[int, int] = {}  # Futures that are not to run on, and their pieces
        self._unwanted_at = float("inf")

    # -- what is put on a lane ---------------------------------------------------------------------------------------

    @property
    def is_free(self) -> bool:
        """Whether a lone Future could go over a lane now."""
        return self.usable is not None and not self.usable.future and not self._own.count

    def takes(self, offer: rules.Offer) -> bool:
        """Whether these Futures are one that goes over a lane now."""
        if not self.is_free or len(offer.ids) > 1 or offer.priority or offer.conditions != FREE:
            return False
        function = self._own.definition(offer.digest)
        size = max(len(offer.payloads[0]), 0 if function is None else len(function.body))
        return size <= LANE_BYTES_AT_MOST and offer.ids[0] not in self._own.marks

    def put(self, offer: rules.Offer, name: str, attempt: int) -> rules.LaneSend:
        """Put a Future on the lane, of the submitter of this name."""
        lane = self.usable
        assert lane is not None
        self._made += 1
        lane.carry(self._made, offer.ids[0], offer.digest)
        self._own.use(offer.digest)
        batch = Batch(
            self._made, name, offer.digest, attempt, 0, 0, False, offer.ids, offer.payloads, offer.root or name
        )  # fmt: skip
        return rules.LaneSend(lane.number, batch)

    def futures(self) -> list[int]:
        """Return the Futures that are on lanes."""
        return [lane.future for lane in self._lanes.values() if lane.future]

    def explain(self, number: int) -> str:
        """Say where a Future is; "" where it is on no lane."""
        for lane in self._lanes.values():
            if lane.future == number:
                return f"given to Worker {lane.worker}, which is lent for lone calls"
        return ""

    def cancel(self, ids: list[int], now: float, *, running: bool) -> list[Message | rules.Action]:
        """Futures are not wanted any more; `running`: not even if they run, which the Broker sees to."""
        said: list[Message | rules.Action] = []
        for lane in self._lanes.values():
            if lane.future and lane.future in ids:
                if not lane.is_closed:
                    said.append(rules.LaneSend(lane.number, Cancel(lane.piece, [lane.future])))
                if running:
                    self._unwanted[lane.future] = lane.piece
                    self._unwanted_at = now
                    self._plan()
        return said

    def retire(self) -> list[rules.Action]:
        """What is to come must not overtake what the Broker is told now: nothing more is put on this lane."""
        lane, self.usable = self.usable, None
        return [] if lane is None or lane.future else [rules.CloseLane(lane.number)]

    # -- what comes over one -----------------------------------------------------------------------------------------

    def opened(self, number: int, worker: str) -> list[rules.Action]:
        """A Worker that is lent has opened a lane."""
        before = self.retire()
        self.usable = self._lanes[number] = Lane(number, worker)
        return before

    def arrived(self, event: rules.LaneArrived) -> list[rules.Action]:
        """Something has come over a lane."""
        lane, message = self._lanes.get(event.number), event.message
        if lane is None:
            return []
        if type(message) is LeaseEnded:
            return self._on_last(lane, message.taken)
        if type(message) is Want:
            function = self._own.definition(message.digest)
            return [] if function is None else [rules.LaneSend(lane.number, function)]
        if not isinstance(message, (Results, Return, Running)):
            raise RemoteProtocolError(f"{type(message).__name__} does not come over a lane from a Worker")
        if message.piece != lane.piece or lane.future not in message.ids:
            return []
        if isinstance(message, Running):
            return [rules.Started([lane.future], message.kept)]
        if isinstance(message, Return):
            return [*self._give_up(lane), *self._close_if_done(lane)]
        future = self._empty(lane)
        place = message.ids.index(future)
        odd = [entry for entry in message.odd if entry[0] == future]
        return [
            rules.Resolve([future], [message.outcomes[place]], odd, message.facts), *self._close_if_done(lane)
        ]  # fmt: skip

    def _on_last(self, lane: Lane, taken: int) -> list[rules.Action]:
        """The Worker takes no more; what it has not taken goes to the Broker."""
        if self.usable is lane:
            self.usable = None
        back = self._give_up(lane) if lane.piece > taken else []
        return [*back, *self._close_if_done(lane)]

    def _empty(self, lane: Lane) -> int:
        self._own.let_go(lane.digest)
        future = lane.empty()
        if self._unwanted.pop(future, None) is not None:
            self._plan()
        return future

    def _give_up(self, lane: Lane) -> list[rules.Action]:
        return [rules.Reclaim([self._empty(lane)])] if lane.future else []

    def _close_if_done(self, lane: Lane) -> list[rules.Action]:
        return [] if self.usable is lane or lane.future or lane.is_closed else [rules.CloseLane(lane.number)]

    # -- how it ends -------------------------------------------------------------------------------------------------

    def closed(self, number: int, now: float) -> list[rules.Action]:
        """Nothing comes over a lane any more, and all that has come was taken in."""
        lane = self._lanes.get(number)
        if lane is None or lane.is_closed:
            return []
        if self.usable is lane:
            self.usable = None
        lane.close(now + WORD_SECONDS)
        self._plan()
        return self._settle(lane) if lane.said is not None or not lane.future else []

    def hear(self, said: LeaseEnded) -> list[rules.Action]:
        """The Broker says how a lent Worker has ended, or that it is stopped."""
        lane = self._lanes.get(said.number)
        if lane is None:
            return []
        lane.hear(said)
        if self.usable is lane:
            self.usable = None
        return self._settle(lane) if lane.is_closed else [rules.CloseLane(lane.number)]

    def _settle(self, lane: Lane) -> list[rules.Action]:
        """Give its Future an outcome, or give it to the Broker."""
        del self._lanes[lane.number]
        said = lane.said or LeaseEnded(lane.number)
        self._plan()
        if not lane.future:
            return []
        future = self._empty(lane)
        if said.kind != VALUE:
            return [rules.Resolve([future], [said.outcome], [(future, said.kind)])]
        self._own.mark(future, said.crashes, said.flags)
        return [rules.Reclaim([future])]

    def tick(self, now: float) -> list[Message | rules.Action]:
        """Wait no longer for what the Broker does not say; remind it of what is not to run on."""
        said: list[Message | rules.Action] = []
        if self.due is None or now < self.due:
            return said
        for lane in [lane for lane in self._lanes.values() if now >= lane.until]:
            said += self._settle(lane)
        if now >= self._unwanted_at and self._unwanted:
            self._unwanted_at = now + CANCEL_AGAIN_SECONDS
            said += [Cancel(piece, [future], True) for future, piece in self._unwanted.items()]
        self._plan()
        return said

    def _plan(self) -> None:
        due = min([lane.until for lane in self._lanes.values()], default=float("inf"))
        if self._unwanted:
            due = min(due, self._unwanted_at)
        self.due = due if due < float("inf") else None

    def abandon(self) -> list[rules.Action]:
        """All Workers of this host have ended, and nobody will say how: what is on lanes goes to the next Broker."""
        closing: list[rules.Action] = [rules.CloseLane(one.number) for one in self._lanes.values() if not one.is_closed]
        back = sorted(self._empty(lane) for lane in self._lanes.values() if lane.future)
        self._lanes.clear()
        self.usable = None
        self._plan()
        return [*closing, rules.Reclaim(back)] if back else closing

    def check(self) -> None:
        """Assert that no Future is on two lanes, nor with the Broker as well, and that what is awaited has a bound."""
        futures = self.futures()
        assert len(futures) == len(set(futures)), "a Future is on two lanes"
        assert self._own.where.keys().isdisjoint(futures), "a Future is on a lane and with the Broker"
        assert self._unwanted.keys() <= set(futures), "a Future is not to run on that does not run"
        assert all(lane.until < float("inf") for lane in self._lanes.values() if lane.is_closed), "a lane ends never"
