"""An Origin and a Worker for each test that asks for one; the test is their Broker."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from fedfutures.program.namespaces import Namespaces
from fedfutures.program.process import ProcessChanges
from fedfutures.program.snapshots import asked_for
from fedfutures.wire.payload import Payloads
from fedfutures.wire.seal import Seal
from fedfutures.worker import driver, loop
from fedfutures.worker.origin import Origin
from fedfutures.worker.worker import Worker

from .benches import Bench, Wire, here, noted


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nodes of this process get lists for sockets: not in tests that start processes."""
    monkeypatch.setattr(driver, "MainDealer", Wire)
    monkeypatch.setattr(driver, "MetaSubscriber", Wire)

    def rest(_: loop.Loop) -> None:
        node = here[0]
        node.surroundings.rest(node.runners.suspended)  # from now on no Future runs
        node.runners.stop()

    monkeypatch.setattr(loop.Loop, "rest", rest)


@pytest.fixture
def origin(wires: None) -> Iterator[Bench]:
    made = Origin(None, {"main": "", "meta": "", "name": "h.broker"}, Payloads(), 3, ProcessChanges())
    yield Bench(made)
    made.close()


@pytest.fixture
def worker(wires: None) -> Iterator[Bench]:
    control, other = os.pipe()
    made = Worker(None, {"main": "", "meta": "", "shared": ""}, "w", Payloads(), 3, cells=[0] * 24, control=control)
    made.driver.times[driver.PUMP_DUE] = float("inf")  # the sockets are used when a test says so
    here[:] = [made]
    yield Bench(made, other)
    made.close()
    os.close(control)
    os.close(other)


@pytest.fixture
def sealing(worker: Bench, origin: Bench) -> tuple[Bench, Bench]:
    for bench in (worker, origin):
        bench.node.payloads.seal = Seal(b"k" * 32)
    node = worker.node
    node.surroundings.see_by(
        Namespaces(
            lambda keys: [origin.node.definer.body_of(*asked_for(key)[:2]) for key in keys], node.payloads.load_with
        )
    )
    noted.clear()
    return worker, origin
