"""Laws of what nodes must know: each holds for what is as it should be, and is broken by what it forbids."""

from __future__ import annotations

from typing import Any

import pytest

from fedfutures.broker.adoption import Orphan
from fedfutures.broker.lots import Lot
from fedfutures.federation.terms import Terms
from fedfutures.simulation import books
from fedfutures.wire.messages import CANCELLED, VALUE, Cancel, Function, Results, Return, Want

from .cases import KEY, Case, batch, is_broken, takes

TERMS = Terms("o", b"f", "o", 0, 1, 0)


@pytest.fixture
def case() -> Case:
    return Case()


def wait_at(case: Case, *ids: int, key: Any = None) -> Lot:
    """Let Futures of the program wait at its Broker."""
    return case.system.brokers["b"].machine.ledger.admit("o", 100 + ids[0], TERMS, list(ids), [b""] * len(ids), key)


def test_a_number_of_a_piece_is_not_used_twice(case: Case) -> None:
    law = case.law(books.PiecesNumberedOnce)
    assert not is_broken(law, law.gives, "b", "b.1", batch(1, piece=3), 1)
    assert not is_broken(law, law.gives, "b", "c", batch(1, piece=3), 1)
    assert is_broken(law, law.gives, "b", "b.1", batch(2, piece=3), 2)
    case.system.brokers["b"].machine.ledger.open("b.1")
    assert not is_broken(law, law.gives, "b", "b.1", batch(2, piece=3), 2), "it was forgotten meanwhile"


@pytest.mark.parametrize("how", ["asked", "answered", "returned", "stopped", "gone"])
def test_whoever_runs_what_is_done_is_asked_to_drop_it(case: Case, how: str) -> None:
    law, machine = case.law(books.RecallsWhatIsDone), case.system.brokers["b"].machine
    machine.ledger.give(wait_at(case, 1), 1, "b.1", 0.1)
    law.gives("b", "b.1", batch(1), 1)
    done = Results(101, 1, [1], [b""])
    channel = machine.peers["o"].channel
    assert not is_broken(law, law.says, "b", "o", Results(102, 1, [1], [b""]), channel), "another piece"
    assert is_broken(law, law.says, "b", "o", done, channel)
    if how == "asked":
        law.says("b", "b.1", Cancel(1, [1]), machine.peers["b.1"].channel)
    elif how == "answered":
        law.comes("b", "b.1", Results(1, 1, [1], [b""]))
    elif how == "returned":
        law.comes("b", "b.1", Return(1, [1]))
    elif how == "stopped":
        machine.peers.stop("b.1")
    else:
        machine.peers.leave(machine.peers["b.1"])
    assert not is_broken(law, law.says, "b", "o", done, channel)


def test_who_is_heard_again_is_asked_to_drop_what_is_in_doubt(case: Case) -> None:
    law, machine = case.law(books.DoubtsEnd), case.system.brokers["b"].machine
    peer = machine.peers["c"]
    machine.recovery.doubtful["c"] = {3: [(("o", 1), {7, 8})]}
    assert peer.link is not None
    peer.link.silent = True
    assert not is_broken(law, law.sampled, True)
    peer.link.silent = False
    law.says("b", "c", Cancel(3, [7]), peer.channel)
    assert is_broken(law, law.sampled, True)
    law.says("b", "c", Cancel(3, [8]), peer.channel)
    assert not is_broken(law, law.sampled, True)


def test_what_has_come_back_is_not_in_doubt_and_no_orphan(case: Case) -> None:
    law, machine = case.law(books.DoubtsEnd), case.system.brokers["b"].machine
    machine.recovery.doubtful["c"] = {3: [(("o", 1), {7})]}
    machine.adoption.orphans["c"] = {4: Orphan("o", 0, {9}, 99.0)}
    assert not takes(law, "b", "c", Return(3, [7]), is_new=False)
    assert takes(law, "b", "c", Return(3, [7]))
    assert not takes(law, "b", "c", Return(3, [8]))
    assert not takes(law, "b", "c", Results(4, 1, [9], [b""])), "its outcome is kept"
    assert takes(law, "b", "c", Results(4, 1, [9], [b""], [(9, CANCELLED)]))


def test_nothing_is_expected_of_a_silent_neighbour(case: Case) -> None:
    law, machine = case.law(books.SilentAreForgotten), case.system.brokers["b"].machine
    link = machine.peers["c"].link
    assert link is not None
    machine.adoption.orphans["c"] = {4: Orphan("o", 0, {9}, 99.0)}
    assert not is_broken(law, law.sampled, True)
    link.silent = True
    assert is_broken(law, law.sampled, True)
    del machine.adoption.orphans["c"]
    assert not is_broken(law, law.sampled, True)
    link.heard_at -= 63.0
    assert is_broken(law, law.sampled, True)


def test_orphans_that_nobody_names_do_not_stay(case: Case) -> None:
    law, machine = case.law(books.SilentAreForgotten), case.system.brokers["b"].machine
    machine.adoption.orphans["c"] = {4: Orphan("o", 0, {9}, case.system.clock.now - 3.0)}
    assert is_broken(law, law.sampled, True)


def test_a_neighbour_knows_what_it_was_told(case: Case) -> None:
    law = case.law(books.NeighboursAgree)
    here, there = (case.system.brokers[name].machine.load.neighbours for name in ("b", "c"))
    assert not is_broken(law, law.sampled, True)
    there["b"].idle = here["c"].told_idle + 1
    assert not is_broken(law, law.sampled, True), "it may know more"
    here["c"].told_idle = there["b"].idle + 1
    assert is_broken(law, law.sampled, True)
    case.records.disturb("cut")
    assert not is_broken(law, law.sampled, True)
    here["c"].idle = 1
    assert takes(law, "b", "c", batch(1))
    here["c"].idle = 0
    assert not takes(law, "b", "c", Return(1, [1]))
    assert not takes(law, "b", "b.1", Return(1, [1])), "a Worker is no neighbour"


def test_who_has_much_to_do_lets_neighbours_know(case: Case) -> None:
    law, load = case.law(books.SpareIsTold), case.system.brokers["b"].machine.load.neighbours["c"]
    wait_at(case, *range(1, 12))
    load.published = (0, 1)
    law.sampled(True)
    case.system.clock.now += books.GRACE_SECONDS - 0.1
    assert not is_broken(law, law.sampled, True)
    case.system.clock.now += 0.2
    assert is_broken(law, law.sampled, True)
    load.published = (11, 1)
    assert not is_broken(law, law.sampled, True)


def test_each_giver_is_asked_for_a_function_that_is_not_here(case: Case) -> None:
    law, channel = case.law(books.AsksEachGiver), case.system.channel("b", "o")
    wait_at(case, 1, key=b"f")
    assert is_broken(law, law.sampled, True)
    law.says("b", "o", Want(b"f"), channel)
    assert not is_broken(law, law.sampled, True)
    takes(law, "b", "o", Function(b"f", "f", b""))
    assert is_broken(law, law.sampled, True), "it has come, and was forgotten"


@pytest.mark.parametrize("stuck", [False, True])
def test_a_worker_gives_back_what_it_does_not_start(case: Case, stuck: bool) -> None:
    law, worker = case.law(books.GivesBack), case.worker
    worker.workload.queue = [worker.workload.hold(batch(1, 2))]
    if stuck:
        worker.lock.holder = worker.current = None
        worker.lock.holder = object()  # type: ignore[assignment]
    else:
        worker.machine.unmet = 2
    law.sampled(True)
    case.system.clock.now += 0.9
    assert not is_broken(law, law.sampled, True)
    case.system.clock.now += 0.2
    assert is_broken(law, law.sampled, True)
    worker.workload.queue.clear()
    assert not is_broken(law, law.sampled, True)


def test_a_broker_that_has_ended_says_nothing_that_counts(case: Case) -> None:
    law = case.law(books.NothingFromTheDead)
    assert not is_broken(law, law.resolves, KEY, case.record, VALUE, b"")
    case.origin.bereft = True
    assert not is_broken(law, law.resolves, KEY, case.record, CANCELLED, b""), "the program cancels what it has"
    assert is_broken(law, law.resolves, KEY, case.record, VALUE, b"")
