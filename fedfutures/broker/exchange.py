"""How load is shared: whom to ask for how much, whom to tell what, and when to be hungry.

Everything follows from one survey of the peers, made at each Tick. Demand goes to whoever may have work, and comprises
what all *others* could use, so it is summed over the tree on its way. It stands: it is said again when much of it was
used up. To neighbours that have published no spare Futures it is said coarsely and not often, so that thousands of
Workers that fall idle one after the other do not make a storm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..federation import schedule
from ..lazy_dataclass import dataclass
from ..wire import messages
from .ledger import Peer

if TYPE_CHECKING:
    from .machine import BrokerMachine

HUNGER_AFTER_SECONDS = 0.001
HUNGER_REPEAT_SECONDS = 0.05
QUIET_SECONDS = 0.05
"""How often at most a neighbour is told what does not concern it now."""
STATE_REPEAT_SECONDS = 1.0
HUNGER_REPEAT_AT_MOST_SECONDS = 1.0
DEMAND_AT_MOST = 1 << 20


@dataclass(slots=True)
class Survey:
    """What one look at the peers shows."""

    workers: int = 0  # own ones
    room: int = 0  # of own Workers
    idle_room: int = 0  # of own Workers that have nothing to run
    idle: int = 0  # such Workers
    working: bool = False  # some own Worker has work
    movable: int = 0  # Futures here that could go elsewhere, those at neighbours aside
    others: int = 0  # room of neighbours
    others_idle: int = 0
    others_workers: int = 0
    others_spare: int = 0

    # What a neighbour is told: all that lies on this side of its link.

    def idle_beyond(self, peer: Peer) -> int:
        """Workers that have nothing to run."""
        return self.idle + self.others_idle - peer.idle

    def workers_beyond(self, peer: Peer) -> int:
        """Workers."""
        return self.workers + self.others_workers - peer.workers

    def spare_beyond(self, peer: Peer) -> int:
        """Futures that could be moved."""
        return self.movable + self.others_spare - _spare_at(peer)


class Exchange:
    """The balance of one Broker."""

    def __init__(self, broker: BrokerMachine) -> None:
        self._broker = broker
        self._outbox = broker.outbox
        self.others_workers = 0  # Workers behind neighbours, at the last survey
        self.due: float | None = None  # when :meth:`balance` has something to do even if nothing happens
        self._hungry_at: float | None = None  # when to publish hunger
        self._hunger_wait = HUNGER_REPEAT_SECONDS
        self._hunger = 0
        self._number = 0
        self._states_at = float("-inf")  # when States were repeated last

    def balance(self, now: float) -> None:
        """Ask, tell and publish what is news."""
        self.due = None
        broker = self._broker
        survey = self._survey()
        self.others_workers = survey.others_workers
        queued = len(broker.queue)
        hungry = self._consider_hunger(survey, queued, now)
        self._ask_origins(survey, queued, now)
        if broker.neighbours:
            survey.movable += max(0, queued - schedule.soon(broker.durations.last, broker.takers, 0.0))
            for peer in broker.neighbours:
                if peer.link is not None and peer.link.linked and not peer.silent:
                    self._ask_neighbour(peer, survey, queued, hungry, now)
                    self._publish_to(peer, survey, hungry, now)
            self._wake_at(self._states_at + STATE_REPEAT_SECONDS)
            if now >= self._states_at + STATE_REPEAT_SECONDS:
                self._states_at = now

    def _wake_at(self, when: float) -> None:
        if self.due is None or when < self.due:
            self.due = when

    def _survey(self) -> Survey:
        survey = Survey(self._broker.takers)
        soon = 1 + schedule.soon(self._broker.durations.last, 1, 0.0)
        for peer in self._broker.workers:
            if peer.pending and not peer.idle:
                survey.working = True
                survey.movable += max(0, peer.pending + peer.backlog - soon)
            if not peer.spent and (room := peer.channel.room) > 0:
                survey.room += room
                if peer.idle:
                    survey.idle += 1
                    survey.idle_room += room
        for peer in self._broker.origins:
            survey.movable += peer.backlog
        for peer in self._broker.neighbours:
            if peer.link is not None and not peer.link.silent:
                survey.others += peer.room
                survey.others_idle += peer.idle
                survey.others_workers += peer.workers
                survey.others_spare += _spare_at(peer)
        return survey

    # -- Demand ------------------------------------------------------------------------------------------------------

    def _ask_origins(self, survey: Survey, queued: int, now: float) -> None:
        broker = self._broker
        cushion = schedule.cushion(broker.durations.last, broker.takers)
        wanted = survey.room + cushion + survey.others - queued
        if broker.queue.bytes > schedule.QUEUE_BYTES_AT_MOST:
            wanted = 0
        elif broker.losses.is_hopeless():
            wanted = schedule.MOST_IN_A_PIECE  # to be told that nobody will run them
        elif 2 * queued > cushion > wanted > 0:
            return  # a larger Batch a little later
        wanted = max(0, min(wanted, DEMAND_AT_MOST))
        for peer in broker.origins:
            if wanted > 2 * max(0, peer.asked) or wanted < peer.asked // 4:
                peer.asked = wanted
                self._outbox.send(peer, messages.Demand(wanted, 0, 0), now)

    def _ask_neighbour(self, peer: Peer, survey: Survey, queued: int, hungry: bool, now: float) -> None:
        broker = self._broker
        assert peer.link is not None
        seconds = 2 * schedule.HORIZON_SECONDS + 2.5 * peer.link.round_trip
        cushion = schedule.cushion(broker.durations.last, broker.takers, seconds)
        goal = survey.room + cushion + survey.others - peer.room
        wanted = max(0, min(goal - queued, DEMAND_AT_MOST))
        if broker.queue.bytes > schedule.QUEUE_BYTES_AT_MOST:
            wanted = 0
        idle = survey.idle_beyond(peer) if hungry else 0
        if idle and _spare_at(peer):  # others that have something are asked for the rest
            idle = -(-idle * _spare_at(peer) // max(1, survey.movable + survey.others_spare))
        workers = survey.workers_beyond(peer)
        asked = max(0, peer.asked)
        if peer.spare or peer.backlog:
            news = (
                wanted - asked >= max(1, goal // 4) or wanted < asked // 4
                or idle > peer.told_idle or (not idle and peer.told_idle > 0 and not queued)
            )  # fmt: skip
        else:
            news = (
                wanted > 2 * asked
                or idle > 2 * peer.told_idle
                or not 0.75 <= _ratio(peer.told_workers, workers) <= 1.25
            )
            if news and now < peer.told_at + QUIET_SECONDS:
                self._wake_at(peer.told_at + QUIET_SECONDS)
                news = False
        if news:
            peer.asked, peer.told_idle, peer.told_workers, peer.told_at = wanted, idle, workers, now
            self._outbox.send(peer, messages.Demand(wanted, idle, workers), now)

    # -- Meta --------------------------------------------------------------------------------------------------------

    def _consider_hunger(self, survey: Survey, queued: int, now: float) -> bool:
        """Publish hunger once Workers have been idle for a moment while others have work; repeat it while it lasts."""
        alone = not survey.working and not self._broker.neighbours
        hunger = 0 if queued > self._broker.queue.returned or alone else survey.idle_room + survey.others_idle
        if not hunger:
            self._hungry_at = None
            if self._hunger:
                self._publish_to_workers(0)
            return False
        if self._hungry_at is None:
            self._hungry_at = now + HUNGER_AFTER_SECONDS
            self._hunger_wait = HUNGER_REPEAT_SECONDS
        elif now >= self._hungry_at:
            if survey.working:
                self._publish_to_workers(hunger)
            self._hungry_at = now + self._hunger_wait
            self._hunger_wait = min(2 * self._hunger_wait, HUNGER_REPEAT_AT_MOST_SECONDS)
        self._wake_at(self._hungry_at)
        return self._hunger_wait > HUNGER_REPEAT_SECONDS

    def _publish_to_workers(self, hunger: int) -> None:
        self._hunger = hunger
        broker = self._broker
        self._number += 1
        self._outbox.publish("", messages.State(broker.boot, self._number, hunger, len(broker.queue), broker.size))

    def announce(self) -> None:
        """Let own Workers hear that this Broker is here: one that was there before has another boot."""
        self._publish_to_workers(self._hunger)

    def _publish_to(self, peer: Peer, survey: Survey, hungry: bool, now: float) -> None:
        """Tell a neighbour at once when there is something to be had, the rest from time to time."""
        spare, size = survey.spare_beyond(peer), survey.workers_beyond(peer)
        told_spare, told_size = peer.published
        news = spare > 2 * told_spare or 2 * spare < told_spare or size != told_size
        at_once = spare > 0 and told_spare == 0
        if not (at_once or news) and now < self._states_at + STATE_REPEAT_SECONDS:
            return
        if not at_once and now < peer.published_at + QUIET_SECONDS:
            self._wake_at(peer.published_at + QUIET_SECONDS)
            return
        hunger = survey.idle_beyond(peer) if hungry else 0
        peer.published, peer.published_at = (spare, size), now
        self._number += 1
        broker = self._broker
        self._outbox.publish(peer.name, messages.State(broker.boot, self._number, hunger, spare, size))


def _spare_at(peer: Peer) -> int:
    """Futures at or behind a neighbour that could be moved."""
    return max(0, peer.pending - peer.workers) + peer.spare


def _ratio(told: int, true: int) -> float:
    return 1.0 if told == true else (told + 0.01) / (true + 0.01)
