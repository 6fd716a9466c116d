"""The Origin: what it gives, and when."""

from __future__ import annotations

import pytest

from fedfutures.node import machine
from fedfutures.program.process import ProcessChanges
from fedfutures.wire.messages import (
    Demand,
)
from fedfutures.wire.payload import Payloads
from fedfutures.worker.call_terms import CallTerms
from fedfutures.worker.future_fields import priority_of
from fedfutures.worker.origin import Origin

from .benches import Bench, batches, note


def test_higher_priorities_are_given_first(origin: Bench) -> None:
    for priority in (0, -1, 0, 0, -1):
        origin.node.submit(note, ("",), {}, CallTerms(priority))
    assert batches(origin) == []
    origin.say(Demand(4, 1, 3))
    assert batches(origin) == [(0, [1, 3, 4]), (-1, [2])]
    origin.say(Demand(9, 1, 3))
    assert batches(origin) == [(-1, [5])]


def test_priorities_above_0_do_not_wait_for_demand(origin: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "URGENT_AT_MOST", 3)
    origin.node.submit(note, ("",), {})
    for priority in (1, 2, 2, 1):
        origin.node.submit(note, ("",), {}, CallTerms(priority))
    origin.node.service()
    assert batches(origin) == [(1, [2]), (2, [3]), (2, [4])]
    assert [priority_of(future) for future in origin.node.own] == [1, 0]


def test_those_of_priority_0_do_not_go_with_the_urgent_ones(origin: Bench) -> None:
    origin.say(Demand(1, 1, 3))
    origin.node.submit(note, ("",), {}, CallTerms(1))
    assert batches(origin) == [(1, [1])]
    origin.node.submit(note, ("",), {})
    origin.node.service()
    assert batches(origin) == []


def test_a_submitter_has_a_priority(origin: Bench) -> None:
    submit = origin.node.submitter(note, CallTerms(2))
    submit(("",))
    origin.node.send()
    assert batches(origin) == [(2, [1])]


def test_where_it_is_before_the_link_is_open(wires: None) -> None:
    made = Origin(None, {"main": "", "meta": "", "name": "h.broker"}, Payloads(), 3, ProcessChanges())
    text, _ = made.submissions.explain(made.submit(note, ("",), {}))
    assert "the link to the Broker is not open" in text
    made.close()
