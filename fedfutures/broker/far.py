"""A Broker's links to other hosts: its keys, its gate, the sockets that are dialled there and those that it dials.

A Broker that is to be reached from other hosts binds three sockets, tries whether they refuse strangers, and only then
says where they are. Which neighbours may come, and with which keys, the host process tells it (``allow``), and is told
when that is in force: only then is the neighbour to dial, so that it is never refused for being early. Whom this Broker
dials on another host it knows by address and key (``dial``). It says how that goes: that the link has come up, or why
it does not.

A neighbour that says what no Broker would is heard no longer after :data:`MOST_OFFENCES` such messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from ..errors import StartFailed
from ..lazy_dataclass import dataclass
from ..sockets.far import Dialled, FarEar, FarPublisher, FarRouter
from ..sockets.gate import Gate
from ..sockets.keys import is_key, make_keys
from ..sockets.options import tcp
from ..sockets.sockets import Context, Data, Readable
from ..sockets.trial import BoundSocket, try_with_gate, try_without_gate
from ..wire.control import BrokerAccepts, BrokerBound, ControlFrame, LinkState
from ..wire.messages import Message
from .roles import may_come_from_far

MOST_OFFENCES = 100
FIRST_REPORT_SECONDS = 0.5
DIAL_AGAIN_SECONDS = 1.0
LOOK_SECONDS = 1.0
"""How often to look at the connections of a link that is up."""

Sequenced = tuple[int, int, Message]
Received = TypeVar("Received")


@dataclass(slots=True)
class _Way:
    """A neighbour that is dialled."""

    addresses: tuple[str, str, str]
    key: str
    sockets: Dialled
    report_at: float
    dialled_at: float
    was_up: bool = False
    look_at: float = 0.0
    said: tuple[bool, str] | None = None  # what the host process was told last


class Far:
    """All links to other hosts. `tell` speaks to the host process, `hears` says whether a neighbour is heard."""

    def __init__(
        self, owner: Context, name: str, address: str | None,
        tell: Callable[[ControlFrame], None], hears: Callable[[str], bool],
    ) -> None:  # fmt: skip
        self._owner, self._name, self._tell, self._hears = owner, name, tell, hears
        self.keys = make_keys()
        self._ways: dict[str, _Way] = {}  # by neighbour that is dialled
        self._allowed: set[str] = set()  # neighbours that dial
        self._offences: dict[str, int] = {}
        self.muted: set[str] = set()
        self.strangers = 0  # frames of nobody that is allowed any more
        self._gate: Gate | None = None
        bound = BrokerBound(name, self.keys.public)
        if address is not None:
            try:
                bound = self._bind(address)
            except (OSError, StartFailed) as error:
                bound = BrokerBound(name, self.keys.public, error=str(error))
        tell(bound)

    def _bind(self, address: str) -> BrokerBound:
        """Bind for neighbours, and return where; raise when it cannot be done safely."""
        bound: list[FarRouter | FarPublisher | FarEar] = []
        gate = Gate(self._owner)
        try:
            bound.append(router := FarRouter(self._owner, address, self.keys, gate))
            bound.append(publisher := FarPublisher(self._owner, address, self.keys))
            bound.append(ear := FarEar(self._owner, address, self.keys, gate, self._name))
            targets = [BoundSocket(socket.kind, tcp(address, socket.port)) for socket in bound]
            try_without_gate(self._owner, targets, self.keys.public)
            gate.open()
            try_with_gate(self._owner, targets, self.keys.public, gate)
        except BaseException:
            for socket in (*bound, gate):
                socket.close()
            raise
        self._gate, self._router, self._publisher, self._ear = gate, router, publisher, ear
        return BrokerBound(self._name, self.keys.public, address, router.port, publisher.port, ear.port)

    # -- the host process --------------------------------------------------------------------------------------------

    def allow(self, name: str, key: str) -> None:
        """Let a neighbour in that has this key, and nobody else under its name."""
        if self._gate is None or not is_key(key):
            return
        self._gate.allow(name, key)
        self._allowed.add(name)
        self._offences.pop(name, None)
        self.muted.discard(name)
        self._tell(BrokerAccepts(self._name, name))

    def dial(self, name: str, addresses: tuple[str, str, str], key: str, now: float) -> bool:
        """Connect to a neighbour; where it was dialled before, to this place instead. Return whether it is new."""
        known = self._ways.get(name)
        if known is not None and (known.addresses, known.key) == (addresses, key):
            return False
        if not is_key(key):
            why = f"{addresses[0]} is on another host, and {name} has announced no key"
            self._tell(LinkState(self._name, name, False, why))
            return False
        if known is not None:
            known.sockets.close()
        sockets = Dialled(self._owner, name, addresses, self.keys, key, self._name)
        self._ways[name] = _Way(addresses, key, sockets, now + FIRST_REPORT_SECONDS, now)
        self._offences.pop(name, None)
        self.muted.discard(name)
        return known is None

    def tick(self, now: float) -> None:
        """Say which links have come up or gone down, and why."""
        for name, way in self._ways.items():
            up = self._hears(name)
            if up and way.said == (True, "") and now < way.look_at:
                continue
            way.look_at = now + LOOK_SECONDS
            if way.sockets.look() and now >= way.dialled_at + DIAL_AGAIN_SECONDS:
                self._dial_again(name, way, now)
            if up:
                way.was_up = True
                self._say(name, way, True, "")
            elif way.was_up or now >= way.report_at:
                self._say(name, way, False, self._why(name, way))

    def _dial_again(self, name: str, way: _Way, now: float) -> None:
        why = way.sockets.watch.why
        way.sockets.close()
        way.sockets, way.dialled_at = Dialled(self._owner, name, way.addresses, self.keys, way.key, self._name), now
        way.sockets.watch.why = why

    def _why(self, name: str, way: _Way) -> str:
        if name in self.muted:
            return f"{name} said {MOST_OFFENCES} things that no Broker says, and is not heard any more"
        if way.sockets.watch.why:
            return way.sockets.watch.why
        if way.was_up:
            return f"nothing was heard of {name}"
        stands = way.sockets.watch.encrypted
        return f"{name} has not answered yet" if stands else f"no connection to {way.addresses[0]} yet"

    def _say(self, name: str, way: _Way, up: bool, why: str) -> None:
        if way.said != (up, why):
            way.said = (up, why)
            self._tell(LinkState(self._name, name, up, why))

    def deadline(self) -> float | None:
        """When :meth:`tick` has something to say, if nothing happens before."""
        return min((way.report_at for way in self._ways.values() if way.said is None), default=None)

    # -- the sockets -------------------------------------------------------------------------------------------------

    def readables(self) -> list[Readable]:
        """Return what is to be waited for."""
        waits: list[Readable] = []
        if self._gate is not None:
            waits += [self._gate, self._router, self._ear]
        for way in self._ways.values():
            waits += [way.sockets.main, way.sockets.ear]
            if way.said != (True, ""):
                waits.append(way.sockets.watch)
        return waits

    def receive(self, most: int) -> Iterator[tuple[str, bytes, memoryview | None]]:
        """Let in who may come, and return what has come on Main sockets: of each at most `most` messages."""
        if self._gate is not None:
            self._gate.serve()
            for received in _drained(self._router.receive, most):
                if received[0]:
                    yield received
                else:
                    self.strangers += 1
        for name, way in list(self._ways.items()):
            for frame, data in _drained(way.sockets.receive, most):
                yield name, frame, data

    def hear(self, most: int) -> Iterator[tuple[str, bytes]]:
        """Return what neighbours have published."""
        if self._gate is not None:
            for heard in _drained(self._ear.receive, most):
                if heard[0]:
                    yield heard
                else:
                    self.strangers += 1
        for name, way in list(self._ways.items()):
            for state in _drained(way.sockets.hear, most):
                yield name, state

    def send(self, name: str, frame: bytes, data: Data | None = None) -> bool:
        """Send a frame to a neighbour on another host; return False if it is none."""
        way = self._ways.get(name)
        if way is not None:
            way.sockets.send(frame, data)
        elif name in self._allowed:
            self._router.send(name, frame, data)
        else:
            return False
        return True

    def publish(self, topic: str, frame: bytes) -> bool:
        """Publish a state for a neighbour on another host; return False if it is none."""
        way = self._ways.get(topic)
        if way is not None:
            way.sockets.publish(topic, self._name, frame)
        elif topic in self._allowed:
            self._publisher.publish(topic, self._name, frame)
        else:
            return False
        return True

    # -- what may be said --------------------------------------------------------------------------------------------

    def sift(self, name: str, found: list[Sequenced]) -> list[Sequenced]:
        """Return what a neighbour on another host may say; `found` is empty where its bytes were no message."""
        if name in self.muted:
            return []
        kept = [one for one in found if may_come_from_far(name, one[2])]
        offences = len(found) - len(kept) or int(not found)
        if offences:
            self._offences[name] = self._offences.get(name, 0) + offences
            if self._offences[name] >= MOST_OFFENCES:
                self.muted.add(name)
                if self._gate is not None:
                    self._gate.forbid(name)
        return kept


def _drained(receive: Callable[[], Received | None], most: int) -> Iterator[Received]:
    """Receive until nothing is left, but no more than so many at a time."""
    for _ in range(most):
        received = receive()
        if received is None:
            return
        yield received
