"""An Executor whose host process is killed, and the Futures that live through that."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from launching import eventually

from fedfutures import Executor, shared
from fedfutures.host.handle import HostEnded, HostHandle
from fedfutures.wire.control import HostReady
from fedfutures.worker import current

SECONDS = 60.0


class Lives:
    """An Executor with `workers` Workers that has begun; `pids` are of all its host processes."""

    def __init__(self, workers: int, **options: Any) -> None:
        self.ends: list[HostEnded] = []
        self.kills = self.ready = 0
        handles: list[HostHandle] = []
        listen = HostHandle.listen

        def listening(handle: HostHandle, on_frame: Any) -> None:
            def both(frame: Any) -> None:
                self._hear(frame)
                on_frame(frame)

            handles.append(handle)
            listen(handle, both)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(HostHandle, "listen", listening)
            self.executor = Executor(workers, **options).bootup()
        self._handle = handles[0]
        self.directories = [self._handle.facts[key] for key in ("run", "shared", "disk")]
        self.pids = [self.pid]
        assert self.serves()

    def _hear(self, frame: Any) -> None:
        if isinstance(frame, HostEnded):
            self.ends.append(frame)
        elif isinstance(frame, HostReady):
            self.pids.append(frame.pid)
            self.ready += 1

    @property
    def pid(self) -> int:
        """The pid of the host process that lives."""
        found: int = self._handle.facts["pid"]
        return found

    def kill(self) -> None:
        """Kill it."""
        self.kills += 1
        os.kill(self.pid, signal.SIGKILL)

    def is_ready_again(self, seconds: float) -> bool:
        """Whether there is one again, after each kill so far."""
        return eventually(lambda: self.ready == self.kills, seconds)

    def children(self, mark: str) -> list[int]:
        """Return the pids of its children whose names have a mark."""
        return [child for child in children_of(self.pid) if mark in Path(f"/proc/{child}/comm").read_text()]

    def segments(self) -> list[str]:
        """Return the names of the files in shared memory and on disk."""
        return [name for path in self.directories[1:] for name in os.listdir(path)]

    def serves(self) -> bool:
        """Whether Futures run as they should."""
        return [self.executor.submit(abs, -number).result(SECONDS) for number in range(4)] == [0, 1, 2, 3]


def children_of(pid: int) -> list[int]:
    """Return the pids of the children of all threads of a process."""
    return [int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]


def is_alive(pid: int) -> bool:
    """Whether a process is there, and not only its exit status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def square_slowly(number: int) -> int:
    """Take a moment."""
    time.sleep(0.0005)
    return number**2


def plus_one(array: Any) -> Any:
    """Return another array."""
    return array + 1


def sum_of_children(count: int) -> int:
    """Add up what Futures of this one return."""
    return sum(Executor().map(abs, range(-count + 1, 1)))


def share(value: Any) -> str:
    """Share a value; return the Worker's name."""
    shared.set(of_a_worker=value)
    return worker_name()


def leave_segment() -> str:
    """Write a segment that nobody will be told of; return its name."""
    return str(current.node.payloads.segments.write(b"x" * 300_000))


def shared_sum() -> int:
    """Return the sum of what a Future has shared."""
    return int(shared.get("of_a_worker").sum())


def worker_name() -> str:
    """Return the name of the Worker that runs this."""
    return str(current.node.name)


_noted: list[tuple[str | None, str]] = []


def note_surroundings(variable: str) -> None:
    """Initialize a Worker: note what it finds."""
    _noted.append((os.environ.get(variable), os.getcwd()))


def surroundings() -> tuple[str | None, str]:
    """Return what the Worker has found when it began."""
    return _noted[0]


def put(queue: Any, word: str) -> None:
    """Initialize a Worker."""
    queue.put(word)
