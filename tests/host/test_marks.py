"""The mark of a Worker's descendants: who carries it, and who is ended for it."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from launching import eventually

from fedfutures.host.marks import Mark, end_all, worker_of
from fedfutures.host.system import words_in

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of other processes")
LEAST = 1 << 50


@contextlib.contextmanager
def process(main: Callable[[], object]) -> Iterator[int]:
    """Fork a process that runs `main` and then sleeps; it is there when `main` is done."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            main()
            os.close(write)
            os.close(read)
            time.sleep(600)
        finally:
            os._exit(0)
    os.close(write)
    try:
        assert os.read(read, 1) == b""
        yield pid
    finally:
        os.close(read)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def nothing() -> None:
    """Be what a Worker runs, and do nothing."""


def test_whose_children_this_process_has_adopted() -> None:
    mark = Mark()
    mine = mark.marked(nothing)
    with process(mine) as worker, process(nothing) as other:
        soft_and_hard = resource.prlimit(worker, resource.RLIMIT_RTTIME)
        resource.prlimit(other, resource.RLIMIT_RTTIME, soft_and_hard)  # as if that one had forked it
        assert mark.adopted([worker]) == {worker: [other]}
        assert mark.adopted([other]) == {}
        assert Mark().adopted([worker]) == {}


def test_a_worker_is_marked_and_what_it_starts() -> None:
    mark, other = Mark(), Mark()
    assert mark.number != other.number
    with process(mark.marked(nothing)) as pid:
        assert worker_of(pid, mark.number) == pid
        assert worker_of(pid, other.number) == worker_of(pid, 0) == 0
    assert worker_of(pid, mark.number) == 0, "it is gone"
    assert worker_of(os.getpid(), mark.number) == 0


def test_the_mark_outlives_fork_exec_setsid_and_an_empty_environment() -> None:
    mark = Mark()
    read, write = os.pipe()

    def start() -> None:
        mark.marked(nothing)()
        child = subprocess.Popen(["/bin/sleep", "600"], env={}, start_new_session=True, close_fds=True)
        os.write(write, child.pid.to_bytes(4, "big"))

    with process(start) as worker:
        pid = int.from_bytes(os.read(read, 4), "big")
        assert worker_of(pid, mark.number) == worker
        end_all(mark.number)
        assert os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) == -signal.SIGKILL
        assert eventually(lambda: words_in(f"/proc/{pid}/stat")[2:3] in ([], ["Z"], ["X"]), 20.0)


def test_only_what_descends_from_workers_that_are_gone_is_ended() -> None:
    mark = Mark()
    with process(mark.marked(nothing)) as gone, process(mark.marked(nothing)) as living, process(nothing) as stranger:
        mark.end_orphans([gone, living])
        assert [os.waitpid(pid, os.WNOHANG)[0] for pid in (gone, living, stranger)] == [0, 0, 0]
        mark.end_orphans([living])  # this stands for an orphan of a Worker with this pid, which is gone
        assert os.waitstatus_to_exitcode(os.waitpid(gone, 0)[1]) == -signal.SIGKILL
        assert [os.waitpid(pid, os.WNOHANG)[0] for pid in (living, stranger)] == [0, 0]


def test_inside_of_a_worker_another_run_has_a_mark_of_its_own() -> None:
    outer = Mark()

    def nest() -> None:
        outer.marked(nothing)()
        inner = Mark()
        inner.marked(nothing)()
        right = inner.number < outer.number and worker_of(os.getpid(), inner.number) == os.getpid()
        if not right:
            os._exit(1)

    with process(nest) as pid:
        assert os.waitpid(pid, os.WNOHANG)[0] == 0, "it has found a mistake"


def test_without_room_for_a_mark_there_is_none() -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_RTTIME, (LEAST - 1, LEAST - 1))
        mark = Mark()
        mark.marked(nothing)()
        if mark.number or worker_of(os.getpid(), mark.number):
            os._exit(1)

    with process(limit) as pid:
        assert os.waitpid(pid, os.WNOHANG)[0] == 0, "it has found a mistake"
    end_all(0)
