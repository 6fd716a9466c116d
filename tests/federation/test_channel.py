"""Two Channels over a network that loses, repeats and delays: every message arrives once and in order."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fedfutures.errors import LocalProtocolError
from fedfutures.federation import channel
from fedfutures.federation.channel import Channel
from fedfutures.wire.messages import Ack, Batch, Demand, Message, Want

Frame = tuple[int, int, Message]


def batch(count: int) -> Batch:
    return Batch(1, "a", b"f", 1, 0, 0, False, list(range(count)), [b""] * count)


class End:
    """One end: its Channel, what it has said and what it has heard, and the frames on their way to it."""

    def __init__(self) -> None:
        self.channel = Channel()
        self.said: list[Message] = []
        self.heard: list[Message] = []
        self.coming: deque[Frame] = deque()


class Link(RuleBasedStateMachine):
    """Frames may be lost, doubled, or overtaken by what is sent again after they were lost."""

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
        if end.channel.accept(sequence, acknowledged, self.now) and type(message) is not Ack:
            end.heard.append(message)

    def look(self, side: int) -> None:
        """What a machine does at a Tick."""
        end = self.ends[side]
        for sequence, message in end.channel.repeat(self.now):
            self.ends[1 - side].coming.append((sequence, end.channel.acknowledged, message))
        if end.channel.ack_is_due(self.now):
            self.send(side, Ack())

    @rule(side=st.integers(0, 1), count=st.integers(1, 20))
    def say(self, side: int, count: int) -> None:
        for _ in range(count):
            self.count += 1
            message = Want(str(self.count).encode())
            self.ends[side].said.append(message)
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
            heard, said = self.ends[side].heard, self.ends[1 - side].said
            assert heard == said[: len(heard)]
            self.ends[side].channel.check()
            waits = self.ends[side].channel.deadline() is None
            assert not waits or not self.ends[side].channel.unacknowledged

    def teardown(self) -> None:
        """The network heals: all arrives, and then both are quiet."""
        for _ in range(10):
            for side in (0, 1):
                while self.ends[side].coming:
                    self.take(side)
            self.now += 9.0
            for side in (0, 1):
                self.look(side)
        for side in (0, 1):
            end = self.ends[side]
            assert end.heard == self.ends[1 - side].said
            assert not end.coming
            assert end.channel.unacknowledged == 0
            assert end.channel.deadline() is None


TestLink = Link.TestCase
TestLink.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


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
        demand = Demand(count, False)
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
TestRoom.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


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
    assert waits == [first, 2 * first, 4 * first, most, most, most]
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
    assert (end.unacknowledged, end.deadline()) == (1, channel.REPEAT_AFTER_SECONDS)


def test_doubled_and_early_messages_are_dropped_and_acknowledged() -> None:
    end = Channel()
    assert end.accept(1, 0, 0.0)
    assert end.number(Ack(), 0.0) == (0, 1)
    assert not end.accept(1, 0, 0.0)
    assert not end.accept(3, 0, 0.0)
    assert end.ack_is_due(1.0)
    assert end.acknowledged == 1


def test_check_finds_gaps_and_a_wrong_timer() -> None:
    end = Channel()
    end._repeat_at = 1.0
    with pytest.raises(LocalProtocolError, match="timer"):
        end.check()
    end.number(Want(b"x"), 0.0)
    end._last = 7
    with pytest.raises(LocalProtocolError, match="gaps"):
        end.check()
