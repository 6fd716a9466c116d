"""Programs run as processes of their own: under plain ``python`` and under ``python -m fedfutures``."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TAG = "FEDFUTURES_TEST_RUN"
LIMIT_SECONDS = 60.0
GONE_WITHIN_SECONDS = 2.0
LAST_LINE = re.compile(r"^fedfutures: [\d,]+ Futures? in .*\n", re.MULTILINE)
ASKED_FOR = ("-v", "--stats")
CHAIN = """
    import time
    from fedfutures import futures

    def nap(left):
        time.sleep(0.2)
        return left

    def go_on(future):
        if future.result():
            futures.submit(nap, future.result() - 1).add_done_callback(go_on)
        else:
            print("done", flush=True)

    if __name__ == "__main__":
        futures.submit(nap, 40).add_done_callback(go_on)
"""
"""A program whose 41 Futures are submitted by callbacks, each by that of the one before, while the program ends."""
UNSET = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONPATH", "PYTHONUNBUFFERED", TAG)


@dataclass
class Ended:
    """How a program ended. `err` is without the last line of a run of over ten seconds, if nothing asks for it.

    So a test that compares what a short program says holds on a machine that is so busy that it takes long.
    """

    code: int
    out: str
    err: str


class Running:
    """A program that runs; every process below it bears a tag in its environment, by which it is found."""

    def __init__(
        self, arguments: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None,
        stdin: int | None = subprocess.DEVNULL, fedfutures: bool = True, flags: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.tag = uuid.uuid4().hex
        environment = {name: value for name, value in os.environ.items() if name not in UNSET}
        environment |= {TAG: self.tag, **(env or {})}
        self._wants_last_line = any(argument.startswith(ASKED_FOR) for argument in arguments)
        command = [sys.executable, *flags, *(("-m", "fedfutures") if fedfutures else ()), *arguments]
        self.process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip

    def end(self, text: str | None = None, seconds: float = LIMIT_SECONDS) -> Ended:
        """Wait for the end; what is still there when time is over is killed, and the test fails."""
        try:
            out, err = self.process.communicate(text, timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            out, err = self.process.communicate(timeout=10)
            raise AssertionError(f"still running after {seconds} s\n--- out\n{out}\n--- err\n{err}") from None
        return Ended(self.process.returncode, out, err if self._wants_last_line else LAST_LINE.sub("", err))

    def kill(self) -> None:
        """Kill all processes of the program."""
        for pid in self.processes():
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass

    def processes(self) -> list[int]:
        """Return the pids of those that live."""
        mark = f"{TAG}={self.tag}".encode()
        found = []
        for place in Path("/proc").iterdir():
            if not place.name.isdigit():
                continue
            try:
                if mark in (place / "environ").read_bytes() and (place / "cmdline").read_bytes():
                    found.append(int(place.name))
            except OSError:
                pass  # ended meanwhile
        return found

    def gone(self) -> bool:
        """Whether no process is left, within two seconds."""
        return eventually(lambda: not self.processes(), GONE_WITHIN_SECONDS)


def free_port() -> int:
    """Return a port of 127.0.0.1 at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition holds; return whether it did in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def python(*arguments: str, cwd: Path | None = None, stdin: str | None = None, **more: object) -> Ended:
    """Run plain ``python``."""
    return _run(arguments, cwd, stdin, False, **more)


def launch(*arguments: str, cwd: Path | None = None, stdin: str | None = None, **more: object) -> Ended:
    """Run ``python -m fedfutures``, and see that it leaves no process."""
    return _run(arguments, cwd, stdin, True, **more)


def _run(
    arguments: Sequence[str], cwd: Path | None, stdin: str | None, fedfutures: bool, seconds: float = LIMIT_SECONDS,
    **more: object,
) -> Ended:  # fmt: skip
    source = subprocess.DEVNULL if stdin is None else subprocess.PIPE
    running = Running(arguments, cwd=cwd, stdin=source, fedfutures=fedfutures, **more)  # type: ignore[arg-type]
    ended = running.end(stdin, seconds)
    assert running.gone(), f"left: {running.processes()}"
    return ended


def write(path: Path, text: str) -> Path:
    """Write a program, indented in its test as its test is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path
