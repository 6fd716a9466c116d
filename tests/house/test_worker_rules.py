"""The rules of the Worker stand once: Worker, simulator and tests run one machine."""

from __future__ import annotations

from . import figures, tree

SAYINGS = {"NodeLoad", "GiveBack", "Finished"}
"""What a Worker says of its pieces; the machine called Workload decides when."""
ROOM = "fedfutures/node/", "tests/node/"


def test_only_the_workload_says_what_becomes_of_pieces() -> None:
    everything = [*tree.modules().values(), *tree.tests()]
    elsewhere = [module for module in everything if not module.place.startswith(ROOM)]
    assert list(figures.calls_of(elsewhere, SAYINGS)) == []
