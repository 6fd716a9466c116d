"""Two Channels over a network that loses, repeats and delays: every message arrives once and in order."""

from __future__ import annotations

import itertools
from collections import deque

import pytest
from effort import scaled
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fedfutures.errors import LocalProtocolError
from fedfutures.federation import channel
from fedfutures.federation.channel import Channel
from fedfutures.wire.messages import Ack, Batch, Demand, Message, Results, Want

Frame = tuple[int, int, Message]
FIRST_SESSION = 0x5EED << 30


def batch(count: int) -> Batch:
    return Batch(1, "a", b"f", 1, 0, 0, False, list(range(count)), [b""] * count)


class End:
    """One end: its Channel, what it has said and heard in each session, and the frames on their way to it."""

    def __init__(self) -> None:
        self.coming: deque[Frame] = deque()
        self.said: dict[int, list[Message]] = {}
        self.heard: dict[int, list[Message]] = {}
        self.begin(FIRST_SESSION)

    def begin(self, session: int) -> None:
        self.session = session
        self.channel = Channel(session)
        self.said[session], self.heard[session] = [], []


class Link(RuleBasedStateMachine):
    """Frames may be lost, doubled, delayed for longer than a session lasts, or overtaken by what is sent again."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.ends = End(), End()
        self.count = 0

    def send(self, side: int, message: Message) -> None:
        sequence, acknowledged = self.ends[side].channel.number(message, self.now)
        self.ends[1 - side].coming.append((sequence, acknowledged, message))

    def take(self, side: int) -> None:
        end = self.ends[side]
        sequence, acknowledged, message = end.coming.popleft()
        if end.channel.is_foreign(sequence, acknowledged):
            return
        if end.channel.accept(sequence, acknowledged, self.now):
            if type(message) is not Ack:
                end.heard[end.session].append(message)
            elif message.missing:
                end.channel.hasten(self.now)

    def look(self, side: int) -> None:
        """What a machine does at a Tick."""
        end = self.ends[side]
        for sequence, message in end.channel.repeat(self.now):
            self.ends[1 - side].coming.append((sequence, end.channel.acknowledged, message))
        if end.channel.ack_is_due(self.now):
            self.send(side, Ack(end.channel.missing))

    @rule(side=st.integers(0, 1), count=st.integers(1, 20))
    def say(self, side: int, count: int) -> None:
        for _ in range(count):
            self.count += 1
            message = Want(str(self.count).encode())
            self.ends[side].said[self.ends[side].session].append(message)
            self.send(side, message)

    @rule(side=st.integers(0, 1), count=st.integers(1, 30))
    def arrive(self, side: int, count: int) -> None:
        for _ in range(min(count, len(self.ends[side].coming))):
            self.take(side)

    @rule(side=st.integers(0, 1), place=st.integers(0, 30))
    def lose(self, side: int, place: int) -> None:
        if place < len(self.ends[side].coming):
            del self.ends[side].coming[place]

    @rule(side=st.integers(0, 1))
    def cut(self, side: int) -> None:
        self.ends[side].coming.clear()

    @precondition(lambda self: any(end.coming for end in self.ends))
    @rule(side=st.integers(0, 1), place=st.integers(0, 30))
    def double(self, side: int, place: int) -> None:
        coming = self.ends[side].coming
        if coming:
            coming.insert(place, coming[place % len(coming)])

    @rule(side=st.integers(0, 1))
    def begin_again(self, side: int) -> None:
        """An end goes over to the next session; the other does so when it is told, some time."""
        first, second = self.ends[side], self.ends[1 - side]
        if first.session <= second.session:
            first.begin(max(second.session, first.session + (first.session == second.session)))

    @rule(seconds=st.sampled_from([0.01, 0.06, 1.0, 9.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for side in (0, 1):
            deadline = self.ends[side].channel.deadline()
            if deadline is not None and self.now >= deadline:
                self.look(side)

    @invariant()
    def in_order(self) -> None:
        for side in (0, 1):
            end, other = self.ends[side], self.ends[1 - side]
            for session, heard in end.heard.items():
                assert heard == other.said.get(session, [])[: len(heard)]
            end.channel.check()
            waits = end.channel.deadline() is None
            assert not waits or not end.channel.unacknowledged

    def teardown(self) -> None:
        """Both come to one session, the network heals: all of it arrives, and then both are quiet."""
        last = max(end.session for end in self.ends)
        for end in self.ends:
            if end.session != last:
                end.begin(last)
        for _ in range(10):
            for side in (0, 1):
                while self.ends[side].coming:
                    self.take(side)
            self.now += 9.0
            for side in (0, 1):
                self.look(side)
        for side in (0, 1):
            end = self.ends[side]
            assert end.heard[last] == self.ends[1 - side].said[last]
            assert not end.coming
            assert not end.channel.unacknowledged
            assert end.channel.deadline() is None


TestLink = Link.TestCase
TestLink.settings = settings(max_examples=scaled(50), stateful_step_count=40, deadline=None)


class Room(RuleBasedStateMachine):
    """A giver and an asker over a link with delay: the giver's room against a twin that knows the whole story."""

    def __init__(self) -> None:
        super().__init__()
        self.giver, self.asker = Channel(), Channel()
        self.to_asker: deque[tuple[int, int, Batch]] = deque()
        self.to_giver: deque[tuple[int, int, Message]] = deque()
        self.story: list[tuple[int, int]] = []  # (number, Futures) of all Batches
        self.room = 0
        self.allowed = 0  # how many may arrive at the asker until it asks again, and what is under way to it

    @rule(count=st.integers(0, 50))
    def ask(self, count: int) -> None:
        demand = Demand(count, 0)
        self.to_giver.append((*self.asker.number(demand, 0.0), demand))

    @rule()
    def acknowledge(self) -> None:
        self.to_giver.append((*self.asker.number(Ack(), 0.0), Ack()))

    @rule(count=st.integers(1, 50))
    def give(self, count: int) -> None:
        count = min(count, self.giver.room)
        if count > 0:
            given = batch(count)
            sequence, acknowledged = self.giver.number(given, 0.0)
            self.to_asker.append((sequence, acknowledged, given))
            self.story.append((sequence, count))
            self.room -= count

    @rule()
    def the_asker_hears(self) -> None:
        if self.to_asker:
            sequence, acknowledged, _ = self.to_asker.popleft()
            assert self.asker.accept(sequence, acknowledged, 0.0)

    @rule()
    def the_giver_hears(self) -> None:
        if self.to_giver:
            sequence, acknowledged, message = self.to_giver.popleft()
            assert self.giver.accept(sequence, acknowledged, 0.0)
            if type(message) is Demand:
                self.giver.demand(message.count)
                self.room = message.count - sum(n for number, n in self.story if number > acknowledged)

    @invariant()
    def equal(self) -> None:
        assert self.giver.room == self.room
        self.giver.check()


TestRoom = Room.TestCase
TestRoom.settings = settings(max_examples=scaled(60), stateful_step_count=40, deadline=None)


# -- examples --------------------------------------------------------------------------------------------------------


def test_what_was_given_is_never_more_than_what_was_asked_for() -> None:
    giver = Channel()
    giver.accept(1, 0, 0.0)
    giver.demand(10)
    giver.number(batch(8), 0.0)
    assert giver.room == 2
    giver.accept(2, 0, 0.0)
    giver.demand(10)  # said before the eight had come
    assert giver.room == 2
    giver.accept(3, 1, 0.0)
    giver.demand(10)  # said after
    assert giver.room == 10


def test_room_may_be_negative() -> None:
    giver = Channel()
    giver.number(batch(5), 0.0)
    assert giver.room == -5


def test_an_acknowledgement_of_its_own_comes_late_or_after_some_messages() -> None:
    end = Channel()
    assert end.accept(1, 0, 5.0)
    assert end.deadline() == 5.0 + channel.ACK_DELAY_SECONDS
    assert not end.ack_is_due(5.0)
    assert end.ack_is_due(5.0 + channel.ACK_DELAY_SECONDS)
    end.number(Want(b"x"), 5.0)  # carries it
    assert not end.ack_is_due(9.0)
    for number in range(2, 2 + channel.ACK_EVERY_MESSAGES):
        assert end.accept(number, 0, 6.0)
    assert end.ack_is_due(6.0)


def test_repetitions_become_rarer_until_something_is_acknowledged() -> None:
    end = Channel()
    end.number(Want(b"x"), 0.0)
    now, waits = 0.0, []
    for _ in range(6):
        due = end.deadline()
        assert due is not None
        assert end.repeat(due - 0.001) == []
        assert end.repeat(due) == [(1, Want(b"x"))]
        waits.append(due - now)
        now = due
    first, most = channel.REPEAT_AFTER_SECONDS, channel.REPEAT_AT_MOST_SECONDS
    assert waits == [first, 2 * first, most, most, most, most]
    end.number(Want(b"y"), now)
    end.accept(0, 1, now)
    assert end.deadline() == now + channel.REPEAT_AFTER_SECONDS
    end.accept(0, 2, now)
    assert end.deadline() is None


def test_an_old_acknowledgement_changes_nothing() -> None:
    end = Channel()
    end.number(Want(b"x"), 0.0)
    end.number(Want(b"y"), 0.0)
    end.accept(0, 1, 0.0)
    end.accept(0, 1, 0.5)
    assert (len(end.unacknowledged), end.deadline()) == (1, channel.REPEAT_AFTER_SECONDS)


def test_doubled_and_early_messages_are_dropped_and_acknowledged() -> None:
    end = Channel()
    assert end.accept(1, 0, 0.0)
    assert end.number(Ack(), 0.0) == (0, 1)
    assert not end.accept(1, 0, 0.0)
    assert not end.accept(3, 0, 0.0)
    assert end.ack_is_due(1.0)
    assert end.acknowledged == 1


def test_what_is_missing_is_said_at_once_and_repeated_soon_but_not_often() -> None:
    giver, taker = Channel(), Channel()
    for number in range(3):
        giver.number(Want(b"%d" % number), 0.0)
    assert not taker.accept(2, 0, 0.01)
    assert taker.missing
    assert taker.ack_is_due(0.01)
    giver.hasten(0.01)
    assert [number for number, _ in giver.repeat(0.01)] == [1, 2, 3]
    giver.hasten(0.02)
    assert giver.repeat(0.02) == []
    assert len(giver.repeat(0.01 + channel.REPEAT_AT_LEAST_SECONDS)) == 3
    assert taker.accept(1, 0, 0.03)
    assert not taker.missing
    idle = Channel()
    idle.hasten(0.0)
    assert idle.deadline() is None


def test_sessions_in_a_row_have_numbers_far_apart() -> None:
    bases = sorted(Channel(FIRST_SESSION + number).acknowledged for number in range(300))
    assert min(later - earlier for earlier, later in itertools.pairwise(bases)) > channel.WINDOW
    end = Channel(FIRST_SESSION + 7)
    base = end.acknowledged
    assert not end.is_foreign(base + 1, base)
    assert not end.is_foreign(0, 0)
    assert not end.is_foreign(0, base)
    assert end.is_foreign(0, base + channel.WINDOW + 1)
    assert end.is_foreign(Channel(FIRST_SESSION + 1).acknowledged + 1, base)


def test_what_may_be_lost_with_a_session() -> None:
    end = Channel()
    done = Results(1, 1, [1], [b""])
    for message in (Want(b"x"), done):
        end.number(message, 0.0)
    assert [message for _, message in end.unacknowledged] == [Want(b"x"), done]


class Faulty(Channel):
    """A channel whose state can be made wrong."""

    def set_timer(self, at: float) -> None:
        self._repeat_at = at

    def skip_numbers(self, count: int) -> None:
        self.last += count


def test_check_finds_gaps_and_a_wrong_timer() -> None:
    end = Faulty()
    end.set_timer(1.0)
    with pytest.raises(LocalProtocolError, match="timer"):
        end.check()
    end.number(Want(b"x"), 0.0)
    end.check()
    end.skip_numbers(6)
    with pytest.raises(LocalProtocolError, match="gaps"):
        end.check()
