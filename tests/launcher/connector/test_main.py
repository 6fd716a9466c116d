"""The loop of the connector, between a program, a host process of this machine and a host whose session is here."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from launching import python

from fedfutures.host.frame_line import FrameLine
from fedfutures.wire.control import (
    BeginHost,
    BrokerBound,
    BrokerGivenUp,
    ControlFrame,
    EndRun,
    HostReady,
    HostTable,
    Notice,
    NoWorkersLeft,
    ProbeReply,
    StartRefused,
    WorkerOutput,
)
from fedfutures.wire.framing import FrameReader, pack
from fedfutures_launcher.connector.main import Connector

from .far_hosts import SECONDS, FarHosts, until
from .requests import request_of

F = TypeVar("F", bound=ControlFrame)
READY = HostReady("/run", "/shm", "/disk", 7, [3, 11, 7], [["b", "main", "meta", "ear", ""]])


class Peer:
    """Who speaks with the connector over two pipes, of which it has the other ends."""

    def __init__(self) -> None:
        self.theirs_read, self._write = os.pipe()
        self._read, self.theirs_write = os.pipe()
        self._reader = FrameReader()
        self.heard: list[ControlFrame] = []

    def say(self, *frames: ControlFrame) -> None:
        for frame in frames:
            os.write(self._write, pack(frame))

    def take(self) -> None:
        """Take in what has come."""
        if select.select([self._read], [], [], 0.0)[0]:
            self.heard += self._reader.feed(os.read(self._read, 1 << 18))

    def of(self, kind: type[F]) -> list[F]:
        return [frame for frame in self.heard if isinstance(frame, kind)]

    def hang_up(self) -> None:
        if self._write >= 0:
            os.close(self._write)
        self._write = -1

    def close(self) -> None:
        self.hang_up()
        os.close(self._read)


class Run:
    """A connector in a thread, host "vm", and both processes of this machine."""

    def __init__(self, *words: str, **options: Any) -> None:
        self.origin, self.local, self.far, poller = Peer(), Peer(), FarHosts(), select.poll()
        lines = [FrameLine(peer.theirs_read, peer.theirs_write, poller) for peer in (self.origin, self.local)]
        self.connector = Connector(request_of(*(words or ("vm",)), **options), lines[0], lines[1], poller, self.far)
        self._thread = threading.Thread(target=self.connector.run)
        self._thread.start()

    def until(self, condition: Callable[[], bool]) -> bool:
        def turn() -> None:
            time.sleep(0.005)
            self.origin.take()
            self.local.take()

        return until(condition, turn)

    def begin(self) -> None:
        """Take the run to where all hosts serve."""
        assert self.until(lambda: bool(self.far.sessions))
        self.far.last.say_hello()
        self.far.last.say(ProbeReply(), ProbeReply())
        assert self.until(lambda: bool(self.local.of(BeginHost)))
        self.local.say(READY)
        self.far.last.say(READY)
        assert self.until(lambda: bool(self.origin.of(HostReady)))

    def end(self) -> None:
        """End the run from the side of the program, and wait for the connector."""
        self.origin.hang_up()
        self.local.hang_up()
        for host in self.far.sessions:
            if host.session is not None:
                host.end()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()
        for peer in (self.origin, self.local):
            peer.take()


@pytest.fixture
def start() -> Iterator[Callable[..., Run]]:
    """What starts a run; those it has started are ended."""
    runs: list[Run] = []

    def make(*words: str, **options: Any) -> Run:
        runs.append(Run(*words, **options))
        return runs[-1]

    yield make
    for run in runs:
        run.end()
        for peer in (run.origin, run.local):
            peer.close()


def test_a_run_begins_when_all_hosts_have_answered(start: Callable[..., Run]) -> None:
    run = start()
    run.begin()
    (table,), (ready,) = run.origin.of(HostTable), run.origin.of(HostReady)
    assert ("vm" in table.text, table.problems) == (True, False)
    assert (ready.run, ready.size, ready.hosts) == ("/run", run.connector.assembly.workers, ["here", "vm"])  # type: ignore[union-attr]
    assert [type(frame) for frame in run.far.last.heard()].count(BeginHost) == 1


def test_a_host_that_cannot_be_used_is_shown_and_the_run_begins_without_it(start: Callable[..., Run]) -> None:
    run = start()
    assert run.until(lambda: bool(run.far.sessions))
    run.far.last.say_hello(fedfutures="0.0.1")
    assert run.until(lambda: bool(run.local.of(BeginHost)))
    assert run.until(lambda: bool(run.origin.of(HostTable)))
    (table,) = run.origin.of(HostTable)
    assert ("0.0.1" in table.text, table.problems) == (True, True)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"require_all": True}, "1 of the hosts cannot be used, and --require-all asks for all"),
        ({"min_hosts": 2}, "1 host can be used, and --min-hosts asks for 2"),
    ],
)
def test_a_run_that_asks_for_more_hosts_is_refused(
    start: Callable[..., Run], options: dict[str, Any], reason: str
) -> None:
    run = start(**options)
    assert run.until(lambda: bool(run.far.sessions))
    run.far.last.say_hello(fedfutures="0.0.1")
    assert run.until(lambda: bool(run.origin.of(StartRefused)))
    (refused,) = run.origin.of(StartRefused)
    assert (refused.reason, refused.exit_code, list(refused.hosts)) == (reason, 2, ["vm"])
    assert run.local.of(BeginHost) == []


def test_what_workers_print_goes_to_the_program_whichever_host_they_are_on(start: Callable[..., Run]) -> None:
    run = start()
    run.begin()
    here, there = WorkerOutput("here.1", 1, b"a\n"), WorkerOutput("vm.1", 2, b"b\n")
    run.local.say(here)
    run.far.last.say(there)
    assert run.until(lambda: len(run.origin.of(WorkerOutput)) == 2)
    assert sorted(frame.worker for frame in run.origin.of(WorkerOutput)) == ["here.1", "vm.1"]


def test_a_host_that_speaks_for_the_broker_of_another_is_hung_up_on(start: Callable[..., Run]) -> None:
    run = start()
    run.begin()
    run.far.last.say(BrokerBound("here", "key"))
    assert run.until(lambda: run.connector.malformed == 1)
    assert run.until(lambda: len(run.far.sessions) == 2), "it is logged in to again"
    assert any("coming back to it" in notice.text for notice in run.origin.of(Notice))


def test_a_host_whose_brokers_fail_is_named_and_that_of_the_program_ends_it(start: Callable[..., Run]) -> None:
    run = start()
    run.begin()
    run.far.last.say(BrokerGivenUp("too many crashes"))
    run.local.say(BrokerGivenUp("here, too"))
    assert run.until(lambda: bool(run.origin.of(BrokerGivenUp)))
    assert run.origin.of(BrokerGivenUp) == [BrokerGivenUp("here, too")]
    assert run.until(lambda: Notice("host vm ends: too many crashes") in run.origin.heard)
    assert run.origin.of(NoWorkersLeft) == []


def test_the_end_of_the_run_is_told_to_all_hosts_and_last_words_are_passed_on(start: Callable[..., Run]) -> None:
    run = start()
    run.begin()
    run.far.last.heard()
    run.origin.say(EndRun())
    heard: list[ControlFrame] = []
    assert run.until(lambda: (heard.extend(run.far.last.heard()), EndRun() in heard)[1])
    run.far.last.say(WorkerOutput("vm.1", 1, b"last\n"))
    assert run.until(lambda: bool(run.origin.of(WorkerOutput)))


@pytest.mark.host
@pytest.mark.parametrize("said", ["", "BeginRun({}), EndRun()", "EndRun()"])
def test_a_run_that_has_ended_before_it_began_starts_nothing(said: str) -> None:
    ended = python(
        "-c",
        "import os, sys\n"
        "from fedfutures.wire.control import BeginRun, EndRun\n"
        "from fedfutures.wire.framing import pack\n"
        "from fedfutures_launcher.connector.main import main\n"
        "read, write = os.pipe()\n"
        f"os.write(write, b''.join(map(pack, [{said}])))\n"
        "os.close(write)\n"
        "os.dup2(read, 0)\n"
        "main()\n",
    )
    assert (ended.code, ended.out, ended.err) == (0, "", "")
