"""A fork that is to be as if the program had started it."""

from __future__ import annotations

import os
import signal

from fedfutures.standing.forking import fork_host
from fedfutures.standing.identity import OURS
from fedfutures.wire.control import StartHost


def outcome(start: StartHost, *more: int) -> tuple[int, str]:
    """Return the exit code of a forked process, and what it has printed."""
    read, write = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)

    def begin() -> None:
        opened = [number for number in range(64) if is_open(number)]
        os.write(1, f"{opened} {os.getsid(0) == os.getpid()} {signal.getsignal(signal.SIGTERM)} {os.environ}".encode())
        raise SystemExit(7)

    pid = fork_host(start, [null, write, null, *more], begin)
    os.close(write)
    os.close(null)
    with open(read) as file:
        text = file.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def test_it_has_its_own_streams_session_and_environment_and_nothing_else() -> None:
    code, text = outcome(StartHost(OURS, {}, {"A": "b"}, "/", 0o22))
    assert code == 7
    assert text == "[0, 1, 2] True 0 environ({'A': 'b'})"


def test_descriptors_keep_their_numbers_however_these_overlap() -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    code, text = outcome(StartHost(OURS, {}, {}, "/", 0o22, [5, 3]), null, null)
    os.close(null)
    assert (code, text.partition("]")[0]) == (7, "[0, 1, 2, 3, 5")


def test_a_directory_that_is_gone_and_a_command_that_is_missing() -> None:
    assert outcome(StartHost(OURS, {}, {}, "/nowhere", 0o22))[0] == 7
    assert outcome(StartHost({}, {"0": "/nowhere/python"}, {}, "/", 0o22)) == (1, "")
