"""The States that a Broker publishes, each with a number, so that whoever hears them knows which is the newest."""

from __future__ import annotations

from ..wire.messages import State
from .events import Publish
from .outbox import Outbox

TO_WORKERS = ""
"""The topic that own Workers have subscribed to; that of a neighbour is its name."""


class States:
    """What one incarnation of a Broker has published so far."""

    def __init__(self, incarnation: int, outbox: Outbox) -> None:
        self._incarnation, self._outbox = incarnation, outbox
        self._number = 0

    def publish(self, topic: str, unmet: int, spare: int, size: int) -> None:
        """Publish a State: unmet demand, what there is to be had, and how many Workers there are."""
        self._number += 1
        self._outbox.act(Publish(topic, State(self._incarnation, self._number, unmet, spare, size)))
