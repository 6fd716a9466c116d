"""The runs of this user on this machine, and questions to them: each has a socket ``ask`` (:mod:`..host.run_door`)."""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import os
import socket
import stat
import time
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import RemoteProtocolError, StartFailed
from ..host.directories import is_private_name, remove_abandoned, usual_places
from ..host.greeting import Greeting, OtherVersion, ours
from ..host.run_door import SOCKET
from ..lazy_dataclass import dataclass
from ..wire.codec import unpack_plain
from ..wire.control import AskRun, CancelFuture, RunSays
from ..wire.framing import FrameReader, pack
from ..wire.names import is_origin
from .picture import SUBJECT, RunPicture, picture_of

ANSWER_SECONDS = 2.0
RUNS_AT_ONCE = 16
JOBS_AT_MOST = 500
"""In so many directories of jobs, at most, runs are looked for."""
LATE_SECONDS = 1.5
"""How much later than asked for an answer is still waited for."""


@dataclass(slots=True)
class SeenRun:
    """A run that can be asked, and what it has said of itself."""

    path: str  # of its socket
    picture: RunPicture
    problem: str = ""  # why it could not be asked; "": it has answered

    @property
    def name(self) -> str:
        """The name of its program."""
        return os.path.basename(self.picture.program)


def run_sockets() -> list[str]:
    """Return the sockets of this user's runs; the directories of runs that have ended are removed.

    Batch systems give each job a directory below ``/tmp``, which only the job knows as its ``TMPDIR``: so directories
    of this user's there are looked into, too.
    """
    places = usual_places()
    remove_abandoned(places)
    ours = {path: name for place in places for path, name in _directories(place)}
    below = itertools.islice((path for path, name in ours.items() if not is_private_name(name)), JOBS_AT_MOST)
    for path in below:
        ours = {**dict(_directories(path)), **ours}
    found = (os.path.join(path, SOCKET) for path, name in ours.items() if is_private_name(name))
    return sorted(path for path in found if os.path.exists(path))


def _directories(place: str) -> list[tuple[str, str]]:
    """Return the paths and names of this user's directories in a place."""
    found: list[tuple[str, str]] = []
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # it has just ended
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
                    found.append((entry.path, entry.name))
    return found


def ask(path: str, subject: str, worker: str = "", seconds: float = ANSWER_SECONDS) -> Iterator[tuple[str, Any]]:
    """Yield who answers, and what: None of those that did not answer in time.

    Raises StartFailed where nobody, or fedfutures of another version, is behind the socket.
    """
    reader, greeting = FrameReader(), Greeting()
    deadline = time.monotonic() + seconds + LATE_SECONDS
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds + LATE_SECONDS)
        try:
            connection.connect(path)
            connection.sendall(pack(AskRun(1, subject, seconds, worker)))
            while True:
                data = connection.recv(1 << 18)
                if not data:
                    raise StartFailed("the run has ended meanwhile", 3)
                for frame in reader.feed(greeting.feed(data)):
                    if isinstance(frame, RunSays):
                        yield frame.name, unpacked(frame.report)
                        if frame.last:
                            return
                connection.settimeout(max(0.01, deadline - time.monotonic()))
        except TimeoutError:
            why = f"the host process of the run has not answered for {seconds + LATE_SECONDS:g} s"
            raise StartFailed(why, 3) from None
        except OtherVersion as error:
            raise StartFailed(f"the run is one of fedfutures {error.theirs}, and this is {ours()}", 2) from None
        except RemoteProtocolError as error:
            raise StartFailed(f"behind {path} is something else: {error}", 3) from None
        except OSError as error:
            raise StartFailed(f"the run has ended: {error.strerror}", 3) from None


def cancel(path: str, number: int) -> None:
    """Have the program cancel one of its Futures, also if it runs. Raises StartFailed if the run has ended."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(path)
            connection.sendall(pack(CancelFuture(number)))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    except OSError as error:
        raise StartFailed(f"the run does not answer, or has ended: {error.strerror or error}", 3) from None


def stacks(answers: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Return where the Workers and the program are, by name, from the answers to ``stack``; "" is not known."""
    found: dict[str, str] = {}
    for name, report in answers:
        if isinstance(report, dict):
            found |= {str(worker): str(stack) for worker, stack in report.get("stacks", {}).items()}
            if "stack" in report:
                found["the program"] = str(report["stack"])
        elif is_origin(name):
            found["the program"] = ""
    return found


def unpacked(report: bytes) -> Any:
    """Return what a report says; None for one that is empty, or unreadable."""
    if not report:
        return None
    try:
        return unpack_plain(report)
    except Exception:  # whatever a process of another mind has written
        return None


def runs(seconds: float = ANSWER_SECONDS) -> list[SeenRun]:
    """Return the runs of this user on this machine, each with its picture."""
    paths = run_sockets()
    # One that is stopped keeps nobody waiting for the others.
    with concurrent.futures.ThreadPoolExecutor(RUNS_AT_ONCE) as threads:
        return list(threads.map(seen, paths, [seconds] * len(paths)))


def seen(path: str, seconds: float = ANSWER_SECONDS) -> SeenRun:
    """Return the run behind a socket, with its picture."""
    try:
        return SeenRun(path, picture_of(ask(path, SUBJECT, "", seconds)))
    except StartFailed as error:
        return SeenRun(path, RunPicture(), error.summary)


def chosen(found: list[SeenRun], word: str | None) -> list[SeenRun]:
    """Return which runs a word means: the name of a program, with or without ``.py``, or a pid; None: any.

    >>> run = SeenRun("", RunPicture("/home/a/prog.py", 71))
    >>> [len(chosen([run], word)) for word in (None, "71", "prog.py", "prog", "other")]
    [1, 1, 1, 1, 0]
    """
    living = [run for run in found if not run.problem or word is None]
    if word is None:
        return living
    return [run for run in living if word in (str(run.picture.pid), run.name, run.name.removesuffix(".py"))]
