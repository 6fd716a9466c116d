"""What a connector leaves for the one that follows it."""

from __future__ import annotations

from fedfutures.wire.control import BrokerBound, KeepNote
from fedfutures_launcher.connector.notes import Notes

BOUND = BrokerBound("h.broker", "K", "10.0.0.1", 1, 2, 3)


def test_the_next_one_reads_what_was_written_last() -> None:
    sent: list[KeepNote] = []
    first = Notes({}, sent.append)
    assert (first.facts, first.directory("h"), first.is_gone("h"), first.places()) == (None, None, False, [])
    first.keep_facts({"h": {"processors": 2}})
    first.keep_place(BrokerBound("h.broker", "earlier"))
    first.keep_place(BOUND)
    first.keep_directory("h", "/run")
    first.keep_gone("g")
    second = Notes({note.name: note.value for note in sent}, sent.append)
    assert second.facts == {"h": {"processors": 2}}
    assert (second.directory("h"), second.is_gone("h")) == ("/run", False)
    assert (second.directory("g"), second.is_gone("g")) == (None, True)
    assert second.places() == [BOUND]


def test_the_program_is_told_only_what_is_new_but_always_that_one_is_at_work() -> None:
    sent: list[KeepNote] = []
    notes = Notes({}, sent.append)
    for _ in range(3):
        notes.keep_place(BOUND)
        notes.keep_gone("g")
    assert len(sent) == 2
    notes.keep_facts({})
    notes.keep_facts({})
    assert len(sent) == 4
