"""What the step at hand says and wants done. All parts of the Broker write here; the Broker hands it to the shell."""

from __future__ import annotations

from collections.abc import Iterable

from ..federation.events import Send
from ..wire.messages import Ack, Message
from . import files
from .events import Action, AskHost, AskStandIn, EndForCancel, Publish, TellHost, WantWorkers
from .peers import Peer


class Outbox:
    """The actions of one step, in order."""

    __slots__ = ("_actions", "due")

    def __init__(self) -> None:
        self._actions: list[Action] = []
        self.due: float | None = None  # the earliest deadline of any channel

    def send(self, peer: Peer, message: Message, now: float) -> None:
        """Send a message of the session with `peer`: its channel numbers it, and repeats it until it has arrived."""
        if peer.far:
            peer.given.note(message)
        sequence, acknowledged = peer.channel.number(message, now)
        self._actions.append(Send(peer.name, message, sequence, acknowledged))
        self.note_deadline(peer)

    def send_unnumbered(self, name: str, message: Message) -> None:
        """Send a message that belongs to no session."""
        self._actions.append(Send(name, message, 0, 0))

    def repeat(self, peers: Iterable[Peer], now: float) -> None:
        """Once the deadline has come, send each peer what it has not acknowledged, and acknowledgements that are due.

        What is repeated to a silent peer would only pile up: it is repeated when the peer is heard again.
        """
        if self.due is None or now < self.due:
            return
        self.due = None
        for peer in peers:
            if not peer.silent:
                channel = peer.channel
                for sequence, message in channel.repeat(now):
                    self._actions.append(Send(peer.name, message, sequence, channel.acknowledged))
                if channel.ack_is_due(now):
                    self.send(peer, Ack(channel.missing), now)
                self.note_deadline(peer)

    def on_ack(self, peer: Peer, ack: Ack, now: float) -> None:
        """A peer acknowledges; where it misses something, that is repeated soon."""
        if ack.missing:
            peer.channel.hasten(now)
            self.note_deadline(peer)

    def act(
        self, action: Publish | AskStandIn | WantWorkers | EndForCancel | AskHost | TellHost | files.Action
    ) -> None:  # fmt: skip
        """Have a State published, something done with segments, or the host process asked or told something."""
        self._actions.append(action)

    def note_deadline(self, peer: Peer) -> None:
        """Wake when the channel of a peer has something to say; what a silent one is to hear waits until it is back."""
        due = peer.channel.deadline()
        if due is not None and (self.due is None or due < self.due) and not peer.silent:
            self.due = due

    def take(self) -> list[Action]:
        """Return the actions of this step, and begin the next."""
        actions, self._actions = self._actions, []
        return actions
