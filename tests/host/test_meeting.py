"""How a host comes: the descriptors of a real process are joined, or stay. The other end: tests/launcher/launchers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import machines

from fedfutures.host.secure_line import SecureLine
from fedfutures_launcher.launchers.meeting import Meeting

PROGRAM = """
import os, sys
from fedfutures.host.meeting import come
came = come(sys.argv[1])
loaded = "ssl" in sys.modules
os.write(1, f"{came} {loaded} {os.getpid()}".encode())
sys.stdin.buffer.read()
"""
SECONDS = 10.0


def start(path: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.fixture
def meeting(tmp_path: Path) -> Iterator[Meeting]:
    with Meeting(str(tmp_path / "meeting")) as made:
        yield made


def come(meeting: Meeting) -> SecureLine:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        line, _ = meeting.wait(0.1)
        if line is not None:
            return line
    raise AssertionError(f"nobody has come: {meeting.words()!r}")


def pump_of(process: subprocess.Popen[bytes]) -> int:
    """Return the pid of what passes its bytes on: it is in the same session, and no child of it."""
    found = [
        int(name) for name in os.listdir("/proc")
        if name.isdigit() and machines.name_of(int(name)) == "fedfut-meeting" and has_words_of(int(name), process)
    ]  # fmt: skip
    assert len(found) == 1
    assert found[0] not in machines.children(process.pid)
    return found[0]


def has_words_of(pid: int, process: subprocess.Popen[bytes]) -> bool:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[3:4] == [str(process.args[3]).encode()]  # type: ignore[index]


def test_the_descriptors_are_joined_by_a_process_that_ends_with_this_one(meeting: Meeting) -> None:
    process = start(str(meeting.path))
    line, said = come(meeting), b""
    deadline = time.monotonic() + SECONDS
    while not said and time.monotonic() < deadline:
        said = line.receive()
    assert said[4:] == b"True False %d" % process.pid, "and TLS is not loaded in this process"
    pump = pump_of(process)
    process.kill()
    process.wait()
    line.close()
    machines.wait_until(lambda: not machines.name_of(pump), "its end")
    assert process.communicate() == (b"", b"")


def test_the_end_of_the_connection_is_that_of_the_input(meeting: Meeting) -> None:
    process = start(str(meeting.path))
    line = come(meeting)
    machines.wait_until(line.receive, "what it says")  # else it writes to nobody
    line.close()
    assert process.wait(SECONDS) == 0
    assert process.communicate() == (b"", b"")


@pytest.mark.parametrize("signal", ["TERM", "INT", "HUP", "QUIT"])
def test_signals_for_the_whole_group_leave_the_way_open(meeting: Meeting, signal: str) -> None:
    process = start(str(meeting.path))
    line = come(meeting)
    machines.wait_until(line.receive, "what it says")
    pump = pump_of(process)
    subprocess.run(["kill", f"-{signal}", str(pump)], check=True)
    time.sleep(0.05)
    assert machines.name_of(pump) == "fedfut-meeting"
    line.close()
    process.communicate(timeout=SECONDS)


def test_without_a_file_nothing_changes(tmp_path: Path) -> None:
    process = start(str(tmp_path / "none"))
    out, errors = process.communicate(timeout=SECONDS)
    assert (out, errors) == (b"False False %d" % process.pid, b"")


def test_who_cannot_connect_says_why_in_the_file(meeting: Meeting) -> None:
    text = meeting.path.read_text()
    port = text.partition('"port": ')[2].partition(",")[0]
    meeting.path.write_text(text.replace(f'"port": {port}', '"port": 1'))
    process = start(str(meeting.path))
    out, errors = process.communicate(timeout=SECONDS)
    assert (out, errors) == (b"False False %d" % process.pid, b"")
    assert f"{os.uname().nodename} could not connect: ".encode() in meeting.words()
    assert b": Connection refused" in meeting.words()
