"""How load is shared: whom to ask for how much, and whom to tell what.

Demand comprises what all *others* could use, so it is summed over the tree on its way (docs/federation.rst, "Demand").
Everything follows from one survey of the peers, brought up to date at each Tick. Of own Workers there may be many, and
few of them change from one Tick to the next: the survey takes off what these counted before and adds what they count
now. Where nothing at all has changed there is nothing to say.
"""

from __future__ import annotations

from ..federation import schedule
from ..federation.schedule import Durations
from ..lazy_dataclass import dataclass
from ..wire.messages import ALONE, ANY, Batch, Demand, State
from .ledger import ELSEWHERE, Account, Ledger
from .outbox import Outbox
from .peers import Peer
from .states import States
from .survey import Counts, Survey
from .unmet import UnmetDemand

QUIET_SECONDS = 0.05
"""How often at most a neighbour is told what does not concern it now."""
STATE_REPEAT_SECONDS = 1.0
DEMAND_AT_MOST = 1 << 20
BELIEVED_AT_MOST = 1 << 40
"""Larger counts of a peer are lies; with this bound the sums of many, which others are told, fit into messages."""


@dataclass(slots=True, eq=False)
class PeerLoad:
    """What one peer has room for, holds, offers, and has been told. Only :class:`Load` changes it."""

    peer: Peer
    account: Account
    order: int  # of Workers: as they came
    workers: int  # Workers at or behind it
    idle: int = 0  # Workers at or behind it that have nothing to run
    starts: int = ANY  # of a Worker: which Futures it starts
    is_lent: bool = False  # it is a Worker that runs Futures of one submitter over a lane, and takes no others
    spent: bool = True  # its Demand is used up until it speaks again
    asked: int = 0  # the Demand last sent to it, less what came since
    told_idle: int = 0  # the idle Workers last told to it, less what came since
    told_workers: int = 0
    told_at: float = float("-inf")
    backlog: int = 0  # Futures that it still kept when it gave last
    spare: int = 0  # what a neighbour's State says
    state: tuple[int, int] = (0, 0)  # (incarnation, number) of that State
    published: tuple[int, int] = (0, 0)  # (spare, size) in the last State to it
    published_at: float = float("-inf")
    room: int = 0  # how many Futures it can still use: none while it is silent
    counted: Counts = (0, 0, 0, 0, 0)  # of a Worker: what the survey has counted for it

    @property
    def movable(self) -> int:
        """Futures at or behind a neighbour that could be moved."""
        return max(0, self.account.pending - self.workers) + self.spare

    def room_now(self) -> int:
        """How many Futures it can use: none while it is silent, or lent."""
        room = 0 if self.spent or self.is_lent or self.peer.silent else self.peer.channel.room
        return room if room > 0 else 0

    def count(self, soon: int) -> Counts:
        """Return what a Worker counts. One that is lent works. A stand-in works, too: nothing goes to it unasked."""
        if self.is_lent:
            return 1, 0, 0, 0, 0
        pending, room = self.account.pending, self.room if self.starts < ALONE else 0
        if self.starts >= ALONE or not (self.idle or pending):
            return int(pending > 0), 0, room, 0, 0
        if self.idle:
            return 0, 0, room, int(room > 0), room
        return 1, max(0, pending + self.backlog - soon), room, 0, 0


class Load:
    """The load of one Broker: what its peers say, and what they are told."""

    def __init__(self, incarnation: int, ledger: Ledger, durations: Durations, outbox: Outbox) -> None:
        self._ledger, self._queue, self._durations, self._outbox = ledger, ledger.queue, durations, outbox
        self.peers: dict[str, PeerLoad] = {}
        self.workers: dict[str, PeerLoad] = {}  # the same, by role
        self.origins: dict[str, PeerLoad] = {}
        self.neighbours: dict[str, PeerLoad] = {}
        self._by_role = {"worker": self.workers, "origin": self.origins, "broker": self.neighbours}
        self.takers = 0  # Workers of these that start Futures of others
        self.others_workers = 0  # Workers behind neighbours, at the last balance
        self.due: float | None = None  # when :meth:`balance` has something to do even if nothing happens
        self._roomy: set[PeerLoad] = set()  # Workers that have room
        self.survey = Survey()
        self.open_for = self.probe = 0  # see :meth:`stay_open`
        self.has_slots = False
        self._joined = 0  # how many peers have
        self._counted_soon = 0
        self._states = States(incarnation, outbox)
        self._unmet = UnmetDemand(self._states)
        self._changed: set[PeerLoad] = set()  # Workers that may count otherwise now
        self._news = True  # something else has changed
        self._balanced: tuple[int, int, int, bool, float | None, bool] | None = None  # what :meth:`balance` saw last
        self._states_at = self._moved_at = float("-inf")  # when States were repeated, and own Workers changed, last

    # -- peers -------------------------------------------------------------------------------------------------------

    def join(self, peer: Peer) -> None:
        """A peer is new, or begins a new session."""
        self._joined += 1
        load = PeerLoad(peer, self._ledger.accounts[peer.name], self._joined, int(peer.role == "worker"))
        self.peers[peer.name] = self._by_role[peer.role][peer.name] = load
        if peer.role == "worker":
            self.takers += load.workers
        self._note(load)

    def leave(self, name: str) -> None:
        """A peer is gone."""
        load = self.peers.pop(name)
        role = load.peer.role
        del self._by_role[role][name]
        self._news = True
        if role == "worker":
            if not load.peer.silent:
                self.takers -= load.workers
            self._roomy.discard(load)
            self._changed.discard(load)
            self.survey.count(load.counted, (0, 0, 0, 0, 0))

    def is_deserted(self) -> bool:
        """Whether nobody is there who could run a Future."""
        return not self.workers and not any(load.workers for load in self.neighbours.values() if not load.peer.silent)

    def reach(self) -> int:
        """How many Workers there are, here and behind neighbours, as of the last survey."""
        return self.takers + self.others_workers

    def roomy(self) -> list[PeerLoad]:
        """Return the own Workers that have room, idle ones first."""
        return sorted(self._roomy, key=lambda load: (not load.idle, load.order))

    def backlog(self) -> int:
        """What waits here, and what the submitters of it still keep."""
        backlog = self._queue.count
        for giver in self._queue.givers:
            backlog += self.peers[giver].backlog
        return backlog

    # -- what is heard -----------------------------------------------------------------------------------------------

    def _note(self, load: PeerLoad) -> None:
        """A peer may count otherwise than before."""
        load.room = room = load.room_now()
        if load.peer.role == "worker":
            self._changed.add(load)
            (self._roomy.add if room > 0 else self._roomy.discard)(load)
        else:
            self._news = True

    def note_link(self) -> None:
        """Something is known of a link that was not."""
        self._news = True

    def note_held(self) -> None:
        """Take in who holds more or less than before. A Worker that holds nothing any more is idle.

        It need not say so, which would be one message more; it may be idle with Futures that wait, too.
        """
        for name in self._ledger.take_changed():
            load = self.peers.get(name)
            if load is not None:
                if load.peer.role == "worker" and not load.account.held:
                    load.idle = 1
                self._note(load)

    def on_demand(self, name: str, demand: Demand) -> None:
        """A peer says what it can use."""
        load = self.peers[name]
        load.peer.channel.demand(demand.count)
        workers = min(demand.workers, BELIEVED_AT_MOST)
        if load.peer.role == "worker":
            workers = min(1, workers)
            if not load.peer.silent:
                self.takers += workers - load.workers
        load.idle, load.workers, load.spent = min(demand.idle, BELIEVED_AT_MOST), workers, False
        load.starts = demand.starts
        self._note(load)

    def on_batch(self, name: str, batch: Batch) -> None:
        """A peer gives Futures."""
        load = self.peers[name]
        load.asked -= len(batch.ids)
        load.told_idle = max(0, load.told_idle - len(batch.ids))
        load.backlog = min(batch.backlog, BELIEVED_AT_MOST)
        if load.peer.link is not None:
            load.idle = 0  # it serves its idle Workers, and whom it knows to be idle, before it gives us anything
        self._note(load)

    def on_return(self, name: str, count: int, *, held: bool) -> None:
        """A peer gives Futures back; `held`: it did hold such."""
        load = self.peers[name]
        load.told_idle = max(0, load.told_idle - count)
        if load.peer.link is not None:
            load.idle = 0  # as in :meth:`on_batch`
        elif held:
            load.spent = True  # it will ask again when it can use more
        self._note(load)

    def on_holding(self, name: str) -> None:
        """A peer holds Futures that this Broker has not given."""
        load = self.peers[name]
        load.idle = 0
        self._note(load)

    def on_state(self, name: str, state: State) -> None:
        """A neighbour publishes what there is to be had."""
        load = self.neighbours.get(name)
        if load is not None and (load.state[0] != state.incarnation or state.number > load.state[1]):
            load.state = (state.incarnation, state.number)
            load.spare = min(state.spare, BELIEVED_AT_MOST)
            self._news = True

    def on_stopped(self, name: str) -> None:
        """A Worker is stopped: it starts nothing."""
        load = self.workers[name]
        self.takers -= load.workers
        self._note(load)

    def on_continued(self, name: str) -> None:
        """A Worker that was stopped goes on."""
        load = self.workers[name]
        self.takers += load.workers
        self._outbox.note_deadline(load.peer)
        self._note(load)

    def on_silence(self, name: str) -> None:
        """Nothing is heard of a neighbour, and what it held is taken back."""
        load = self.neighbours[name]
        load.idle = load.spare = load.backlog = 0
        self._note(load)

    def on_end_of_silence(self, name: str) -> None:
        """A neighbour is heard again."""
        self.neighbours[name].spent = False
        self._note(self.neighbours[name])

    def note_lent(self, load: PeerLoad, *, is_lent: bool) -> None:
        """A Worker is lent to a submitter, or is not any more."""
        load.is_lent = is_lent
        self._note(load)

    def note_given(self, load: PeerLoad, count: int, *, spent: bool) -> None:
        """A peer has been given Futures."""
        load.spent = spent
        load.idle = max(0, load.idle - count)
        load.told_idle = 0  # a neighbour takes this as a sign that nobody is idle here
        self._note(load)

    def note_given_back(self, load: PeerLoad, count: int) -> None:
        """A neighbour has been given back what it had given."""
        load.idle, load.told_idle = max(0, load.idle - count), 0  # it takes this as a sign, too
        self._news = True

    # -- balance -----------------------------------------------------------------------------------------------------

    def balance(self, now: float, *, hopeless: bool = False) -> None:
        """Ask, tell and publish what is news; `hopeless`: nobody will run what comes."""
        if self._ledger.changed:
            self.note_held()
        queue, last = self._queue, self._durations.last
        lent_only = self._ledger.count_parked(ELSEWHERE) if self.neighbours else 0
        seen = (queue.count, lent_only, queue.returned, queue.bytes > schedule.QUEUE_BYTES_AT_MOST, last, hopeless)
        if not (self._changed or self._news or seen != self._balanced or (self.due is not None and now >= self.due)):
            return
        self._balanced, self._news, self.due, queued = seen, False, None, queue.count
        if self._changed:
            self._moved_at = now
        survey = self._look(queued, lent_only, now)
        self._unmet.look(self._count_unmet(survey, queued), queued, self.reach(), now, works=survey.working > 0)
        if self._unmet.due is not None:
            self._wake_at(self._unmet.due)
        self._ask_origins(survey, queued, hopeless, now)
        if self.neighbours:
            for load in self.neighbours.values():
                link = load.peer.link
                if link is not None and link.linked and not link.silent:
                    self._ask_neighbour(load, survey, queued, now)
                    self._publish_to(load, survey, now)
            self._wake_at(self._states_at + STATE_REPEAT_SECONDS)
            if queued and last is not None and not self._is_overdue(now):
                self._wake_at(self._moved_at + schedule.overdue_seconds(last))
            if now >= self._states_at + STATE_REPEAT_SECONDS:
                self._states_at = now

    def _wake_at(self, when: float) -> None:
        if self.due is None or when < self.due:
            self.due = when

    def _is_overdue(self, now: float) -> bool:
        """Whether what own Workers run takes longer than such Futures took lately: nobody knows how long."""
        return not self._changed and now >= self._moved_at + schedule.overdue_seconds(self._durations.last)

    def start_soon(self, mean: float | None, round_trip: float, now: float) -> int:
        """Return how many queued Futures own Workers start before others could."""
        return 0 if self._is_overdue(now) else schedule.soon(mean, self.takers, round_trip)

    def _look(self, queued: int, lent_only: int, now: float) -> Survey:
        """Bring the survey up to date; `lent_only`: Futures here that wait for other hosts."""
        survey, takers = self.survey, self.takers
        last = self._durations.last if self.neighbours and not self._is_overdue(now) else None
        soon = 1 + schedule.soon(last, 1, 0.0)
        changed, self._changed = self._changed, set()
        if soon != self._counted_soon:  # what is movable is otherwise everywhere, which matters to neighbours alone
            self._counted_soon = soon if self.neighbours else 0
            changed = set(self.workers.values()) if self.neighbours else changed
        for load in changed:
            counted = load.count(soon)
            if counted != load.counted:
                survey.count(load.counted, counted)
                load.counted = counted
        survey.workers = takers or int(self.has_slots)
        if self.neighbours or self.others_workers:
            here = queued - schedule.soon(last, takers, 0.0)
            at_origins = sum(load.backlog for load in self.origins.values())
            survey.begin_others(survey.own_movable + max(0, here) + lent_only + at_origins)
            for load in self.neighbours.values():
                if not load.peer.silent:
                    survey.add_other(load.room, load.idle, load.workers, load.movable)
            self.others_workers = survey.others_workers
        return survey

    # -- Demand ------------------------------------------------------------------------------------------------------

    def _ask_origins(self, survey: Survey, queued: int, hopeless: bool, now: float) -> None:
        if not self.origins:
            return
        cushion = schedule.cushion(self._durations.last, self.takers)
        wanted = max(survey.room + cushion + survey.others, self.open_for) - queued
        if self._queue.bytes > schedule.QUEUE_BYTES_AT_MOST:
            wanted = 0
        elif hopeless:
            wanted = schedule.MOST_IN_A_PIECE  # to be told that nobody will run them
        elif 2 * queued > cushion > wanted > 0:
            return  # a larger Batch a little later
        wanted = max(0, min(wanted, DEMAND_AT_MOST))
        for load in self.origins.values():
            if wanted > 2 * max(0, load.asked) or wanted < load.asked // 4:
                load.asked = wanted
                self._outbox.send(load.peer, Demand(wanted, 0, 0), now)

    def _ask_neighbour(self, load: PeerLoad, survey: Survey, queued: int, now: float) -> None:
        assert load.peer.link is not None
        seconds = 2 * schedule.HORIZON_SECONDS + 2.5 * load.peer.link.round_trip
        cushion = schedule.cushion(self._durations.last, self.takers, seconds)
        goal = survey.room + cushion + survey.others - load.room
        wanted = max(0, min(goal - queued, DEMAND_AT_MOST))
        if self._queue.bytes > schedule.QUEUE_BYTES_AT_MOST:
            wanted = 0
        idle = survey.idle_beyond(load.idle) if self._unmet.lasts else 0
        if idle and load.movable:  # others that have something are asked for the rest
            idle = -(-idle * load.movable // max(1, survey.movable + survey.others_spare))
        workers = survey.workers_beyond(load.workers)
        asked = max(0, load.asked)
        if load.spare or load.backlog:
            news = (
                wanted - asked >= max(1, goal // 4) or wanted < asked // 4
                or idle > load.told_idle or (not idle and load.told_idle > 0 and not queued)
                or bool(workers) is not bool(load.told_workers)  # else Brokers may wait for each other's Workers
            )  # fmt: skip
        else:
            is_more = wanted > 2 * asked or idle > 2 * load.told_idle
            news = is_more or not 0.75 <= (load.told_workers + 0.01) / (workers + 0.01) <= 1.25
            if news and now < load.told_at + QUIET_SECONDS:
                self._wake_at(load.told_at + QUIET_SECONDS)
                news = False
        if news:
            load.asked, load.told_idle, load.told_workers, load.told_at = wanted, idle, workers, now
            self._outbox.send(load.peer, Demand(wanted, idle, workers), now)

    # -- Meta --------------------------------------------------------------------------------------------------------

    def _count_unmet(self, survey: Survey, queued: int) -> int:
        """Return how many Futures idle Workers could run, here and at neighbours, while others may have work."""
        alone = not survey.working and not self.neighbours
        waits = queued - self._queue.avoiding > self._queue.returned  # for a Worker, any of which will do
        return 0 if waits or alone else survey.idle_room + survey.others_idle or self.probe

    def stay_open(self, slots: int | None, *, probe: int) -> bool:
        """Ask Origins for so many Futures, even without a Worker, and busy Workers for `probe` of their own.

        slots: for so many Workers there is room on this host; None: for the present ones only.
        """
        before = self.open_for, self.has_slots, self.probe
        self.open_for, self.has_slots, self.probe = 0 if slots is None else max(1, slots), bool(slots), probe
        is_news = before != (self.open_for, self.has_slots, self.probe)
        self._news |= is_news
        return is_news

    def announce(self) -> None:
        """Let own Workers hear that this Broker is here: one that was there before has another incarnation."""
        self._unmet.tell_again(self._queue.count, self.reach())

    def _publish_to(self, load: PeerLoad, survey: Survey, now: float) -> None:
        """Tell a neighbour at once when there is something to be had, the rest from time to time."""
        spare, size = survey.spare_beyond(load.movable), survey.workers_beyond(load.workers)
        told_spare, told_size = load.published
        news = spare > 2 * told_spare or 2 * spare < told_spare or size != told_size
        at_once = spare > 0 and told_spare == 0
        if not (at_once or news) and now < self._states_at + STATE_REPEAT_SECONDS:
            return
        if not at_once and now < load.published_at + QUIET_SECONDS:
            self._wake_at(load.published_at + QUIET_SECONDS)
            return
        load.published, load.published_at = (spare, size), now
        idle = survey.idle_beyond(load.idle) if self._unmet.lasts else 0
        self._states.publish(load.peer.name, idle, spare, size)

    def check(self) -> None:
        """Assert that counts are sums."""
        own = self.workers.values()
        for load in self.peers.values():
            assert load.room == load.room_now(), f"the room of {load.peer.name} is off"
        takers = sum(load.workers for load in own if not load.peer.silent)
        assert self.takers == takers, "Workers that start Futures of others are off"
        assert self._roomy == {load for load in own if load.room}, "Workers that have room are off"
        survey = self.survey
        sums = [survey.working, survey.own_movable, survey.room, survey.idle, survey.idle_room]
        assert sums == list(map(sum, zip((0,) * 5, *[load.counted for load in own]))), "the survey is off"
