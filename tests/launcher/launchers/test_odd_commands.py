"""Launchers that people write or meet, and what a run makes of them: words that help, in time, and nothing left."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest
from launching import Ended, Running, eventually

PROGRAM = """
import sys, time
from fedfutures import futures

def where(number):
    time.sleep(float(sys.argv[1]))
    import fedfutures
    return fedfutures.worker.name

if __name__ == "__main__":
    print(*sorted({name.partition(".")[0] for name in futures.map(where, range(12), chunksize=1)}))
    time.sleep(float(sys.argv[2]))
"""
ODD = {
    "refuses": 'echo "usage: launch [-f] HOST"; echo "no such node: $1" >&2; exit 3',
    "silent": "exit 0",
    "hangs": "echo 'waiting for resources' >&2; sleep 600",
    "stubborn": "trap '' TERM HUP INT QUIT; while :; do sleep 600; done",
    "noisy": "exec yes noise",
    "leaves": "sleep 600 & exit 0",
    "mute": "exec >&-; sleep 600",
    "deaf": 'exec sh -c "$2" </dev/null',
    "windows": 'sh -c "$2" | sed -u "s/$/\\r/"',
    "chatty": 'yes "a warning" | head -c 200000 >&2; echo welcome; sh -c "$2"; echo bye',
    "child": 'sh -c "$2"; exit $?',
    "slow": 'sleep 2; exec sh -c "$2"',
}
"""By host, what the launcher does for it; the last three work."""
ROWS = {
    "refuses": ("launcher refused", "ended before the host was ready; it said: no such node: refuses"),
    "silent": ("launcher refused", "ended before the host was ready without a word"),
    "hangs": ("launcher silent", "nothing was heard through launch within 5 s; it said: waiting for resources"),
    "stubborn": ("launcher silent", "nothing was heard through launch within 5 s"),
    "noisy": ("no hello", "it printed more than 1 MiB"),
    "leaves": ("launcher refused", "ended before the host was ready without a word"),
    "mute": ("launcher silent", "nothing was heard through launch within 5 s"),
    "deaf": ("launcher unfit", "Python has started there, but launch ended"),
    "windows": ("launcher unfit", "Python has started there, but "),
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a program and a launcher whose ways depend on the host."""
    (tmp_path / "prog.py").write_text(PROGRAM)
    cases = "\n".join(f"{host}) {script} ;;" for host, script in ODD.items())
    launch = tmp_path / "launch"
    launch.write_text(f'#!/bin/sh\necho $$ >>"$1.pid"\ncase $1 in\n{cases}\nesac\n')
    launch.chmod(0o755)
    return tmp_path


def words_of(*hosts: str, options: tuple[str, ...] = ()) -> list[str]:
    return ["--allow-root", "--launcher", "./launch", *options, "--hosts", "localhost", *hosts]


def run(place: Path, *words: str, seconds: float = 30.0) -> Ended:
    """Run to the end; nothing is left then."""
    running = Running(words, cwd=place)
    try:
        ended = running.end(seconds=seconds)
        assert running.gone(), ended.err
        return ended
    finally:
        running.kill()


@pytest.mark.host
def test_each_oddity_is_a_row_with_words_that_help(place: Path) -> None:
    began = time.monotonic()
    ended = run(place, *words_of(*ODD, options=("--start-timeout", "5", "-n", "5")), "prog.py", "0.05", "0")
    assert ended.code == 0, ended.err
    assert time.monotonic() - began < 15.0
    for host, (state, text) in ROWS.items():
        assert re.search(rf"^{host} +0  {state} ", ended.err, re.M), ended.err
        line = rf"^{host}: .*{re.escape(text)}.*\n    (\./launch {host} |echo ok \| \./launch {host} cat)"
        assert re.search(line, ended.err, re.M), (host, ended.err)
    assert len(ended.out.split()) > 1, "hosts whose launcher is only clumsy take part"
    assert set(ended.out.split()) - {"chatty", "child", "slow"} <= {os.uname().nodename.partition(".")[0]}


@pytest.mark.host
@pytest.mark.parametrize("launcher", ["./none", "./prog.py", "'./launch"])
def test_a_launcher_that_cannot_be_started(place: Path, launcher: str) -> None:
    ended = run(place, "--allow-root", "--launcher", launcher, "--hosts", "far", "-n", "2", "prog.py", "0", "0")
    assert ended.code == 2
    if launcher.startswith("'"):
        assert 'launcher "\'./launch" cannot be split into words' in ended.err
    else:
        assert f"far: the launcher {launcher!r} cannot be started: " in ended.err


def words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def await_workers(running: Running) -> None:
    """Wait until this machine and the other host have their processes."""
    assert eventually(lambda: len(running.processes()) >= 9, 15.0), [words(pid) for pid in running.processes()]


@pytest.mark.host
def test_nothing_is_left_where_the_launching_side_of_a_job_is_killed(place: Path) -> None:
    line = [*words_of("child", options=("-n", "2")), "prog.py", "5", "0"]
    running = Running(line, cwd=place, env={"SLURM_JOB_ID": "7"})
    try:
        await_workers(running)
        connectors = [pid for pid in running.processes() if "connector.launched" in words(pid)]
        assert len(connectors) == 1
        for pid in (running.process.pid, *connectors):
            os.kill(pid, signal.SIGKILL)
        # Links go through the launcher here, so the host waits 1.5 s; on a busy machine its end takes a while, too.
        assert eventually(lambda: not running.processes(), 5.0), [words(pid) for pid in running.processes()]
    finally:
        running.kill()
        running.process.communicate(timeout=10)


@pytest.mark.host
def test_a_launcher_that_is_killed_in_the_middle_is_started_again(place: Path) -> None:
    running = Running([*words_of("child", options=("-n", "2")), "prog.py", "0.4", "0"], cwd=place)
    try:
        await_workers(running)
        os.kill(int((place / "child.pid").read_text()), signal.SIGKILL)
        ended = running.end(seconds=40.0)
        assert ended.code == 0, ended.err
        assert "child" in ended.out.split(), ended.err
        assert running.gone(), ended.err
    finally:
        running.kill()
