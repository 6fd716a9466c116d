"""The launching side's end of a host process: how one that does not start is named."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import Any

import pytest
from launching import eventually

from fedfutures.errors import StartFailed
from fedfutures.host.handle import Heard, HostEnded, HostGone, HostHandle, one_at_a_time
from fedfutures.host.here import settings_here
from fedfutures.wire.control import (
    BeginHost,
    BrokerBound,
    ControlFrame,
    HostReady,
    HostTable,
    Notice,
    StartRefused,
    WorkerOutput,
)
from fedfutures.wire.framing import FrameReader, pack

pytestmark = pytest.mark.host
SECONDS = 10.0
READY = HostReady("/no/run", "/no/shared", "", 7, [3, 11, 2], [["h.broker", "m", "p", "e", ""]])


def handle(*frames: ControlFrame | bytes, then: str = "sys.stdin.buffer.read()", **options: Any) -> HostHandle:
    """A process that says these frames, and does that."""
    said = b"".join(frame if isinstance(frame, bytes) else pack(frame) for frame in frames)
    code = f"import sys; sys.stdout.buffer.write({said!r}); sys.stdout.flush(); {then}"
    return HostHandle(settings_here(1, **options), command=[sys.executable, "-c", code])


def test_it_is_ready_and_what_came_before_anybody_listened_is_kept() -> None:
    bound, output = BrokerBound("h.broker", "K"), WorkerOutput("h.1", 1, b"x\n")
    here = handle(bound, READY, output)
    facts = here.wait_ready()
    assert (facts["name"], facts["run"], facts["pid"]) == ("h.broker", "/no/run", 7)
    found: list[ControlFrame | HostGone] = []
    gone = threading.Event()

    def hear(frame: ControlFrame | HostGone) -> None:
        found.append(frame)
        if isinstance(frame, HostGone):
            gone.set()

    here.listen(hear)
    here.end()
    assert gone.wait(SECONDS)
    assert found[:-1] == [bound, output]


@pytest.mark.parametrize("error", [RuntimeError("odd"), SystemExit(3), KeyboardInterrupt()])
def test_whatever_a_frame_leads_to_the_listener_hears_of_the_end(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    here = handle(READY, WorkerOutput("h.1", 1, b"x\n"), WorkerOutput("h.1", 1, b"y\n"))
    here.wait_ready()
    found: list[type] = []
    gone = threading.Event()

    def hear(frame: ControlFrame | HostGone) -> None:
        found.append(type(frame))
        if isinstance(frame, HostGone):
            gone.set()
        raise error

    here.listen(hear)
    here.end()
    assert gone.wait(SECONDS)
    assert found == [WorkerOutput, WorkerOutput, HostGone]
    assert "taking in WorkerOutput failed" in caplog.text


def test_its_settings_come_first_and_its_end_is_said() -> None:
    read, write = os.pipe()
    code = f"import os, sys; os.write({write}, sys.stdin.buffer.read())"
    here = HostHandle(settings_here(3), command=[sys.executable, "-c", code], pass_fds=(write,))
    os.close(write)
    here.end()
    begin, *rest = FrameReader().feed(os.read(read, 1 << 20))
    os.close(read)
    assert isinstance(begin, BeginHost)
    assert begin.settings["workers"] == 3
    assert [type(frame).__name__ for frame in rest] == ["EndRun"]


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        ([], "it ended"),
        ([b"\0\0\0\1\xc1"], r"it sent a malformed frame \(not msgpack"),
        ([b"Welcome to this machine!"], "it sent a malformed frame"),
    ],
)
def test_one_that_does_not_start_is_named(frames: list[bytes], why: str) -> None:
    with pytest.raises(
        StartFailed, match=rf"the host process on .* did not start: {why}.*Its messages are above; try: "
    ):
        handle(*frames, then="pass").wait_ready()


def test_what_the_connector_says_before_the_run(capfd: pytest.CaptureFixture[str]) -> None:
    refused = StartRefused("no host is left", 2, {"a": "it is off"})
    here = handle(HostTable("HOST", False), Notice("links are up"), refused)
    with pytest.raises(StartFailed) as caught:
        here.wait_ready()
    assert (caught.value.summary, caught.value.exit_code, caught.value.hosts) == (
        "no host is left",
        2,
        {"a": "it is off"},
    )
    assert capfd.readouterr().err == "HOST\nfedfutures: links are up\n"


@pytest.mark.parametrize(("problems", "shown"), [(True, "HOST\n"), (False, "")])
def test_a_quiet_run_shows_the_table_only_if_it_names_problems(
    problems: bool, shown: str, capfd: pytest.CaptureFixture[str]
) -> None:
    here = handle(HostTable("HOST", problems), READY, verbosity=-1)
    here.wait_ready()
    here.end()
    assert capfd.readouterr().err == shown


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(StartFailed, match="cannot start /no/such/python: "):
        HostHandle(settings_here(1), command=["/no/such/python"])


def test_a_host_process_of_this_machine_is_started_again_in_the_same_directories() -> None:
    here = HostHandle(settings_here(1))
    first = here.wait_ready()
    found: list[Heard] = []
    here.listen(found.append)
    os.kill(first["pid"], signal.SIGKILL)
    assert eventually(lambda: here.facts["pid"] != first["pid"], 30.0)
    again = here.facts
    assert {**again, "pid": 0, "mark": 0} == {**first, "pid": 0, "mark": 0}
    here.end()
    assert [frame.status for frame in found if isinstance(frame, HostEnded)] == ["signal SIGKILL"]
    assert isinstance(found[-1], HostGone)
    assert [first[key] for key in ("run", "shared", "disk") if os.path.exists(first[key])] == []


def test_a_command_of_somebody_else_is_not_started_again() -> None:
    here = handle(READY, then="raise SystemExit(3)")
    here.wait_ready()
    found: list[Heard] = []
    gone = threading.Event()

    def hear(frame: Heard) -> None:
        found.append(frame)
        if isinstance(frame, HostGone):
            gone.set()

    here.listen(hear)
    assert gone.wait(SECONDS)
    assert [type(frame) for frame in found] == [HostGone]
    here.end()


def test_what_several_threads_hear_is_taken_in_one_at_a_time() -> None:
    inside, met = threading.Lock(), []

    def heard(frame: Heard) -> None:
        met.append(inside.acquire(blocking=False))
        time.sleep(0.01)
        inside.release()

    take = one_at_a_time(heard)
    threads = [threading.Thread(target=take, args=(Notice("n"),)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert met == [True] * 5
