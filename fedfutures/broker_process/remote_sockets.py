"""A Broker's links to other hosts: its keys, its ZAP handler, the sockets that it binds and dials.

A Broker that is to be reached from other hosts binds three sockets, tries whether they refuse strangers, and only then
says where they are. Which neighbours may come, and with which keys, the host process tells it (``allow``), and is told
when that is in force: only then is the neighbour to dial, so that it is never refused for being early. Whom this Broker
dials on another host it knows by address and key (``dial``). It says how that goes: that the link has come up, or why
it does not.

A neighbour that says what no Broker would is heard no longer after :data:`MOST_OFFENCES` such messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..broker.roles import may_come_from_far
from ..errors import StartFailed
from ..lazy_dataclass import dataclass
from ..sockets.keys import is_key, make_keys
from ..sockets.options import tcp
from ..sockets.remote import Dialled, RemoteEar, RemotePublisher, RemoteRouter
from ..sockets.selftest import BoundSocket, check_with_handler, check_without_handler
from ..sockets.sockets import Context, Data, Readable, drained
from ..sockets.zap import ZapHandler
from ..wire.control import BrokerAccepts, BrokerBound, ControlFrame, LinkState
from ..wire.messages import Message

MOST_OFFENCES = 100
FIRST_REPORT_SECONDS = 0.5
DIAL_AGAIN_SECONDS = 1.0
LOOK_SECONDS = 1.0
"""How often to look at the connections of a link that is up."""

Sequenced = tuple[int, int, Message]


@dataclass(slots=True)
class _RemoteLink:
    """A neighbour that is dialled."""

    addresses: tuple[str, str, str]
    key: str
    sockets: Dialled
    report_at: float
    dialled_at: float
    was_up: bool = False
    look_at: float = 0.0
    said: tuple[bool, str] | None = None  # what the host process was told last


class RemoteSockets:
    """All links to other hosts. `tell` speaks to the host process, `hears` says whether a neighbour is heard."""

    def __init__(
        self, owner: Context, name: str, address: str | None,
        tell: Callable[[ControlFrame], None], hears: Callable[[str], bool],
    ) -> None:  # fmt: skip
        self._owner, self._name, self._tell, self._hears = owner, name, tell, hears
        self.keys = make_keys()
        self._links: dict[str, _RemoteLink] = {}  # by neighbour that is dialled
        self._allowed: set[str] = set()  # neighbours that dial
        self._offences: dict[str, int] = {}
        self.muted: set[str] = set()
        self.strangers = 0  # frames of nobody that is allowed any more
        self._zap: ZapHandler | None = None
        bound = BrokerBound(name, self.keys.public)
        if address is not None:
            try:
                bound = self._bind(address)
            except (OSError, StartFailed) as error:
                bound = BrokerBound(name, self.keys.public, error=str(error))
        tell(bound)

    def _bind(self, address: str) -> BrokerBound:
        """Bind for neighbours, and return where; raise when it cannot be done safely."""
        bound: list[RemoteRouter | RemotePublisher | RemoteEar] = []
        zap = ZapHandler(self._owner)
        try:
            bound.append(router := RemoteRouter(self._owner, address, self.keys, zap))
            bound.append(publisher := RemotePublisher(self._owner, address, self.keys))
            bound.append(ear := RemoteEar(self._owner, address, self.keys, zap, self._name))
            targets = [BoundSocket(socket.kind, tcp(address, socket.port)) for socket in bound]
            check_without_handler(self._owner, targets, self.keys.public)
            zap.open()
            check_with_handler(self._owner, targets, self.keys.public, zap)
        except BaseException:
            for socket in (*bound, zap):
                socket.close()
            raise
        self._zap, self._router, self._publisher, self._ear = zap, router, publisher, ear
        return BrokerBound(self._name, self.keys.public, address, router.port, publisher.port, ear.port)

    # -- the host process --------------------------------------------------------------------------------------------

    def allow(self, name: str, key: str) -> None:
        """Let a neighbour in that has this key, and nobody else under its name."""
        if self._zap is None or not is_key(key):
            return
        self._zap.allow(name, key)
        self._allowed.add(name)
        self._offences.pop(name, None)
        self.muted.discard(name)
        self._tell(BrokerAccepts(self._name, name))

    def dial(self, name: str, addresses: tuple[str, str, str], key: str, now: float) -> bool:
        """Connect to a neighbour; where it was dialled before, to this place instead. Return whether it is new."""
        known = self._links.get(name)
        if known is not None and (known.addresses, known.key) == (addresses, key):
            return False
        if not is_key(key):
            why = f"{addresses[0]} is on another host, and {name} has announced no key"
            self._tell(LinkState(self._name, name, False, why))
            return False
        if known is not None:
            known.sockets.close()
        sockets = Dialled(self._owner, name, addresses, self.keys, key, self._name)
        self._links[name] = _RemoteLink(addresses, key, sockets, now + FIRST_REPORT_SECONDS, now)
        self._offences.pop(name, None)
        self.muted.discard(name)
        return known is None

    def tick(self, now: float) -> None:
        """Say which links have come up or gone down, and why."""
        for name, link in self._links.items():
            up = self._hears(name)
            if up and link.said == (True, "") and now < link.look_at:
                continue
            link.look_at = now + LOOK_SECONDS
            if link.sockets.look() and now >= link.dialled_at + DIAL_AGAIN_SECONDS:
                self._dial_again(name, link, now)
            if up:
                link.was_up = True
                self._say(name, link, True, "")
            elif link.was_up or now >= link.report_at:
                self._say(name, link, False, self._why(name, link))

    def _dial_again(self, name: str, link: _RemoteLink, now: float) -> None:
        why = link.sockets.monitor.why
        link.sockets.close()
        link.sockets = Dialled(self._owner, name, link.addresses, self.keys, link.key, self._name, why)
        link.dialled_at = now

    def _why(self, name: str, link: _RemoteLink) -> str:
        if name in self.muted:
            return f"{name} said {MOST_OFFENCES} things that no Broker says, and is not heard any more"
        if link.sockets.monitor.why:
            return link.sockets.monitor.why
        if link.was_up:
            return f"nothing was heard of {name}"
        stands = link.sockets.monitor.encrypted
        return f"{name} has not answered yet" if stands else f"no connection to {link.addresses[0]} yet"

    def _say(self, name: str, link: _RemoteLink, up: bool, why: str) -> None:
        if link.said != (up, why):
            link.said = (up, why)
            self._tell(LinkState(self._name, name, up, why))

    def deadline(self) -> float | None:
        """When :meth:`tick` has something to say, if nothing happens before."""
        return min((link.report_at for link in self._links.values() if link.said is None), default=None)

    # -- the sockets -------------------------------------------------------------------------------------------------

    def readables(self) -> list[Readable]:
        """Return what is to be waited for."""
        waits: list[Readable] = []
        if self._zap is not None:
            waits += [self._zap, self._router, self._ear]
        for link in self._links.values():
            waits += [link.sockets.main, link.sockets.ear]
            if link.said != (True, ""):
                waits.append(link.sockets.monitor)
        return waits

    def receive(self, most: int) -> Iterator[tuple[str, bytes, memoryview | None]]:
        """Let in who may come, and return what has come on Main sockets: of each at most `most` messages."""
        if self._zap is not None:
            self._zap.serve()
            for received in drained(self._router.receive, most):
                if received[0]:
                    yield received
                else:
                    self.strangers += 1
        for name, link in list(self._links.items()):
            for frame, data in drained(link.sockets.receive, most):
                yield name, frame, data

    def hear(self, most: int) -> Iterator[tuple[str, bytes]]:
        """Return what neighbours have published."""
        if self._zap is not None:
            for heard in drained(self._ear.receive, most):
                if heard[0]:
                    yield heard
                else:
                    self.strangers += 1
        for name, link in list(self._links.items()):
            for state in drained(link.sockets.hear, most):
                yield name, state

    def send(self, name: str, frame: bytes, data: Data | None = None) -> bool:
        """Send a frame to a neighbour on another host; return False if it is none."""
        link = self._links.get(name)
        if link is not None:
            link.sockets.send(frame, data)
        elif name in self._allowed:
            self._router.send(name, frame, data)
        else:
            return False
        return True

    def publish(self, topic: str, frame: bytes) -> bool:
        """Publish a state for a neighbour on another host; return False if it is none."""
        link = self._links.get(topic)
        if link is not None:
            link.sockets.publish(topic, self._name, frame)
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
                if self._zap is not None:
                    self._zap.forbid(name)
        return kept
