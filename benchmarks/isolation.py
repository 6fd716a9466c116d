"""One sample in a fresh process: in a session of its own, bounded in time, and ended with all it started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from benchmarks import processes
from benchmarks.model import Contestant, Metrics

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent
RESULT_MARK = "benchmark result: "
FAREWELL_SECONDS = 2.0
"""How long processes may outlive the Origin: the product's own promise."""


class SampleFailed(Exception):
    """A sample crashed, hung, gave no result or left processes behind; the text says which."""


def report(metrics: Metrics) -> None:
    """Hand the result of a sample to the harness; the last thing a measuring process does."""
    print(RESULT_MARK + json.dumps(dict(metrics)), flush=True)


def launch_command(program: str, workers: int, *arguments: object) -> list[str]:
    """The command that launches a file of ``programs/`` under fedfutures."""
    path = PACKAGE / "programs" / program
    return [sys.executable, "-m", "fedfutures", "-n", str(workers), str(path), *map(str, arguments)]


def environment(root: Path = ROOT) -> dict[str, str]:
    """The environment of a sample: this one, with the repository at `root` importable from any program."""
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def run_sample(figure: str, name: str, contestant: Contestant, quick: bool, root: Path = ROOT) -> Metrics:
    """Run one sample of `contestant` and return what it measured, or raise `SampleFailed`.

    `root` is where the packages are imported from.
    """
    if contestant.program:
        command = launch_command(contestant.program, contestant.workers, *contestant.arguments)
    else:
        command = [sys.executable, "-m", "benchmarks.child", figure, name, *(["--quick"] if quick else [])]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        # Files, not pipes: an orphan that holds a pipe open would make us wait for it.
        process = subprocess.Popen(
            command,
            cwd=root,
            env=environment(root),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        try:
            process.wait(contestant.timeout_seconds)
        except subprocess.TimeoutExpired:
            raise SampleFailed(f"hung, ended after {contestant.timeout_seconds:g} s") from None
        finally:
            if process.poll() is None:
                end_session(process)
        if process.returncode:
            end_session(process)
            raise SampleFailed(f"crashed, {_exit_text(process.returncode)}: {_last_line(errors)}")
        _await_farewell(process)
        return _result(output)


def end_session(process: subprocess.Popen[bytes]) -> None:
    """Kill the process, all below it and all of its session."""
    pids = {found.pid for found in processes.tree(process.pid)} | set(processes.session(process.pid))
    for kill, pid in [(os.killpg, process.pid), *((os.kill, pid) for pid in pids)]:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
    process.wait()


def _await_farewell(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + FAREWELL_SECONDS
    while left := processes.session(process.pid):
        if time.monotonic() > deadline:
            end_session(process)
            raise SampleFailed(f"left {len(left)} processes behind for {FAREWELL_SECONDS:g} s")
        time.sleep(0.01)


def _result(output: IO[str]) -> Metrics:
    output.seek(0)
    for line in output:
        if line.startswith(RESULT_MARK):
            metrics: Metrics = json.loads(line[len(RESULT_MARK) :])
            return metrics
    raise SampleFailed("ended without a result")


def _exit_text(code: int) -> str:
    return f"exit code {code}" if code > 0 else signal.Signals(-code).name


def _last_line(errors: IO[str]) -> str:
    errors.seek(0)
    lines = [line.strip() for line in errors if line.strip()]
    # Recorded in results.rst, where no place of this machine belongs.
    return lines[-1].replace(str(ROOT), ".").replace(sys.executable, "python")[:160] if lines else "silently"
