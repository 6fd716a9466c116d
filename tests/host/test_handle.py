"""The launching side's end of a host process: how one that does not start is named."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import pytest

from fedfutures.errors import StartFailed
from fedfutures.host.handle import HostGone, HostHandle
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
        ([b"\0\0\0\1\xc1"], r"what it says makes no sense \(not msgpack"),
        ([b"Welcome to this machine!"], "what it says makes no sense"),
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
