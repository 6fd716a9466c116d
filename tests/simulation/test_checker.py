"""A law that is broken is noticed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from fedfutures.broker.dispatch import MOST_CROSSINGS
from fedfutures.broker.machine import BrokerMachine
from fedfutures.broker.queries import Queries
from fedfutures.errors import LocalProtocolError
from fedfutures.federation.channel import Channel
from fedfutures.federation.session import reconciliation
from fedfutures.node import machine
from fedfutures.node.events import Finished
from fedfutures.node.workload import Workload
from fedfutures.simulation import checker
from fedfutures.simulation.broker import SimBroker
from fedfutures.simulation.command_line import run_seed
from fedfutures.simulation.laws import CrossesTwice
from fedfutures.simulation.origin import SimOrigin
from fedfutures.simulation.submitter import SimSubmitter
from fedfutures.wire import messages


def first_broken(seeds: range) -> str:
    """Return the law that is broken first in some schedules, "" if none is."""
    found = (run_seed(seed).broken for seed in seeds)
    return next((broken.law for broken in found if broken is not None), "")


def test_a_value_of_another_future_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    results = Workload.results

    def mixed_up(self: Workload) -> list[Finished]:
        found = results(self)
        for finished in found:
            finished.outcomes[:2] = finished.outcomes[1::-1]
        return found

    monkeypatch.setattr(Workload, "results", mixed_up)
    assert first_broken(range(40)) == "S2 OwnValue"


def test_a_future_that_resolves_twice_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def again(self: SimSubmitter, ids: list[int], outcomes: list[bytes], odd: list[tuple[int, int]]) -> None:
        for _ in range(2):
            self.world.observer.on_outcomes(self.name, ids, outcomes, dict(odd))

    monkeypatch.setattr(SimSubmitter, "resolve", again)
    assert first_broken(range(3)) == "S1 ResolvesOnce"


def test_a_cancellation_nobody_asked_for_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = SimOrigin.resolve

    def cancels(self: SimOrigin, ids: list[int], outcomes: list[bytes], odd: list[tuple[int, int]]) -> None:
        resolve(self, ids, outcomes, [(number, messages.CANCELLED) for number in ids])

    monkeypatch.setattr(SimOrigin, "resolve", cancels)
    assert first_broken(range(3)) == "S11 CancelledIfAsked"


def test_messages_that_are_never_repeated_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Channel, "repeat", lambda self, now: [])
    laws = {"L1 everything resolves", "L2 NobodyIdles", "L3 storm", "S8 NothingLeft", "A1 everybody answers"}
    assert first_broken(range(24, 40)) in laws


def test_a_lost_worker_whose_futures_are_forgotten_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    inform = SimBroker.inform

    def deaf(self: SimBroker, event: Any) -> None:
        if type(event).__name__ != "PeerLost":
            inform(self, event)

    monkeypatch.setattr(SimBroker, "inform", deaf)
    assert first_broken(range(40))


def test_a_worker_that_conceals_what_it_holds_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next Broker uses the numbers of its pieces anew."""

    def concealing(*known: Any) -> list[messages.Message]:
        return [message for message in reconciliation(*known) if type(message) is not messages.Holding]

    monkeypatch.setattr(machine, "reconciliation", concealing)
    assert first_broken(range(120)) == "M4 OutcomesOnce"


@pytest.mark.fault("D11")
def test_a_future_that_crosses_a_link_again_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def ping_pong(self: SimBroker, peer: str, action: Any) -> bytes:
        frame = frame_of(self, peer, action)
        if type(action.message) is messages.Batch:
            for more in range(1, 1 + MOST_CROSSINGS):
                again = dataclasses.replace(action.message, piece=action.message.piece + 1000 * more)
                self.world.observer.on_batch(self.name, peer, again, action.sequence + 1000 * more)
        return frame

    frame_of = SimBroker.frame_of
    monkeypatch.setattr(SimBroker, "frame_of", ping_pong)
    monkeypatch.setattr(checker, "LAWS", (CrossesTwice,))
    assert first_broken(range(17, 40)) == "S9 CrossesTwice"


def test_a_machine_that_fails_its_own_check_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(self: BrokerMachine) -> None:
        if len(self.queue) > 3:
            raise LocalProtocolError("planted")

    monkeypatch.setattr(BrokerMachine, "check", check)
    assert first_broken(range(10)) == "crash of a machine"


def test_strangers_that_are_let_in_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    statistics = Queries.statistics
    calls = iter(range(10**9))

    def counting(self: Queries) -> dict[str, int]:
        return {**statistics(self), "resolved": next(calls)}

    monkeypatch.setattr(Queries, "statistics", counting)
    assert first_broken(range(10)) == "S12 strangers change nothing"
