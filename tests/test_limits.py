"""Which limit an error has met, in words."""

from __future__ import annotations

import errno
import os
import resource

import pytest

from fedfutures import limits


def error(code: int, path: str | None = None) -> OSError:
    """Return the error that the system raises with this number."""
    return OSError(code, os.strerror(code)) if path is None else OSError(code, os.strerror(code), path)


def test_the_limit_of_open_files_is_said_with_its_figure_and_a_command() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    text = limits.reached(error(errno.EMFILE))
    assert text is not None
    assert f"{soft:,} open files" in text
    assert "ulimit -" in text


class OfZeroMQ(Exception):
    """Has a number as an OSError has."""

    errno = errno.EMFILE


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (OfZeroMQ(), "RLIMIT_NOFILE"),
        (error(errno.ENFILE), "fs.file-max"),
        (error(errno.EAGAIN), "processes"),
        (RuntimeError("can't start new thread"), "threads"),
        (error(errno.ENOSPC, "/dev/null/x"), "df -h /dev/null"),
        (error(errno.EDQUOT, "/home/u/x"), "quota on the file system of /home/u"),
        (error(errno.ENOMEM), "memory"),
        (MemoryError(), "memory"),
    ],
)
def test_each_limit_has_its_words(raised: Exception, words: str) -> None:
    text = limits.reached(raised)
    assert text is not None
    assert words in text


@pytest.mark.parametrize("other", [ValueError("7"), error(errno.ENOENT), error(errno.EPIPE), RuntimeError("no")])
def test_other_errors_meet_no_limit(other: Exception) -> None:
    assert limits.reached(other) is None


def test_there_is_room_here_and_nothing_is_left_open() -> None:
    before = os.listdir("/proc/self/fd")
    limits.check_room()
    assert os.listdir("/proc/self/fd") == before
