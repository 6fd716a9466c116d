"""What a host process does for each frame, and what it passes on of its Brokers'."""

from __future__ import annotations

import select
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedfutures.host.control import HostControl
from fedfutures.host.relay import Relay
from fedfutures.supervision.actions import Start, Tell, TellWorkers, Withdraw
from fedfutures.supervision.brokers import broker_places
from fedfutures.supervision.machine import HostMachine
from fedfutures.wire.control import (
    AcceptBroker,
    BrokerAccepts,
    BrokerBound,
    CloseStream,
    ControlFrame,
    DialBroker,
    EndRun,
    FederationSize,
    Heartbeat,
    HoldOutput,
    LinkState,
    MoreWanted,
    Notice,
    OpenStream,
    RelayBroker,
    ResizeHost,
    TryPorts,
    WorkerOutput,
    WorkersWanted,
)

BOUND = BrokerBound("h.broker", "K", "127.0.0.1", 1, 2, 3)
DOWN, UP = (LinkState("h.broker", "n.broker", up, "") for up in (False, True))


class Here:
    """A host process's control, with two Brokers that live."""

    def __init__(self, directory: str) -> None:
        self.sent: list[ControlFrame] = []
        self.machine = HostMachine("h", 2, 2)
        self.machine.begin_brokers(0.0)
        self.relay = Relay(directory, self.sent.append, select.poll())
        self.control = HostControl(self.machine, self.relay, self.sent.append, lambda name: None)

    def on(self, frame: ControlFrame) -> Any:
        return self.control.on_frame(frame)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    made = Here(str(tmp_path))
    yield made
    made.relay.close()


def test_a_broker_is_told_to_try_ports_once(here: Here) -> None:
    trial = TryPorts(1, "n.broker", "tcp://h:1", "tcp://h:2", "tcp://h:3", "K")
    assert here.on(trial) == [Tell(1, trial)]
    assert Tell(1, trial) not in here.machine.on_broker_ended(1, -9, 100.0)


def test_a_broker_is_told_whom_to_dial_and_whom_to_accept(here: Here) -> None:
    dial, accept = DialBroker(1, "n.broker", "m", "p", "e", "K"), AcceptBroker(0, "n.broker", "K")
    assert here.on(dial) == [Tell(1, dial)]
    assert here.on(accept) == [Tell(0, accept)]


def test_a_broker_that_is_not_there_is_told_nothing(here: Here) -> None:
    assert here.on(DialBroker(7, "n.broker", "m", "p", "e")) == []
    assert here.on(AcceptBroker(7, "n.broker", "K")) == []


def test_a_relayed_neighbour_is_dialled_at_sockets_of_this_host(here: Here, tmp_path: Path) -> None:
    (told,) = here.on(RelayBroker(0, "n.broker", "K"))
    assert isinstance(told, Tell)
    assert isinstance(told.frame, DialBroker)
    assert (told.frame.name, told.frame.key) == ("n.broker", "K")
    for address in (told.frame.main, told.frame.meta, told.frame.subscriber):
        assert Path(address.removeprefix("ipc://")).parent == tmp_path


def test_output_is_held_and_the_end_is_known(here: Here) -> None:
    assert not here.control.holds_output
    here.on(HoldOutput(True))
    assert here.control.holds_output
    here.on(HoldOutput(False))
    assert not here.control.holds_output
    assert not here.control.has_ended
    here.on(EndRun())
    assert here.control.has_ended


def test_the_number_of_workers_changes(here: Here) -> None:
    assert here.on(ResizeHost(3, 5)) == [
        TellWorkers(FederationSize(5)), Start(0, "h.1"), Start(1, "h.2"), Start(2, "h.3"),
    ]  # fmt: skip
    assert here.on(ResizeHost(2)) == [Withdraw(2)]
    assert (here.machine.workers, here.machine.size) == (2, 5)


@pytest.mark.parametrize("frame", [Heartbeat(), Notice("x"), WorkerOutput("h.1", 1, b"")])
def test_others_ask_for_nothing(here: Here, frame: ControlFrame) -> None:
    assert here.on(frame) == []
    assert here.sent == []


def test_a_stream_to_a_broker_that_is_not_bound_is_closed(here: Here) -> None:
    here.on(OpenStream(2, "h.broker", "main"))
    assert here.sent == [CloseStream(2)]


def test_what_brokers_say_of_themselves_is_passed_on(here: Here) -> None:
    accepts = BrokerAccepts("h.broker", "n.broker")
    for frame in (BOUND, accepts, DOWN, UP):
        here.control.on_broker_frame("h.broker", frame)
    assert here.sent == [BOUND, accepts, DOWN, UP]


def test_a_broker_speaks_for_itself_alone(here: Here) -> None:
    here.control.on_broker_frame("h.broker2", BOUND)
    here.control.on_broker_frame("h.broker", EndRun())
    assert here.sent == []
    assert broker_places("h", 2, "/d")[1].name == "h.broker2"


def test_a_launching_side_that_comes_back_is_told_the_latest(here: Here) -> None:
    for frame in (BOUND, DOWN, UP):
        here.control.on_broker_frame("h.broker", frame)
    here.on(HoldOutput(True))
    here.sent.clear()
    here.control.send_again()
    assert here.sent == [BOUND, UP]
    assert not here.control.holds_output


def test_nothing_is_told_of_the_links_of_a_broker_that_is_dead(here: Here) -> None:
    for frame in (BOUND, UP):
        here.control.on_broker_frame("h.broker", frame)
    again = BrokerBound("h.broker", "K2", "127.0.0.1", 1, 2, 3)
    here.control.on_broker_frame("h.broker", again)
    here.sent.clear()
    here.control.send_again()
    assert here.sent == [again]


def test_what_brokers_could_use_beyond_the_slots_is_passed_on(tmp_path: Path) -> None:
    sent: list[ControlFrame] = []
    relay = Relay(str(tmp_path), sent.append, select.poll())
    control = HostControl(HostMachine("h", 2, 2), relay, sent.append, lambda name: None, 4)
    try:
        control.on_broker_frame("h.broker", WorkersWanted("h.broker", 4))
        assert sent == []
        control.on_broker_frame("h.broker2", WorkersWanted("h.broker2", 3, 8))
        control.on_broker_frame("h.broker2", WorkersWanted("h.broker2", 3, 8))
        assert sent == [MoreWanted(11)]
        assert control.wanted == 4
        control.send_again()
        assert sent == [MoreWanted(11), MoreWanted(11)], "a connector that has come is told, too"
        control.on_broker_frame("h.broker2", WorkersWanted("h.broker2", 0))
        assert sent[2:] == [MoreWanted(0)]
    finally:
        relay.close()
