"""A forked process lets go of what the program has, and of nothing that is gone; the program keeps it."""

from __future__ import annotations

import os

import pytest

from fedfutures.host.inherited import close_in_children

pytestmark = pytest.mark.host


class Pipe:
    """Both ends of a pipe."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()

    def let_go(self) -> None:
        os.close(self.write)


def test_the_end_of_the_program_is_seen_though_a_forked_process_lives() -> None:
    gone, pipe, until = Pipe(), Pipe(), Pipe()
    close_in_children(gone)
    close_in_children(pipe)
    kept = gone.write
    del gone
    child = os.fork()
    if child == 0:
        os.fstat(kept)  # nobody has its owner any more, so it was left alone
        os.close(until.write)
        os._exit(len(os.read(until.read, 1)))
    os.write(pipe.write, b"!")
    os.close(pipe.write)
    assert os.read(pipe.read, 2) == b"!"
    assert os.read(pipe.read, 2) == b"", "the child, which lives, does not hold it"
    os.close(until.write)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for descriptor in (pipe.read, until.read, kept):
        os.close(descriptor)
