"""A host that is reached by ssh, from its hello to its end; the session ends in the test."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from fedfutures import Hosts
from fedfutures.host.settings import Settings, frame_of
from fedfutures.wire.control import EndRun, Heartbeat, HostProcessGone, Probe, ProbeReply, WorkerOutput
from fedfutures_launcher.connector.access import Ways
from fedfutures_launcher.connector.login import ERRORS_KEPT, Login
from fedfutures_launcher.layout.assemble import START_SECONDS
from fedfutures_launcher.remote.packages import ProgramPackages
from fedfutures_launcher.remote.preflight import ThisMachine, local_versions
from fedfutures_launcher.remote.remote_host import HostState
from fedfutures_launcher.ssh.texts.failures import Failure

from .far_hosts import FarHost, FarHosts, until
from .requests import request_of

SETTINGS = Settings("vm", 1, 1)
HERE = ThisMachine(local_versions(), ProgramPackages(None, []))


class Case:
    """One login, and the far end of its session."""

    def __init__(self, *launchers: str) -> None:
        self.poller, self.far = select.poll(), FarHosts()
        request = request_of("vm")
        request.launchers = list(launchers or ("ssh",))
        clients = {name: self.far.called(name) for name in request.launchers}
        ways = Ways(request, clients).to(request.hosts[0])
        self.login = Login(request.hosts[0], request, ways, HERE, self.poller)
        self.login.connect(time.monotonic())

    @property
    def host(self) -> FarHost:
        return self.far.last

    def turn(self) -> None:
        for descriptor, events in self.poller.poll(20):
            self.login.serve(descriptor, events)

    def reaches(self, state: HostState) -> bool:
        return until(lambda: self.login.life.state is state, self.turn)

    def be_ready(self) -> None:
        """Take the host to where it waits for its settings."""
        self.host.say_hello()
        self.host.say(ProbeReply(), ProbeReply())
        assert self.reaches(HostState.READY)
        assert self.host.heard() == [Probe("."), Probe()]

    def be_serving(self) -> None:
        self.be_ready()
        self.login.begin(SETTINGS)
        self.login.on_ready("/run")
        assert self.host.heard() == [frame_of(SETTINGS)]

    def problem(self) -> tuple[str, str]:
        """Return (kind, text) of why the host cannot be used."""
        assert self.reaches(HostState.FAILED)
        report = self.login.report(0)
        assert (report.state, self.login.facts, self.login.open) == ("failed", None, False)
        assert report.problem is not None
        return report.problem.kind, report.problem.text


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    """A login that leaves no descriptor and no thread; by ssh alone, if the test says nothing else."""
    descriptors, threads = len(os.listdir("/proc/self/fd")), set(threading.enumerate())
    made = Case(*getattr(request, "param", ()))
    yield made
    made.far.close()
    assert set(threading.enumerate()) <= threads
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_a_fit_host_is_measured_and_then_told_its_settings(case: Case) -> None:
    case.be_ready()
    assert case.login.facts == {"processors": 4, "address": "10.0.0.1", "memory": 1 << 33, "launcher": "ssh"}
    report = case.login.report(3)
    assert (report.name, report.workers, report.state, report.problem, report.warnings) == ("vm", 3, "ok", None, [])
    assert report.latency is not None
    case.login.send(Heartbeat())
    assert case.host.heard() == [], "it does not serve yet"
    case.login.begin(SETTINGS)
    case.login.send(Heartbeat())
    assert case.host.heard() == [frame_of(SETTINGS), Heartbeat()]


@pytest.mark.parametrize("case", [("srun", "ssh")], indirect=True)
def test_a_host_that_is_unfit_is_not_asked_by_another_way(case: Case) -> None:
    case.login.spec = replace(case.login.spec, options=Hosts(path="/data"))
    case.host.say_hello()
    assert case.reaches(HostState.MEASURING)
    assert case.host.heard() == [Probe("/data")]
    case.host.say(ProbeReply("/data"))
    kind, text = case.problem()
    assert kind == "no directory"
    assert "no directory /data" in text


def test_only_ssh_itself_tells_which_machine_it_leads_to(case: Case) -> None:
    case.host.say_hello()
    case.host.say(ProbeReply(login="a"), ProbeReply(login="b"))
    assert case.reaches(HostState.READY)
    assert case.login.facts is not None
    assert case.login.facts["login"] == "a"


@pytest.mark.parametrize("case", [("srun",)], indirect=True)
@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda host: host.end(), "srun ended; it said: no input"),
        (lambda host: host.write(b"\r\n" * 20), "srun has altered what it says; it said: no input"),
    ],
    ids=["ends", "alters"],
)
def test_a_launcher_that_carries_the_hello_alone_is_unfit(
    case: Case, spoil: Callable[[FarHost], None], why: str
) -> None:
    case.host.say_hello()
    assert case.reaches(HostState.MEASURING)
    case.host.print_error(b"no input\n")
    spoil(case.host)
    kind, text = case.problem()
    assert kind == "launcher unfit"
    assert text.endswith(f"Python has started there, but {why}")


@pytest.mark.parametrize("case", [("srun",)], indirect=True)
def test_a_launcher_that_keeps_what_is_said_is_unfit(case: Case) -> None:
    case.host.say_hello()
    assert case.reaches(HostState.MEASURING)
    case.login.on_due(time.monotonic() + START_SECONDS)
    kind, text = case.problem()
    assert kind == "launcher unfit"
    assert "nothing more was heard through srun within 30 s" in text


def test_a_host_that_gets_no_worker_is_hung_up_on(case: Case) -> None:
    case.be_ready()
    case.login.begin(None)
    assert (case.login.life.state, case.login.open) == (HostState.OVER, False)


def test_a_host_with_another_version_is_unfit(case: Case) -> None:
    case.host.say_hello(fedfutures="0.0.1")
    kind, text = case.problem()
    assert kind == "other fedfutures"
    assert "0.0.1" in text


def test_what_a_host_has_printed_is_shown_beside_why_it_cannot_be_used(case: Case) -> None:
    case.host.write(b"one\ntwo\n")
    case.host.print_error(b"module: not found\nlast word")
    assert until(lambda: select.select([case.host.session.error_fd], [], [], 0)[0] != [], case.turn)  # type: ignore[union-attr]
    case.host.say_hello(fedfutures="0.0.1")
    assert case.problem()[0] == "other fedfutures"
    problem = case.login.report(0).problem
    assert problem is not None
    assert problem.hints[-1] == "it printed: two / module: not found / last word"


def test_a_difference_that_matters_little_is_a_warning(case: Case) -> None:
    case.host.say_hello(cloudpickle="0.1")
    assert case.reaches(HostState.MEASURING)
    assert ["0.1" in warning.text for warning in case.login.report(1).warnings] == [True]


def test_a_command_that_ends_before_its_hello_is_quoted(case: Case) -> None:
    case.host.write(b"welcome\n")
    case.host.print_error(b"".join(b"line %d\n" % number for number in range(2 * ERRORS_KEPT)))
    case.host.end()
    kind, text = case.problem()
    assert kind == "ended early"
    assert text.endswith("it said: line 35 / line 36 / line 37 / line 38 / line 39")


def test_the_failure_of_the_session_goes_before_what_was_said(case: Case) -> None:
    case.host.print_error(b"noise\n")
    case.host.end(Failure("refused", "vm: refused", ""))
    assert case.problem() == ("refused", "vm: refused")


def test_a_hello_that_makes_no_sense_is_a_failure(case: Case) -> None:
    case.host.say_hello(processors="many")
    assert case.problem()[0] == "no hello"


def test_a_host_that_says_nothing_has_failed_when_its_time_is_over(case: Case) -> None:
    assert until(lambda: case.host.session is not None and case.host.session.connected, case.turn)
    case.login.on_due(time.monotonic() + START_SECONDS)
    assert case.problem() == ("no hello", "vm: it was silent for 30 s")


IN_A_JOB = pytest.mark.parametrize("case", [("srun", "ssh")], indirect=True)
REFUSED = Failure("launcher refused", "vm: srun ended", "srun -w vm hostname")


@IN_A_JOB
def test_a_second_launcher_is_tried_where_the_first_one_fails(case: Case) -> None:
    case.host.end(REFUSED)
    assert until(lambda: len(case.far.sessions) == 2, case.turn)
    case.be_serving()
    assert case.login.facts is not None
    assert (case.login.facts["launcher"], case.login.facts["address"]) == ("ssh", "10.0.0.1")
    assert case.login.report(1).problem is None


@IN_A_JOB
def test_where_no_launcher_leads_to_a_host_each_says_why(case: Case) -> None:
    case.host.end(REFUSED)
    assert until(lambda: len(case.far.sessions) == 2, case.turn)
    case.host.end(Failure("refused", "vm: no ssh server listens", "ssh vm true"))
    assert case.problem() == ("launcher refused", "vm: srun ended; and no ssh server listens")
    problem = case.login.report(0).problem
    assert problem is not None
    assert (problem.remedy, problem.hints) == ("srun -w vm hostname", ("or: ssh vm true",))


@IN_A_JOB
def test_a_host_that_has_said_hello_is_not_asked_in_another_way(case: Case) -> None:
    case.host.say_hello(fedfutures="0.0.1")
    assert case.problem()[0] == "other fedfutures"
    assert len(case.far.sessions) == 1


@IN_A_JOB
def test_a_host_behind_a_launcher_is_dialled_where_its_name_leads(case: Case) -> None:
    assert until(lambda: case.host.session is not None, case.turn)
    assert case.host.session is not None
    case.host.session.on_address("10.0.0.9")
    case.host.say_hello(address="192.168.0.1")  # of somebody's login, in the environment that srun passes on
    assert case.reaches(HostState.MEASURING)
    assert case.login.facts is not None
    assert (case.login.facts["launcher"], case.login.facts["address"]) == ("srun", "10.0.0.9")


@pytest.mark.parametrize("case", [("srun",)], indirect=True)
def test_what_a_launcher_has_said_is_quoted(case: Case) -> None:
    case.host.print_error(b"srun: error: no such node\n")
    case.host.end()
    kind, text = case.problem()
    assert kind == "launcher refused"
    assert text == "vm: srun ended before the host was ready; it said: srun: error: no such node"


@pytest.mark.parametrize("case", [("srun",)], indirect=True)
def test_a_launcher_that_is_silent_is_ended(case: Case) -> None:
    assert until(lambda: case.host.session is not None and case.host.session.connected, case.turn)
    case.host.print_error(b"srun: job step creation temporarily disabled, retrying\n")
    case.turn()
    case.login.on_due(time.monotonic() + START_SECONDS)
    kind, text = case.problem()
    assert kind == "launcher silent"
    assert text.startswith("vm: nothing was heard through srun within 30 s; it said: srun: job step")


@IN_A_JOB
def test_the_next_connector_takes_the_launcher_that_has_worked(case: Case) -> None:
    request = request_of("vm")
    request.launchers = ["srun", "ssh"]
    clients = {name: case.far.called(name) for name in request.launchers}
    ways = Ways(request, clients).to(request.hosts[0])
    login = Login(request.hosts[0], request, ways, HERE, case.poller)
    login.resume(SETTINGS, {"launcher": "ssh", "address": "10.0.0.1"}, "/run", was_given_up=False)
    login.on_due(time.monotonic())
    assert case.far.by == ["srun", "ssh"], "the one of this test, and the one that comes back"
    login.end()


def test_frames_wait_until_they_are_asked_for_and_replies_are_not_among_them(case: Case) -> None:
    case.be_serving()
    output = WorkerOutput("vm.1", 1, b"text")
    case.host.say(ProbeReply(), output)
    found: list[object] = []
    assert until(lambda: bool(found), lambda: (case.turn(), found.extend(case.login.frames()))[0])
    assert (found, case.login.frames()) == ([output], [])


def test_standard_error_of_a_host_that_serves_is_shown(case: Case) -> None:
    case.host.print_error(b"before\n")
    case.be_serving()
    case.host.print_error(b"in two ")
    case.host.print_error(b"parts\nrest")
    found: list[object] = []
    assert until(lambda: bool(found), lambda: (case.turn(), found.extend(case.login.frames()))[0])
    assert found == [WorkerOutput("vm", 2, b"in two parts\n")]


def test_a_lost_connection_is_told_once_and_made_anew(case: Case) -> None:
    case.be_serving()
    case.host.end()
    assert case.reaches(HostState.WAITING)
    assert (case.login.lost_now(), case.login.lost_now()) == (True, False)
    assert case.login.news() == ["host vm: the ssh connection was lost; coming back to it"]
    assert (case.login.news(), case.login.given_up) == ([], False)
    case.login.send(Heartbeat())
    case.login.on_due(time.monotonic())
    assert (case.login.life.state, len(case.far.sessions)) == (HostState.RETURNING, 2)
    assert "/run" in case.host.target.command
    case.host.say_hello()
    assert case.reaches(HostState.ENTERING)
    case.login.on_ready("/run")
    assert case.login.news() == ["host vm: connected again"]
    assert case.host.heard() == [], "what was said meanwhile is not said to another session"


def test_a_host_process_that_is_gone_is_started_anew_with_the_same_settings(case: Case) -> None:
    case.be_serving()
    case.host.end()
    assert case.reaches(HostState.WAITING)
    case.login.on_due(time.monotonic())
    case.host.say_hello()
    case.host.say(HostProcessGone())
    case.host.end()
    assert case.reaches(HostState.WAITING)
    case.login.on_due(time.monotonic())
    assert case.login.life.state is HostState.RESTARTING
    assert "/run" not in case.host.target.command
    case.host.say_hello()
    assert case.reaches(HostState.SERVING)
    assert case.login.news()[-1] == "host vm: started again"
    assert case.host.heard() == [frame_of(SETTINGS)]


def test_what_is_no_frame_costs_the_session(case: Case) -> None:
    case.be_serving()
    case.host.write(b"\xff" * 100)
    assert case.reaches(HostState.WAITING)
    assert case.login.malformed == 1
    assert case.login.news() == [
        "host vm: something was written among what the host process says; coming back to it"
    ]  # fmt: skip


def test_a_host_that_serves_is_told_of_the_end_and_another_is_hung_up_on(case: Case) -> None:
    case.be_serving()
    case.login.end()
    assert (case.host.heard(), case.login.open) == ([EndRun()], True)
    case.host.end()
    assert until(lambda: not case.login.open, case.turn)
    assert case.login.news() == []


def test_the_descriptors_of_others_are_not_served(case: Case) -> None:
    assert not case.login.serve(0, select.POLLIN)
