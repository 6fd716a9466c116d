"""What parts say and want done comes out in their order; what was lost is said again."""

from __future__ import annotations

from fedfutures.broker.events import Publish
from fedfutures.broker.files import Remove
from fedfutures.broker.outbox import Outbox
from fedfutures.federation.channel import ACK_DELAY_SECONDS, REPEAT_AFTER_SECONDS
from fedfutures.federation.events import Send
from fedfutures.wire.messages import Ack, Demand, State, Stranger, Want

from . import nodes


def test_actions_are_taken_once_in_their_order() -> None:
    outbox, w = Outbox(), nodes.worker()
    state = State(1, 2, 3, 4, 5)
    outbox.send(w, Want(b"f"), 0.0)
    outbox.send_unnumbered("x", Stranger())
    outbox.act(Publish("", state))
    outbox.act(Remove(["s"]))
    first, *others = outbox.take()
    assert isinstance(first, Send)
    assert (first.peer, first.message, first.sequence) == ("w", Want(b"f"), w.channel.last)
    assert others == [Send("x", Stranger(), 0, 0), Publish("", state), Remove(["s"])]
    assert outbox.take() == []


def test_what_is_not_acknowledged_is_said_again_when_it_is_due() -> None:
    outbox, v, w = Outbox(), nodes.worker("v"), nodes.worker("w")
    outbox.send(w, Demand(1, 0), 0.0)
    outbox.send(v, Demand(2, 0), 1.0)
    assert outbox.due == REPEAT_AFTER_SECONDS
    nodes.said(outbox)
    outbox.repeat([v, w], 1.0)
    assert nodes.said(outbox) == []
    outbox.repeat([v, w], REPEAT_AFTER_SECONDS)
    assert nodes.said(outbox) == [("w", Demand(1, 0))]
    assert outbox.due == 1.0 + REPEAT_AFTER_SECONDS


def test_an_acknowledgement_goes_alone_if_nothing_else_does() -> None:
    outbox, w = Outbox(), nodes.worker()
    w.channel.accept(w.channel.acknowledged + 1, 0, 0.0)
    outbox.note_deadline(w)
    assert outbox.due == ACK_DELAY_SECONDS
    outbox.repeat([w], ACK_DELAY_SECONDS)
    assert nodes.said(outbox) == [("w", Ack())]
    assert outbox.due is None


def test_to_a_silent_neighbour_nothing_is_said_again() -> None:
    outbox, n = Outbox(), nodes.neighbour()
    assert n.link is not None
    n.link.welcomed(0.0)
    outbox.send(n, Demand(1, 0), 0.0)
    nodes.said(outbox)
    assert n.link.falls_silent(99.0)
    outbox.repeat([n], 99.0)
    assert (nodes.said(outbox), outbox.due) == ([], None)
