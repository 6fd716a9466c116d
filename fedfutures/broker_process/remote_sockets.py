"""A Broker's links to other hosts: its keys, its ZAP handler, the sockets that it binds and dials (docs/security.rst).

A Broker that is to be reached from other hosts binds three sockets, tries whether they refuse strangers, and only then
says where they are. The host process is told when a neighbour's key is in force: only then is that neighbour to dial,
so that it is never refused for being early. How each dialled link goes, and why, the host process is told as well.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable, Iterator

from .. import failpoints
from ..broker.roles import may_come_from_far
from ..errors import StartFailed
from ..lazy_dataclass import dataclass
from ..sockets.keys import is_key, make_keys
from ..sockets.options import tcp
from ..sockets.remote import Dialled, RemotePublisher, RemoteRouter, RemoteSubscriber
from ..sockets.selftest import check_refusals
from ..sockets.sockets import Context, Data, Socket, drained
from ..sockets.zap import ZapHandler
from ..wire.control import BrokerAccepts, BrokerBound, ControlFrame, LinkState
from ..wire.messages import Message

MOST_OFFENCES = 100
FIRST_REPORT_SECONDS = 0.5
DIAL_AGAIN_SECONDS = 1.0
LOOK_SECONDS = 1.0
"""How often to look at the connections of a link that is up."""
TRIAL_SECONDS = 4.0
"""For so long ports are tried beside a link that goes through ssh."""

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

    @property
    def relayed(self) -> bool:
        """Whether it goes through a relay of this host, and so through ssh."""
        return self.addresses[0].startswith("ipc://")


@dataclass(slots=True)
class _Trial:
    """Sockets at a neighbour's ports, beside those of its link."""

    addresses: tuple[str, str, str]
    key: str
    sockets: Dialled
    until: float


class RemoteSockets:
    """All links to other hosts. `tell` speaks to the host process, `hears` says whether a neighbour is heard."""

    def __init__(
        self, owner: Context, name: str, address: str | None,
        tell: Callable[[ControlFrame], None], hears: Callable[[str], bool],
    ) -> None:  # fmt: skip
        self._owner, self._name, self._tell, self._hears = owner, name, tell, hears
        self.keys = make_keys()
        self._links: dict[str, _RemoteLink] = {}  # by neighbour that is dialled
        self._trials: dict[str, _Trial] = {}  # by neighbour
        self._allowed: set[str] = set()  # neighbours that dial
        self._offences: dict[str, int] = {}
        self.muted: dict[str, str] = {}  # neighbours that are not heard any more, and why
        self.sent: dict[str, int] = {}  # bytes, by neighbour
        self.strangers = 0  # frames of nobody that is allowed any more
        self._zap: ZapHandler | None = None
        self.is_used = False  # whether there is a socket that other hosts speak to, or a link to one
        bound = BrokerBound(name, self.keys.public)
        if address is not None:
            try:
                bound = self._bind(address)
            except (OSError, StartFailed) as error:
                bound = BrokerBound(name, self.keys.public, error=str(error))
        tell(bound)

    def _bind(self, address: str) -> BrokerBound:
        """Bind for neighbours, and return where; raise when it cannot be done safely."""
        bound: list[RemoteRouter | RemotePublisher | RemoteSubscriber] = []
        zap = ZapHandler(self._owner)
        place = _place(address)
        try:
            bound.append(router := RemoteRouter(self._owner, place, self.keys, zap))
            bound.append(publisher := RemotePublisher(self._owner, place, self.keys))
            bound.append(subscriber := RemoteSubscriber(self._owner, place, self.keys, zap, self._name))
            targets = [(socket.kind, tcp(place, socket.port)) for socket in bound]
            check_refusals(self._owner, targets, self.keys.public, None)
            zap.open()
            check_refusals(self._owner, targets, self.keys.public, zap)
        except BaseException:
            for socket in (*bound, zap):
                socket.close()
            raise
        self.is_used = True
        self._zap, self._router, self._publisher, self._subscriber = zap, router, publisher, subscriber
        return BrokerBound(self._name, self.keys.public, address, router.port, publisher.port, subscriber.port)

    # -- the host process --------------------------------------------------------------------------------------------

    def allow(self, name: str, key: str) -> None:
        """Let a neighbour in that has this key, and nobody else under its name."""
        if self._zap is None or not is_key(key):
            return
        self._zap.allow(name, key)
        self._allowed.add(name)
        self._offences.pop(name, None)
        self.muted.pop(name, None)
        self._tell(BrokerAccepts(self._name, name))

    @failpoints.delayed("remote.dial")
    def dial(self, name: str, addresses: tuple[str, str, str], key: str, now: float) -> bool:
        """Connect to a neighbour; where it was dialled before, to this place instead. Return whether it is new."""
        known = self._links.get(name)
        self._end_trial(name)
        if known is not None and (known.addresses, known.key) == (addresses, key):
            return False
        if not is_key(key):
            why = f"{addresses[0]} is on another host, and {name} has announced no key"
            self._tell(LinkState(self._name, name, False, why))
            return False
        try:
            sockets = Dialled(self._owner, name, addresses, self.keys, key, self._name)
        except (OSError, ValueError) as error:
            self._tell(LinkState(self._name, name, False, f"{addresses[0]} cannot be dialled: {error}"))
            return False
        if known is not None:
            known.sockets.close()
        self.is_used = True
        self._links[name] = _RemoteLink(addresses, key, sockets, now + FIRST_REPORT_SECONDS, now)
        self._offences.pop(name, None)
        self.muted.pop(name, None)
        return known is None

    @failpoints.lost("remote.try_ports")
    def try_ports(self, name: str, addresses: tuple[str, str, str], key: str, now: float) -> None:
        """Connect to the ports of a neighbour whose link is relayed; :meth:`tick` moves the link if they work."""
        link = self._links.get(name)
        if link is None or link.key != key:
            return
        self._end_trial(name)
        if link.relayed:
            with contextlib.suppress(OSError, ValueError):  # they are no addresses
                sockets = Dialled(self._owner, name, addresses, self.keys, key, self._name)
                self._trials[name] = _Trial(addresses, key, sockets, now + TRIAL_SECONDS)
        else:
            link.said = None  # the launching side has missed that: say it again

    def _end_trial(self, name: str) -> None:
        trial = self._trials.pop(name, None)
        if trial is not None:
            trial.sockets.close()

    def _look_at_trials(self, now: float) -> None:
        for name, trial in list(self._trials.items()):
            dead, link = trial.sockets.look(), self._links[name]
            if trial.sockets.stands:  # what was under way on the old sockets, the session will repeat
                del self._trials[name]
                link.sockets.close()
                link.addresses, link.sockets, link.dialled_at, link.said = trial.addresses, trial.sockets, now, None
            elif dead or now >= trial.until:
                self._end_trial(name)

    def tick(self, now: float) -> None:
        """Say which links have come up or gone down, and why; move links whose ports work again."""
        self._look_at_trials(now)
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
            return self.muted[name]
        if link.sockets.monitor.why:
            return link.sockets.monitor.why
        if link.was_up:
            return f"nothing was heard of {name}"
        stands = link.sockets.monitor.encrypted
        return f"{name} has not answered yet" if stands else f"no connection to {link.addresses[0]} yet"

    def _say(self, name: str, link: _RemoteLink, up: bool, why: str) -> None:
        if link.said != (up, why):
            link.said = (up, why)
            self._tell(LinkState(self._name, name, up, why, link.relayed))

    def deadline(self) -> float | None:
        """When :meth:`tick` has something to say, if nothing happens before."""
        reports = [link.report_at for link in self._links.values() if link.said is None]
        return min([*reports, *(trial.until for trial in self._trials.values())], default=None)

    # -- the sockets -------------------------------------------------------------------------------------------------

    def readables(self) -> list[Socket]:
        """Return what is to be waited for."""
        waits: list[Socket] = []
        if self._zap is not None:
            waits += [self._zap, self._router, self._subscriber]
        for link in self._links.values():
            waits += [link.sockets.main, link.sockets.subscriber]
            if link.said != (True, ""):
                waits.append(link.sockets.monitor)
        for trial in self._trials.values():
            waits += trial.sockets.monitors
        return waits

    @failpoints.delayed("remote.receive")
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
            for heard in drained(self._subscriber.receive, most):
                if heard[0]:
                    yield heard
                else:
                    self.strangers += 1
        for name, link in list(self._links.items()):
            for state in drained(link.sockets.hear, most):
                yield name, state

    @failpoints.delayed("remote.send")
    def send(self, name: str, frame: bytes, data: Data | None = None) -> bool:
        """Send a frame to a neighbour on another host; return False if it is none."""
        link = self._links.get(name)
        if link is not None:
            link.sockets.send(frame, data)
        elif name in self._allowed:
            self._router.send(name, frame, data)
        else:
            return False
        self.sent[name] = self.sent.get(name, 0) + len(frame) + (0 if data is None else len(data))
        return True

    def is_far(self, name: str) -> bool:
        """Whether this neighbour is on another host."""
        return name in self._links or name in self._allowed

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
                self.mute(name, f"{name} said {MOST_OFFENCES} things that no Broker says, and is not heard any more")
        return kept

    def mute(self, name: str, why: str) -> None:
        """Hear a neighbour no more, until it has another key or another address."""
        self.muted[name] = why
        if self._zap is not None:
            self._zap.forbid(name)


def _place(address: str) -> str:
    """Return where to bind for an address: there, or everywhere if it is none of this host, as behind a translation."""
    is_six = ":" in address
    with socket.socket(socket.AF_INET6 if is_six else socket.AF_INET) as trial:
        try:
            trial.bind((address, 0))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return "::" if is_six else "0.0.0.0"
    return address
