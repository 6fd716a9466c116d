"""Guests begin sessions, hear what they are told, and offend by what they may not say."""

from __future__ import annotations

import pytest

from fedfutures.simulation import guests
from fedfutures.simulation.guests import Reception, claim, manifest, outcome
from fedfutures.wire.manifest import is_reusable, segments_of
from fedfutures.wire.messages import CANCELLED, Ack, Batch, Demand, Welcome

from .cases import Case


class Failed(Exception):
    """What a reception that fails raises here."""


def fail(what: str) -> None:
    raise Failed(what)


@pytest.fixture
def hall() -> Reception:
    return Reception(Case().system.brokers["b"], fail)


def test_all_others_leave_before_guests_come(hall: Reception) -> None:
    assert set(hall.machine.peers) == {"c"}, "a neighbour goes by its silence"
    hall.wait(61.0)
    assert not hall.machine.peers


def test_a_guest_lends_what_another_gives(hall: Reception) -> None:
    o, x = hall.receive("o9", "origin"), hall.receive("x")
    given = hall.give(o, 1, 2)
    assert hall.lend(x).ids == [1, 2]
    assert given.payloads == hall.lend(x).payloads == [guests.payload_of_guest(1), guests.payload_of_guest(2)]
    hall.receive("x")
    assert [type(said) for said in x.heard].count(Welcome) == 2, "another session"
    assert len(x.heard_of(Batch)) == 2, "what it was lent is lent again"
    with pytest.raises(Failed, match="y is given nothing"):
        hall.lend(hall.receive("y"))


def test_an_offence_is_one(hall: Reception) -> None:
    o, x = hall.receive("o9", "origin"), hall.receive("x")
    hall.offends(x, claim(5, o, 1), "claims what it was not given")
    with pytest.raises(Failed, match="x is polite, and that is no offence"):
        hall.offends(x, Ack(), "is polite")


def test_guests_that_go_are_forgotten(hall: Reception) -> None:
    hall.receive("o9", "origin")
    hall.receive("x", "broker", Demand(0, 0, 0))
    hall.dismiss()
    assert not hall.machine.peers
    assert not hall.guests


def test_what_guests_say_means_what_it_should() -> None:
    assert segments_of(manifest("a-1")) == ["a-1"]
    assert is_reusable(manifest("a-1", once=True))
    assert outcome(2, 1, 3, odd=CANCELLED).odd == [(1, CANCELLED), (3, CANCELLED)]
