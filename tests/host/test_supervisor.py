"""Several Brokers on one host, and what happens when one is killed or stopped: nothing that a program could see."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from launching import eventually
from overhearing import overhear

from fedfutures import errors
from fedfutures.futures.federation import Federation
from fedfutures.host.handle import HostHandle
from fedfutures.host.here import settings_here
from fedfutures.sockets.keys import make_keys
from fedfutures.wire.control import BrokerGivenUp, BrokerRestarted, ControlFrame, DialBroker, Heartbeat, RelayBroker

pytestmark = pytest.mark.host
SECONDS = 20.0
WORKERS = 4


def nap(seconds: float, path: str, number: int) -> tuple[int, int]:
    """Note that this was run, and take a while."""
    with open(path, "a") as file:
        print(number, file=file)
    time.sleep(seconds)
    return number, os.getpid()


class Run:
    """A Federation on this host, and what its host process says of Brokers."""

    def __init__(self, brokers: int, attach: int = 0) -> None:
        self.said: list[ControlFrame] = []
        self.heard: list[Any] = []
        self.handle = HostHandle(settings_here(WORKERS, brokers=brokers))
        overhear(self.handle, self.hear)
        self.federation = Federation(self.handle, prefix=False, attach=attach)
        self.origin = self.federation.origin
        assert eventually(lambda: len(self.brokers()) == brokers, SECONDS)  # it takes a moment until they have names

    def hear(self, frame: Any) -> None:
        self.heard.append(frame)
        if isinstance(frame, (BrokerRestarted, BrokerGivenUp)):
            self.said.append(frame)

    def children(self, mark: str) -> list[int]:
        """Return the pids of the host process's children of one kind, the oldest first."""
        pid = self.handle.facts["pid"]
        found = []
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                if mark in Path(f"/proc/{child}/comm").read_text():
                    found.append(int(child))
        return sorted(found)

    def brokers(self) -> list[int]:
        return self.children("fedfut-broker")

    def workers(self) -> list[int]:
        """Return those of Workers, also of ones that have not got their name yet."""
        return sorted(set(self.children("")).difference(self.brokers()))

    def serves(self) -> bool:
        """Whether Futures run as they should."""
        futures = [self.origin.submit(pow, (number, 2), {}) for number in range(200)]
        return [future.result(timeout=SECONDS) for future in futures] == [number**2 for number in range(200)]


@contextlib.contextmanager
def run(brokers: int, attach: int = 0) -> Iterator[Run]:
    here = Run(brokers, attach)
    try:
        yield here
    finally:
        below = here.brokers()
        here.federation.close()
        assert eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in below), 2.0)
        assert not os.path.exists(here.handle.facts["run"])


@pytest.mark.parametrize(("brokers", "attach"), [(1, 0), (2, 0), (3, 0), (3, 2)])
def test_all_workers_work_whichever_broker_is_theirs(brokers: int, attach: int, tmp_path: Path) -> None:
    with run(brokers, attach) as here:
        names = [place["name"] for place in here.handle.facts["brokers"]]
        assert [name.partition(".")[2] for name in names] == ["broker", "broker2", "broker3"][:brokers]
        path = str(tmp_path / "ran")
        futures = [here.origin.submit(nap, (0.05, path, number), {}) for number in range(40)]
        results = [future.result(timeout=SECONDS) for future in futures]
        assert [number for number, _ in results] == list(range(40))
        assert len({pid for _, pid in results}) == WORKERS
        assert here.serves()
        assert here.said == []


@pytest.mark.fault("D1")
@pytest.mark.parametrize("which", [0, 1])
def test_a_broker_that_is_killed_is_started_again_and_no_future_is_disturbed(which: int, tmp_path: Path) -> None:
    with run(2) as here:
        assert here.serves()
        time.sleep(1.0)  # so that it has settled
        path = str(tmp_path / "ran")
        futures = [here.origin.submit(nap, (0.2, path, number), {}) for number in range(24)]
        time.sleep(0.4)
        workers = here.children("fedfut-")
        victim = here.brokers()[which]
        os.kill(victim, signal.SIGKILL)
        assert [future.result(timeout=SECONDS)[0] for future in futures] == list(range(24))
        assert len(Path(path).read_text().split()) <= 24 + WORKERS
        assert eventually(lambda: len(here.brokers()) == 2, SECONDS)
        assert victim not in here.brokers()
        assert set(workers) - {victim} <= set(here.children("fedfut-"))
        name = here.handle.facts["brokers"][which]["name"]
        assert here.said == [BrokerRestarted(name, "signal SIGKILL")]
        assert here.serves()


def test_the_only_broker_is_killed_while_nothing_is_open() -> None:
    with run(1) as here:
        assert here.serves()
        os.kill(here.brokers()[0], signal.SIGKILL)
        assert here.serves()


def test_a_broker_that_is_stopped_for_a_second_goes_on(tmp_path: Path) -> None:
    with run(2) as here:
        assert here.serves()
        brokers = here.brokers()
        futures = [here.origin.submit(nap, (0.1, str(tmp_path / "ran"), number), {}) for number in range(30)]
        os.kill(brokers[1], signal.SIGSTOP)
        time.sleep(1.0)
        os.kill(brokers[1], signal.SIGCONT)
        assert [future.result(timeout=SECONDS)[0] for future in futures] == list(range(30))
        assert here.brokers() == brokers
        assert here.said == []
        assert here.serves()


def test_a_broker_that_stays_stopped_is_killed_and_started_again(tmp_path: Path) -> None:
    with run(2) as here:
        assert here.serves()
        futures = [here.origin.submit(nap, (0.1, str(tmp_path / "ran"), number), {}) for number in range(30)]
        os.kill(here.brokers()[0], signal.SIGSTOP)
        assert [future.result(timeout=SECONDS)[0] for future in futures] == list(range(30))
        name = here.handle.facts["brokers"][0]["name"]
        assert here.said == [BrokerRestarted(name, "stopped for 5 s, and killed for that")]


@pytest.mark.fault("D4")
def test_a_broker_that_crashes_again_and_again_ends_the_run_by_name() -> None:
    with run(1) as here:
        assert here.serves()
        future = here.origin.submit(time.sleep, (600,), {})
        deadline = time.monotonic() + SECONDS
        while not future.done() and time.monotonic() < deadline:
            for pid in here.brokers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSEGV)
            time.sleep(0.01)
        error = future.exception(timeout=SECONDS)
        assert isinstance(error, errors.FederationLost)
        assert "broker ended 5 times in" in str(error)
        assert "signal SIGSEGV" in str(error)


def test_a_broker_that_somebody_kills_again_and_again_loses_nothing() -> None:
    with run(1) as here:
        assert here.serves()
        futures = [here.origin.submit(time.sleep, (0.02,), {}) for _ in range(200)]
        for _ in range(7):  # two more than a Broker may end by itself
            assert eventually(here.brokers, SECONDS)
            for pid in here.brokers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert [future.result(timeout=SECONDS) for future in futures] == [None] * 200


@pytest.mark.fault("C9")
def test_workers_that_somebody_kills_as_they_start_lose_nothing() -> None:
    with run(1) as here:
        assert here.serves()
        futures = [here.origin.submit(time.sleep, (0.02,), {}) for _ in range(100)]
        killed: set[int] = set()
        while len(killed) < WORKERS + 7:  # those that run, and seven successors before they are ready
            for pid in set(here.workers()) - killed:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            time.sleep(0.001)
        failed = [error for future in futures if (error := future.exception(timeout=SECONDS)) is not None]
        assert all(type(error) is errors.PoisonedFuture for error in failed)
        assert len(failed) <= len(killed) // 3  # where successors were ready after all, and ran the same Future
        assert eventually(lambda: len(here.workers()) == WORKERS, SECONDS)


def test_what_cannot_be_done_is_said_and_ends_nothing() -> None:
    with run(1) as here:
        broker, key = here.brokers(), make_keys().public
        Path(here.handle.facts["run"], "relay1main").touch()
        here.handle.tell(RelayBroker(0, "n.broker", key))
        here.handle.tell(DialBroker(0, "m.broker", "tcp://no address:1", "", "\0", key))
        heard = "\n".join
        assert eventually(lambda: "could not do what RelayBroker says" in heard(map(str, here.heard)), SECONDS)
        assert eventually(lambda: "cannot be dialled" in heard(map(str, here.heard)), SECONDS)
        assert here.serves()
        assert here.brokers() == broker


def test_a_broker_elsewhere_is_dialled_when_the_launching_side_says_so(tmp_path: Path) -> None:
    there = HostHandle(settings_here(WORKERS, host="there", size=2 * WORKERS))
    try:
        place = there.wait_ready()["brokers"][0]
        there.listen(lambda value: None)
        with run(1) as here:
            here.handle.tell(DialBroker(0, place["name"], place["main"], place["meta"], place["subscriber"]))
            here.handle.tell(DialBroker(7, place["name"], place["main"], place["meta"], place["subscriber"]))  # none
            for _ in range(2):
                path = str(tmp_path / "ran")
                futures = [here.origin.submit(nap, (0.1, path, number), {}) for number in range(40)]
                results = [future.result(timeout=SECONDS) for future in futures]
                assert [number for number, _ in results] == list(range(40))
                assert len({pid for _, pid in results}) == 2 * WORKERS
                there.tell(Heartbeat())
            assert here.said == []
    finally:
        there.end()
    there.tell(DialBroker(0, "a", "b", "c", "d"))  # gone: nothing happens
