"""Signals to one process of a run, or to all at once: who ends, who goes on, and what is left (docs/faults.rst).

Slurm, systemd and containers end a job by a signal to all of its processes; an administrator sends one to a single one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from launching import Running, eventually, write

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are told apart by /proc"),
]

ENDING = [signal.SIGTERM, signal.SIGHUP]
PROGRAM = """
    import atexit, os, signal, sys, time
    from fedfutures import futures
    from fedfutures.worker import current

    def work(number):
        time.sleep({seconds})
        return number

    def on_signal(number, frame):
        {handler}

    if __name__ == "__main__":
        {install}
        atexit.register(print, "atexit", flush=True)
        todo = [futures.submit(work, number) for number in range({count})]
        todo[0].result()
        print(*(origin.payloads.segments.path for origin in current.origins), flush=True)
        print(sum(future.result() for future in todo) == sum(range({count})), flush=True)
"""
INSTALL = "for number in (signal.SIGTERM, signal.SIGHUP): signal.signal(number, on_signal)"


class Job:
    """A launched program that has begun; its private directories are where the test can look for them."""

    def __init__(
        self, directory: Path, *options: str, handler: str = "pass", install: str = "", seconds: float = 0.15,
        count: int = 16,
    ) -> None:  # fmt: skip
        text = PROGRAM.format(handler=handler, install=install, seconds=seconds, count=count)
        write(directory / "prog.py", text)
        self.temporary = directory / "tmp"
        self.temporary.mkdir()
        environment = {"TMPDIR": str(self.temporary), "XDG_RUNTIME_DIR": ""}
        self.running = Running([*options, "-n", "2", "prog.py"], cwd=directory, env=environment)
        assert self.running.process.stdout is not None
        line = b""
        while not line.endswith(b"\n") and (byte := os.read(self.running.process.stdout.fileno(), 1)):
            line += byte  # one by one: communicate() is to find the rest
        self.shared = Path(os.fsdecode(line.strip() or b"nowhere"))
        assert self.shared.is_dir(), self.running.end(seconds=5)

    def named(self, mark: str) -> list[int]:
        """Return the pids of its processes whose name begins like this; of the Origin: "python"."""
        found = []
        for pid in self.running.processes():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().startswith(mark):
                    found.append(pid)
        return sorted(found)

    def one(self, kind: str) -> int:
        """Return the pid of a process of a kind."""
        origin, brokers, all_ours = self.running.process.pid, self.named("fedfut-broker"), self.named("fedfut-")
        if kind == "origin":
            return origin
        if kind == "broker":
            return brokers[0]
        if kind == "worker":
            return next(pid for pid in all_ours if pid not in brokers)
        return next(pid for pid in self.running.processes() if _parent(pid) == origin)

    def is_clean(self) -> bool:
        """Whether no process and no file is left, within two seconds."""
        return self.running.gone() and eventually(
            lambda: not self.shared.exists() and not list(self.temporary.glob("fedfutures-*")), 2.0
        )


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@contextlib.contextmanager
def job(*words: object, **more: object) -> Iterator[Job]:
    """Run a program; whatever the test finds, nothing stays."""
    here = Job(*words, **more)  # type: ignore[arg-type]
    try:
        yield here
    finally:
        here.running.kill()


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("kind", ["host", "broker"])
def test_a_process_that_the_program_needs_goes_on(kind: str, number: int, tmp_path: Path) -> None:
    with job(tmp_path, seconds=0.2) as here:
        pid = here.one(kind)
        os.kill(pid, number)
        assert not eventually(lambda: not os.path.exists(f"/proc/{pid}"), 0.2)
        ended = here.running.end()
        assert (ended.code, ended.out.splitlines()) == (0, ["True", "atexit"]), ended.err
        assert ("the host process of" in ended.err and "end the program" in ended.err) == (kind == "host")
        assert "Traceback" not in ended.err
        assert here.is_clean()


@pytest.mark.parametrize(
    ("number", "to_all"), [(signal.SIGKILL, False), *((number, all_of_it) for number in ENDING for all_of_it in (0, 1))]
)
def test_the_run_ends_with_the_program(number: int, to_all: bool, tmp_path: Path) -> None:
    with job(tmp_path, seconds=0.3, count=200) as here:
        send(here, number, to_all=to_all)
        ended = here.running.end(seconds=10)
        assert (ended.code, ended.out, ended.err) == (-number, "", "")
        assert here.is_clean()


@pytest.mark.parametrize("number", ENDING)
def test_the_handler_of_the_program_answers_a_signal_to_all(number: int, tmp_path: Path) -> None:
    with job(tmp_path, handler="sys.exit(7)", install=INSTALL, seconds=0.3, count=200) as here:
        send(here, number, to_all=True)
        ended = here.running.end(seconds=10)
        assert (ended.code, ended.out.splitlines()) == (7, ["atexit"]), ended.err
        assert [line.partition(":")[0] for line in ended.err.splitlines()] == ["fedfutures"], ended.err
        assert "exited with code 7" in ended.err
        assert here.is_clean()


@pytest.mark.parametrize("number", ENDING)
def test_a_program_that_goes_on_after_a_signal_to_all_loses_nothing(number: int, tmp_path: Path) -> None:
    noted = r"os.write(1, b'noted\n')"  # print() may not be called while the program is in it
    with job(tmp_path, handler=noted, install=INSTALL) as here:
        send(here, number, to_all=True)
        ended = here.running.end()
        assert (ended.code, sorted(ended.out.splitlines())) == (0, ["True", "atexit", "noted"]), ended.err
        assert "Traceback" not in ended.err
        assert here.is_clean()


def send(here: Job, number: int, *, to_all: bool) -> None:
    """Send a signal to the program, or to all processes, those that were forked last first."""
    for pid in sorted(here.running.processes(), reverse=True) if to_all else [here.running.process.pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def test_ignored_from_the_start_is_ignored_everywhere(tmp_path: Path) -> None:
    """As under ``nohup``, and in a script that traps SIGTERM."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING}
    try:
        with job(tmp_path) as here:
            for number in ENDING:
                send(here, number, to_all=True)
            ended = here.running.end()
            assert (ended.code, ended.out.splitlines(), ended.err) == (0, ["True", "atexit"], "")
            assert here.is_clean()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.fault("B2")
def test_the_kernel_takes_workers_before_all_others(tmp_path: Path) -> None:
    with job(tmp_path) as here:
        scores = {kind: int(Path(f"/proc/{here.one(kind)}/oom_score_adj").read_text()) for kind in (
            "origin", "host", "broker", "worker",
        )}  # fmt: skip
        here.running.end()
    assert scores["worker"] == min(1000, scores["origin"] + 500)
    assert scores["broker"] == scores["host"] <= scores["origin"]
