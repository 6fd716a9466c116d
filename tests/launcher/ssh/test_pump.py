"""The pump between the pipes of a session and a channel; the channel here is a pipe, a list and a window."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from fedfutures_launcher.ssh.pump import ChannelPump
from fedfutures_launcher.ssh.session import LoginTarget, Session

SECONDS = 5.0


class Channel:
    """As much of paramiko's channel as the pump uses; the test is the remote command."""

    def __init__(self) -> None:
        self.eof_received = self.closed = self.input_ended = False
        self.exit_status = -1
        self.status_event = threading.Event()
        self.output, self.errors = bytearray(), bytearray()
        self.sent, self.window = bytearray(), 1 << 30
        self.breaks = False
        self._ready, self._speaker = os.pipe()

    def fileno(self) -> int:
        return self._ready

    def say(self, data: bytes) -> None:
        """The command writes to its standard output."""
        self.output += data
        os.write(self._speaker, b"x")

    def end(self, status: int = -1) -> None:
        """The command ends."""
        self.exit_status, self.eof_received = status, True
        self.status_event.set()
        os.write(self._speaker, b"x")

    def close(self) -> None:
        os.close(self._ready)
        os.close(self._speaker)

    def recv_ready(self) -> bool:
        return bool(self.output)

    def recv(self, count: int) -> bytes:
        data = bytes(self.output[:count])
        del self.output[:count]
        return data

    def recv_stderr_ready(self) -> bool:
        return bool(self.errors)

    def recv_stderr(self, count: int) -> bytes:
        data = bytes(self.errors[:count])
        del self.errors[:count]
        return data

    def send_ready(self) -> bool:
        return self.breaks or self.window > 0

    def send(self, data: bytes) -> int:
        if self.breaks:
            raise OSError("Socket is closed")
        data = data[: self.window]
        self.sent += data
        self.window -= len(data)
        return len(data)

    def shutdown_write(self) -> None:
        self.input_ended = True


class Run:
    """A pump that runs in the thread of its session."""

    def __init__(self) -> None:
        self.channel, self.session = Channel(), Session(LoginTarget("vm", "vm"))
        self.statuses: list[int | None] = []

    def begin(self) -> None:
        self.session.begin(self._serve)

    def _serve(self, session: Session) -> None:
        pump = ChannelPump(session, self.channel)
        pump.run()
        self.statuses.append(pump.status)

    def wait(self) -> None:
        """Wait until the pump has returned."""
        self.session.join(time.monotonic() + SECONDS)
        assert self.statuses, "the pump goes on"

    def read_all(self, descriptor: int) -> bytes:
        found, deadline = b"", time.monotonic() + SECONDS
        os.set_blocking(descriptor, True)
        while data := os.read(descriptor, 1 << 16):
            found += data
            assert time.monotonic() < deadline
        return found

    def sends(self, count: int) -> bool:
        """Whether so many bytes of input have arrived before long."""
        deadline = time.monotonic() + SECONDS
        while len(self.channel.sent) < count and time.monotonic() < deadline:
            time.sleep(0.005)
        return len(self.channel.sent) == count


@pytest.fixture
def run() -> Iterator[Run]:
    made = Run()
    yield made
    made.session.close()
    made.session.join(time.monotonic() + SECONDS)
    made.channel.close()


def test_output_and_errors_are_passed_on_whole_though_the_pipes_are_small(run: Run) -> None:
    data = os.urandom(3 << 20)
    run.channel.output += data
    run.channel.errors += b"oops"
    run.channel.end(7)
    run.begin()
    assert run.read_all(run.session.read_fd) == data
    assert run.read_all(run.session.error_fd) == b"oops"
    run.wait()
    assert run.statuses == [7]


def test_a_command_whose_end_nobody_knows_has_no_status(run: Run) -> None:
    run.channel.closed = True
    run.channel.status_event.set()
    run.begin()
    run.wait()
    assert run.statuses == [None]


def test_input_waits_for_the_remote_window_and_its_end_is_passed_on(run: Run) -> None:
    data = os.urandom(100_000)
    run.channel.window = 40_000
    os.write(run.session.write_fd, data)
    run.session.close_input()
    run.begin()
    assert run.sends(40_000)
    assert not run.channel.input_ended
    run.channel.window = 60_000
    assert run.sends(100_000)
    run.channel.end(0)
    run.wait()
    assert (bytes(run.channel.sent), run.channel.input_ended) == (data, True)


def test_output_that_comes_later_wakes_the_pump(run: Run) -> None:
    run.begin()
    run.channel.say(b"late")
    os.set_blocking(run.session.read_fd, True)
    assert os.read(run.session.read_fd, 100) == b"late"
    run.channel.end(0)
    run.wait()


def test_what_was_received_is_passed_on_where_nothing_can_be_sent_any_more(run: Run) -> None:
    run.channel.breaks = True
    os.write(run.session.write_fd, b"input")
    run.channel.output += b"the last words"
    run.channel.end(1)
    run.begin()
    assert run.read_all(run.session.read_fd) == b"the last words"
    run.wait()
    assert run.statuses == [1]


def test_the_pump_ends_where_nobody_reads_though_the_command_runs(run: Run) -> None:
    run.begin()
    run.session.close()
    run.wait()
    assert not run.channel.eof_received
