"""Listeners hear what they want to hear of, in the order in which they came."""

from __future__ import annotations

from fedfutures.federation.events import Send
from fedfutures.simulation.observer import Listener, Observer
from fedfutures.wire.messages import Ack

heard: list[object] = []


class OfIncidents(Listener):
    def __init__(self, name: str) -> None:
        self.name = name

    def on_incident(self, now: float, name: str, what: str) -> None:
        heard.append((self.name, now, name, what))


class OfMessages(Listener):
    def on_send(self, now: float, sender: str, peer: str, action: Send) -> None:
        heard.append((sender, peer))


def test_each_listener_hears_what_it_wants() -> None:
    heard.clear()
    observer = Observer()
    observer.on_incident(0.0, "b", "nobody hears this")
    for listener in (OfIncidents("first"), OfMessages(), OfIncidents("second"), OfIncidents("third")):
        observer.register(listener)
    observer.on_incident(1.0, "b", "has ended")
    observer.on_send(1.0, "b", "w", Send("w", Ack(), 0, 0))
    observer.on_leave("o")
    assert heard == [
        ("first", 1.0, "b", "has ended"), ("second", 1.0, "b", "has ended"), ("third", 1.0, "b", "has ended"),
        ("b", "w"),
    ]  # fmt: skip


def test_messages_are_told_where_somebody_wants_them() -> None:
    observer = Observer()
    observer.register(OfIncidents("first"))
    assert not observer.sees_messages
    observer.register(OfMessages())
    assert observer.sees_messages
