"""The loop of the connector, between a program, a host process of this machine and a host whose session is here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from launching import python

from fedfutures.host.settings import settings_from
from fedfutures.wire.control import (
    AcceptBroker,
    BeginHost,
    BrokerAccepts,
    BrokerBound,
    BrokerGivenUp,
    CloseStream,
    ControlFrame,
    DialBroker,
    EndRun,
    Heartbeat,
    HostTable,
    KeepNote,
    LinkState,
    Notice,
    NoWorkersLeft,
    OpenStream,
    RunPlanned,
    StartRefused,
    WorkerOutput,
)
from fedfutures_launcher.remote.streams import Streams

from .runs import READY, Run


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """What starts a run; those it has started are ended."""
    runs: list[Run] = []

    def make(*words: str, **options: Any) -> Run:
        runs.append(Run(tmp_path, *words, **options))
        return runs[-1]

    yield make
    for run in runs:
        run.close()


def test_a_run_begins_when_all_hosts_have_answered(start: Callable[..., Run]) -> None:
    run = start()
    run.begin()
    (table,), (plan,) = run.origin.of(HostTable), run.origin.of(RunPlanned)
    assert ("vm" in table.text, table.problems) == (True, False)
    settings, hosts = settings_from(plan.settings), plan.hosts
    assert (settings.host, settings.size, hosts) == ("here", run.connector.assembly.workers, ["here", "vm"])  # type: ignore[union-attr]
    assert (settings.has_door, settings.neighbours) == (True, [["vm.broker"]])
    assert [type(frame) for frame in run.far.last.heard()].count(BeginHost) == 1


def test_a_host_that_cannot_be_used_is_shown_and_the_run_begins_without_it(start: Callable[..., Run]) -> None:
    run = start()
    assert run.until(lambda: bool(run.far.sessions))
    run.far.last.say_hello(fedfutures="0.0.1")
    assert run.until(lambda: bool(run.origin.of(RunPlanned)))
    (table,) = run.origin.of(HostTable)
    assert ("0.0.1" in table.text, table.problems) == (True, True)


def test_a_job_runs_on_all_of_its_hosts_or_not_at_all(start: Callable[..., Run]) -> None:
    run = start(scheduler="Slurm")
    assert run.until(lambda: bool(run.far.sessions))
    run.far.last.say_hello(fedfutures="0.0.1")
    assert run.until(lambda: bool(run.origin.of(StartRefused)))
    (refused,) = run.origin.of(StartRefused)
    assert refused.reason.startswith("1 of the hosts cannot be used, and a batch job runs on all of its hosts")
    assert refused.exit_code == 2


def test_a_job_runs_on_fewer_hosts_where_it_may(start: Callable[..., Run]) -> None:
    run = start(scheduler="Slurm", min_hosts=1)
    assert run.until(lambda: bool(run.far.sessions))
    run.far.last.say_hello(fedfutures="0.0.1")
    assert run.until(lambda: bool(run.origin.of(RunPlanned)))


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
    assert run.origin.of(RunPlanned) == []


def test_what_workers_of_other_hosts_print_goes_to_the_program(start: Callable[..., Run]) -> None:
    run = start()
    run.begin()
    there = WorkerOutput("vm.1", 2, b"b\n")
    run.far.last.say(there)
    assert run.until(lambda: run.origin.of(WorkerOutput) == [there])


def test_a_host_that_speaks_for_the_broker_of_another_is_hung_up_on(start: Callable[..., Run]) -> None:
    run = start()
    run.begin()
    run.far.last.say(BrokerBound("here", "key"))
    assert run.until(lambda: run.connector.malformed == 1)
    assert run.until(lambda: len(run.far.sessions) == 2), "it is logged in to again"
    assert run.until(lambda: any("coming back to it" in notice.text for notice in run.origin.of(Notice)))


def test_nonsense_of_this_machines_host_process_is_passed_over(start: Callable[..., Run]) -> None:
    run = start()
    run.begin()
    run.local.say(BrokerBound("vm.broker", "key"), WorkerOutput("here.1", 1, b"a\n"))
    assert run.until(lambda: bool(run.origin.of(WorkerOutput)))
    assert run.connector.malformed == 1
    assert run.until(lambda: any("speaks for 'vm.broker'" in notice.text for notice in run.origin.of(Notice)))


def test_what_this_machines_host_process_sends_and_is_no_frame_ends_the_run_in_order(start: Callable[..., Run]) -> None:
    run = start()
    run.begin()
    run.far.last.heard()
    run.local.write(b"\0\0\0\1\xc1")
    assert run.until(lambda: EndRun() in run.far.last.heard()), "hosts work for nobody"
    assert run.until(lambda: any("what is no frame" in left.reason for left in run.origin.of(NoWorkersLeft)))


@pytest.mark.parametrize("number", [1, 2])
def test_a_host_that_opens_streams_that_are_not_its_own_is_hung_up_on(start: Callable[..., Run], number: int) -> None:
    run = start()
    run.begin()
    run.far.last.say(OpenStream(1, "here.broker", "main"), OpenStream(number, "here.broker", "main"))
    assert run.until(lambda: run.connector.malformed == 1)
    assert run.until(lambda: len(run.far.sessions) == 2), "it is logged in to again"


def test_a_fault_of_the_connector_costs_one_host_its_connection(
    start: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise KeyError("planted")

    run = start()
    run.begin()
    monkeypatch.setattr(Streams, "route", fails)
    run.far.last.say(CloseStream(1))
    assert run.until(lambda: len(run.far.sessions) == 2), "it is logged in to again"
    assert run.until(
        lambda: any("what it sent raised KeyError('planted')" in notice.text for notice in run.origin.of(Notice))
    )
    run.local.say(WorkerOutput("here.1", 1, b"a\n"))
    assert run.until(lambda: bool(run.origin.of(WorkerOutput)))


def test_a_host_whose_brokers_fail_is_named(start: Callable[..., Run]) -> None:
    run = start()
    run.begin()
    run.far.last.say(BrokerGivenUp("too many crashes"))
    assert run.until(lambda: Notice("host vm ends: too many crashes") in run.origin.heard)
    assert run.origin.of(NoWorkersLeft) == []


def test_links_are_made_anew_with_the_next_host_process_of_this_machine(start: Callable[..., Run]) -> None:
    """The other host hears of the new key, and neither of an end nor of anything else."""
    run = start()
    run.begin()
    run.local.say(BrokerBound("here.broker", "first"))
    run.far.last.say(BrokerBound("vm.broker", "other", "10.0.0.1", 1, 2, 3))
    heard: list[ControlFrame] = []

    def is_told(frame: ControlFrame) -> bool:
        heard.extend(run.far.last.heard())
        return frame in heard

    assert run.until(lambda: is_told(AcceptBroker(0, "here.broker", "first")))
    run.far.last.say(OpenStream(1, "here.broker", "main"))
    assert run.until(lambda: bool(run.local.of(OpenStream)))
    run.local.close()
    heard.clear()
    run.meet(run.new_local())
    run.local.say(BrokerBound("here.broker", "second"))
    assert run.until(lambda: is_told(AcceptBroker(0, "here.broker", "second")))
    assert {type(frame) for frame in heard} <= {AcceptBroker, CloseStream, Heartbeat}
    assert CloseStream(1) in heard
    run.far.last.say(BrokerAccepts("vm.broker", "here.broker"))
    assert run.until(lambda: [frame.name for frame in run.local.of(DialBroker)] == ["vm.broker"])


def test_another_connector_goes_on_with_the_run_of_one_that_was_killed(start: Callable[..., Run]) -> None:
    first = start()
    first.begin()
    first.local.say(BrokerBound("here.broker", "near"))
    first.far.last.say(BrokerBound("vm.broker", "far", "10.0.0.1", 1, 2, 3))
    assert first.until(lambda: len(first.origin.of(KeepNote)) == 4)
    second = start(notes={note.name: note.value for note in first.origin.of(KeepNote)})
    assert second.until(lambda: bool(second.far.sessions))
    assert second.far.last.target.command != first.far.last.target.command, "it goes to the door of the host process"
    second.meet(second.local)
    second.local.say(BrokerBound("here.broker", "near"), LinkState("here.broker", "vm.broker", True, ""))
    second.far.last.say_hello()
    second.far.last.say(READY, BrokerBound("vm.broker", "far", "10.0.0.1", 1, 2, 3))
    assert second.until(lambda: Notice("host vm: connected again") in second.origin.heard)
    second.far.last.say(WorkerOutput("vm.1", 1, b"on"))
    assert second.until(lambda: bool(second.origin.of(WorkerOutput)))
    told = [*second.far.last.heard(), *second.local.heard]
    assert {type(frame) for frame in told} <= {Heartbeat}, "a link that is up is not touched"
    assert [note.name for note in second.origin.of(KeepNote)] == ["facts"], "that it is at work"


def test_a_stream_to_a_host_that_does_not_hear_it_is_closed_at_once(start: Callable[..., Run]) -> None:
    run = start()
    run.begin()
    run.local.close()
    assert run.until(lambda: run.connector.local.descriptor < 0)
    run.far.last.heard()
    heard: list[ControlFrame] = []
    run.far.last.say(OpenStream(3, "here.broker", "main"))
    assert run.until(lambda: (heard.extend(run.far.last.heard()), CloseStream(3) in heard)[1])


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
        "from fedfutures_launcher.connector.launched import main\n"
        "read, write = os.pipe()\n"
        f"os.write(write, b''.join(map(pack, [{said}])))\n"
        "os.close(write)\n"
        "os.dup2(read, 0)\n"
        "main()\n",
    )
    assert (ended.code, ended.out, ended.err) == (0, "", "")
