"""A part never holds its owner: nothing imports what is made of it, and nobody hands itself to its parts."""

from __future__ import annotations

from . import figures, tree


def test_no_modules_import_each_other() -> None:
    assert figures.circles() == []


def test_nobody_hands_itself_to_its_parts() -> None:
    assert list(figures.held_owners()) == []


def test_only_the_machine_and_its_process_know_the_broker() -> None:
    users = {name for name, module in tree.modules().items() if "BrokerMachine" in tree.names(module)}
    assert users == {"fedfutures.broker.machine", "fedfutures.broker_process.shell", "fedfutures.simulation.broker"}
