"""What goes on in a run at one moment, put together from what its machines have answered. Pure.

Each machine says what it alone can see: a Worker which calls it runs, a host process what its processes use, a Broker
what waits and how long functions take, the Origin where the program is and what it has computed so far. A machine that
does not answer leaves a gap, and is named. Reports come from other processes, maybe of another mind: whatever is not
as it should be counts as not there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..lazy_dataclass import dataclass, field
from ..wire.facts import names_of
from ..wire.messages import STATUS

Report = dict[str, Any]


@dataclass(slots=True)
class SeenCall:
    """A call that runs on a Worker."""

    text: str  # ``price(17)``
    function: str
    worker: str
    seconds: float | None = None  # for so long; None for one that a Future of the same Worker runs inside of itself
    place: tuple[str, int, str] | None = None  # file, line and function where the program's code is now
    slice: int = 0  # how many items of a map it has; 0: it is none
    begun: int | None = None  # how many of these were begun, where that is known
    digest: str = ""  # of the function
    submitter: str = ""
    future: int = 0
    attempt: int = 1


@dataclass(slots=True)
class SeenWorker:
    """A Worker: what its host process says of it, and it of itself."""

    name: str
    host: str
    doing: str = ""  # "starting", "idle", "running" or "stopped"; "": its host process has not said
    pid: int = 0
    memory: int = 0  # bytes
    cpu: float = 0.0  # seconds
    calls: list[SeenCall] = field(default_factory=list)  # the outermost first
    suspended: int = 0  # Futures that wait there for others
    queued: int = 0
    answers: bool = False

    @property
    def is_busy(self) -> bool:
        """Whether it runs something."""
        return self.doing == "running" or bool(self.calls)


@dataclass(slots=True)
class SeenHost:
    """A host."""

    name: str
    processors: int = 0
    load: float = 0.0  # of the last minute (getloadavg(3))
    memory: int = 0
    available: int = 0
    answers: bool = False


@dataclass(slots=True)
class RunPicture:
    """A run at one moment."""

    program: str = ""
    pid: int = 0  # of the program; 0: not known
    seconds: float | None = None  # since it began
    hosts: dict[str, SeenHost] = field(default_factory=dict)
    workers: dict[str, SeenWorker] = field(default_factory=dict)
    brokers: dict[str, Report] = field(default_factory=dict)
    origin: Report | None = None  # what the program says; None: it has not answered
    means: dict[str, float] = field(default_factory=dict)  # seconds that a call takes, by digest of its function
    silent: list[str] = field(default_factory=list)  # who has not answered

    @property
    def busy(self) -> int:
        """How many Workers run something."""
        return sum(worker.is_busy for worker in self.workers.values())

    def calls(self) -> list[SeenCall]:
        """Return the calls that run, the one that has run longest first."""
        calls = [call for worker in self.workers.values() for call in worker.calls[:1]]
        return sorted(calls, key=lambda call: -(call.seconds or 0.0))

    def call_of(self, submitter: str, number: int) -> SeenCall | None:
        """Return the call of a Future, if it runs."""
        calls = self.calls()
        return next((call for call in calls if (call.submitter, call.future) == (submitter, number)), None)


def picture_of(answers: Iterable[tuple[str, Any]]) -> RunPicture:
    """Put answers together: the names of machines and their reports, None of those that did not answer."""
    picture = RunPicture()
    for name, report in answers:
        try:
            _ROLES[report["role"]](picture, name, report)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError):
            if name not in picture.silent:
                picture.silent.append(name)
    for worker in picture.workers.values():
        picture.hosts.setdefault(worker.host, SeenHost(worker.host))
    return picture


def _worker(picture: RunPicture, name: str) -> SeenWorker:
    return picture.workers.setdefault(name, SeenWorker(name, names_of(name.encode())[1]))


def _take_host(picture: RunPicture, name: str, report: Report) -> None:
    if "processes" not in report:  # stacks
        return
    picture.hosts[name] = SeenHost(
        name, int(report["processors"]), float(report["load"][0]), int(report["memory"]), int(report["available"]), True
    )  # fmt: skip
    for child, found in report["processes"].items():
        if found["role"] == "worker":
            worker = _worker(picture, child)
            worker.doing, worker.pid = str(found["doing"]), int(found["pid"])
            worker.memory, worker.cpu = int(found["memory"]), float(found["cpu"])
    if run := report.get("run"):
        picture.program, picture.pid = picture.program or str(run["program"]), picture.pid or int(run["pid"])
        picture.seconds = float(run["seconds"]) if picture.seconds is None else picture.seconds


def _take_worker(picture: RunPicture, name: str, report: Report) -> None:
    worker = _worker(picture, name)
    worker.calls = [_call(name, found) for found in report["running"]]
    worker.suspended, worker.queued, worker.answers = int(report["suspended"]), int(report["queued"]), True


def _call(worker: str, found: Report) -> SeenCall:
    seconds, items = found.get("seconds"), found.get("items")
    place = (str(found["file"]), int(found["line"]), str(found["inside"])) if "file" in found else None
    return SeenCall(
        str(found["call"]), str(found["function"]), worker, None if seconds is None else float(seconds), place,
        int(found.get("slice", 0)), None if items is None else int(items[0]), str(found.get("digest", "")),
        str(found.get("submitter", "")), int(found.get("future", 0)), int(found.get("attempt", 1)),
    )  # fmt: skip


def _take_broker(picture: RunPicture, name: str, report: Report) -> None:
    picture.brokers[name] = report
    for digest, seconds in report.get("means", {}).items():
        picture.means.setdefault(str(digest), float(seconds))


def _take_origin(picture: RunPicture, name: str, report: Report) -> None:
    if "stack" in report:
        return
    picture.origin = report
    picture.program, picture.pid = str(report["program"]), int(report["pid"])
    picture.seconds = float(report["seconds"])


_ROLES = {"host": _take_host, "worker": _take_worker, "broker": _take_broker, "origin": _take_origin}
SUBJECT = STATUS
"""What machines are asked for a picture."""
