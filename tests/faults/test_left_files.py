"""What a run leaves in private directories when its processes are killed, and who removes that. Real signals."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import tasks
from launching import eventually
from started import overheard

import fedfutures
from fedfutures import Executor
from fedfutures.host.handle import HostHandle, command_here
from fedfutures.host.here import settings_here
from fedfutures.host.settings import frame_of
from fedfutures.wire.control import EndRun, HostReady
from fedfutures.wire.framing import FrameReader, pack
from fedfutures.wire.names import is_segment

pytestmark = pytest.mark.host
SECONDS = 20.0
PROGRAM = """
import numpy, sys
from fedfutures import Executor

executor = Executor(max_workers=2).bootup()
arrays = [executor.submit(numpy.zeros, 1 << 18) for _ in range(4)]
print(*executor._federation._handle._directories(), executor.submit(__import__("os").getppid).result(), flush=True)
sys.stdin.read()
"""


class LoneHost:
    """A host process whose launching side holds none of its directories, as on another machine."""

    def __init__(self, brokers: int) -> None:
        settings = settings_here(2, brokers=brokers)
        self.process = subprocess.Popen(
            command_here(settings), stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, bufsize=0
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(pack(frame_of(settings)))
        reader = FrameReader()
        while not (frames := reader.feed(os.read(self.process.stdout.fileno(), 1 << 16))):
            pass
        ready = frames[0]
        assert isinstance(ready, HostReady)
        self.directories = [ready.run, ready.shared, ready.disk]

    def is_gone(self) -> bool:
        return not any(map(os.path.exists, self.directories))

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.wait(SECONDS)


@pytest.fixture(params=[1, 2])
def host(request: pytest.FixtureRequest) -> Iterator[LoneHost]:
    here = LoneHost(request.param)
    yield here
    here.close()


def test_brokers_remove_what_a_killed_host_process_leaves(host: LoneHost) -> None:
    assert all(map(os.path.exists, host.directories))
    Path(host.directories[1], "h.1-7").write_bytes(b"x" * 4096)
    host.process.kill()
    assert eventually(host.is_gone, SECONDS)


def test_a_host_process_that_ends_removes_its_directories(host: LoneHost) -> None:
    assert host.process.stdin is not None
    host.process.stdin.write(pack(EndRun()))
    host.process.wait(SECONDS)
    assert host.is_gone()


def test_the_directories_are_gone_before_the_last_process_is(host: LoneHost) -> None:
    """A batch system kills what is left of a run as soon as its program has ended: then nobody removes anything."""
    assert host.process.stdin is not None
    assert eventually(lambda: _workers(host.process.pid), SECONDS)
    os.kill(_workers(host.process.pid)[0], signal.SIGSTOP)  # so the host process waits for it
    host.process.stdin.write(pack(EndRun()))
    assert eventually(host.is_gone, SECONDS)
    assert host.process.poll() is None
    host.process.wait(SECONDS)
    assert host.is_gone()


@pytest.mark.parametrize("job", [{"JOB_ID": "71", "SGE_ROOT": "/sge"}, {"PBS_JOBID": "71.server"}])
def test_in_a_batch_job_all_is_in_the_directory_that_the_batch_system_removes(
    job: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(tempfile.mkdtemp(prefix="71.1.all.q-"))  # short: a path of pytest's would not do for sockets
    try:
        for name, value in {**job, "TMPDIR": str(place)}.items():
            monkeypatch.setenv(name, value)
        host = LoneHost(1)
        assert {os.path.dirname(directory) for directory in host.directories} == {str(place)}
        host.close()
        assert os.listdir(place) == []
    finally:
        shutil.rmtree(place)


def test_on_the_programs_machine_they_stay_until_the_program_closes() -> None:
    executor, handle = overheard()
    with executor:
        directories = [Path(handle.facts[key]) for key in ("run", "shared", "disk")]
        assert executor.submit(tasks.square, 3).result(SECONDS) == 9  # so the Broker is what it will be
        broker = next(pid for pid in _below(handle.facts["pid"]) if _name(pid) == "fedfut-broker")
        os.kill(handle.facts["pid"], signal.SIGKILL)
        assert eventually(lambda: _name(broker) == "", SECONDS)
        assert all(path.exists() for path in directories)
    assert not any(path.exists() for path in directories)


def test_the_next_start_removes_what_a_run_leaves_that_was_killed_as_a_whole() -> None:
    with Executor(max_workers=1) as living:
        assert living.submit(tasks.square, 3).result(SECONDS) == 9
        origin = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert origin.stdin is not None
        assert origin.stdout is not None
        *directories, host = origin.stdout.readline().split()
        everybody = [origin.pid, int(host), *_below(int(host))]
        for signalled in (signal.SIGSTOP, signal.SIGKILL):  # nobody sees another one end
            for pid in everybody:
                os.kill(pid, signalled)
        origin.wait(SECONDS)
        origin.stdin.close()
        origin.stdout.close()
        assert eventually(lambda: not any(map(_name, everybody)), SECONDS)
        assert len(directories) == 3  # nobody of that run can remove them; any start on this machine may, and does
        with Executor(max_workers=1) as following:
            assert following.submit(tasks.square, 2).result(SECONDS) == 4
            assert eventually(lambda: not any(map(os.path.exists, directories)), SECONDS)
        assert living.submit(tasks.square, 4).result(SECONDS) == 16


@pytest.mark.parametrize("how", ["result", "late"])
def test_a_worker_that_is_killed_leaves_no_values(how: str, tmp_path: Path) -> None:
    """Neither what it wrote for Futures of its own, nor what it got of them, nor what comes too late for it."""
    executor, handle = overheard(max_workers=3)
    with executor:
        path = tmp_path / "was-here"
        assert executor.submit(tasks.die_with_large, how, str(path)).result(SECONDS) == 7
        assert path.exists(), "nobody was killed"
        assert eventually(lambda: _values(handle) == [], SECONDS)
        reports = [report for report in fedfutures.statistics().values() if report and "segments" in report]
        assert [(report["segments"], report["segment_bytes"]) for report in reports] == [(0, 0)]
        assert executor.submit(tasks.large, 5, 0.0).result(SECONDS)[0] == 5


def test_results_of_workers_that_are_killed_arrive_or_come_again() -> None:
    chance = Random(1)
    executor, handle = overheard(max_workers=3)
    with executor:
        assert executor.submit(tasks.large, 2, 0.0).result(SECONDS)[0] == 2
        for _ in range(6):
            values = [executor.submit(tasks.large, i, chance.uniform(0, 0.02)) for i in range(10)]
            time.sleep(chance.uniform(0.0, 0.1))
            for pid in _below(handle.facts["pid"])[1:2]:
                os.kill(pid, signal.SIGKILL)
            assert [int(value.result(SECONDS)[0]) for value in values] == [*range(10)]
            del values
        assert eventually(lambda: _values(handle) == [], SECONDS)


def _values(handle: HostHandle) -> list[str]:
    """Return the files of a run that are not free for whoever writes next."""
    gc.collect()
    return [name for name in os.listdir(handle.facts["shared"]) if is_segment(name)]


def _below(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _workers(host: int) -> list[int]:
    return [pid for pid in _below(host) if _name(pid).startswith("fedfut-") and _name(pid) != "fedfut-broker"]


def _name(pid: int) -> str:
    """Return the name of a process that runs, "" of one that has ended."""
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    except OSError:
        return ""
    return "" if rest.split()[0] in "ZX" else name
