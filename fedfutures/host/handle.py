"""The launching side's end of a host process: starts it, exchanges frames with it, ends it."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from ..errors import StartFailed
from ..supervision.brokers import facts_of
from ..wire.control import (
    BrokerGivenUp,
    ControlFrame,
    HostReady,
    HostTable,
    Notice,
    NoWorkersLeft,
    ResizeHost,
    StartRefused,
)  # fmt: skip
from . import starting
from .directories import Hold
from .flags import ROOT, for_another, main_command, shown
from .inherited import close_in_children
from .kept_process import KeptProcess
from .settings import Settings, frame_of
from .system import remove_tree

logger = logging.getLogger("fedfutures")
START_SECONDS = 30.0
END_SECONDS = 5.0


def command_here(settings: Settings, python: Sequence[str] | None = None) -> list[str]:
    """Return the command of the host process of this machine; `python`: another interpreter for it."""
    if python is None or list(python) == [sys.executable]:
        return main_command(starting.host_module, [sys.executable], settings.flags, ROOT)
    return main_command(starting.host_module, python, for_another(settings.flags))


class HostGone:
    """Follows the last frame of a process; `why`: it cannot be kept running. `what`: not the host process."""

    def __init__(self, why: str = "", what: str = "") -> None:
        self.why, self.what = why, what


class HostEnded:
    """Stands between the frames of a host process that has ended and those of the one that takes its place.

    No process that was below the first one lives any more. `status` says how it has ended, for people.
    """

    def __init__(self, status: str) -> None:
        self.status = status


Heard = ControlFrame | HostEnded | HostGone


class HostHandle:
    """The host process of this machine, which is started again, in the same directories, when it ends too early.

    `command`: another process that behaves like one; it is not started again. `is_planned`: the settings are whole.
    `start`: starts the host process elsewhere than from here (:mod:`~fedfutures.standing.joining`).
    """

    what = "the host process"

    def __init__(
        self, settings: Settings, *, python: Sequence[str] | None = None, command: Sequence[str] | None = None,
        pass_fds: Sequence[int] = (), is_planned: bool = True, start: Callable[..., Any] | None = None,
    ) -> None:  # fmt: skip
        self.settings = self._plan = settings
        self.facts: dict[str, Any] = {}
        self._of_the_run: dict[str, Any] = {}  # more facts
        self._hold = Hold(())  # while it is held, no Broker of a host process that was killed removes what is used here
        self._most = 0  # how many Workers this run asks for where a host server allots them; 0: as many as at first
        self._early: list[ControlFrame] = []
        self._threads: list[threading.Thread] = []
        self._host = KeptProcess(
            self.what, command or command_here(settings, python), START_SECONDS, pass_fds=pass_fds,
            is_kept=command is None, start=start,
        )  # fmt: skip
        self._processes = [self._host]
        close_in_children(self)
        if is_planned:
            self._begin(settings)

    def _begin(self, settings: Settings) -> None:
        self._plan = settings
        self.tell(frame_of(settings))  # wait_ready reports it if the process has ended already

    def tell(self, frame: ControlFrame) -> None:
        """Send a frame, from any thread; do nothing when the host process is gone."""
        self._host.tell(frame)

    def resize(self, workers: int) -> None:
        """Have so many Workers from now on, also where the host process is started again. Raises ValueError."""
        if self.settings.is_elastic:
            check_most(workers, self.settings.workers)
            self._most = workers
        else:
            self._plan = replace(self._plan, workers=workers, size=workers)
        self.tell(ResizeHost(workers, workers))

    def wait_ready(self) -> dict[str, Any]:
        """Wait for HostReady and return the host's facts; raise :class:`StartFailed`."""
        self._wait_for(self._host, lambda: bool(self.facts), self._begin_again)
        return self.facts

    def _wait_for(
        self, process: KeptProcess, is_there: Callable[[], bool], first: Callable[[], Sequence[ControlFrame]]
    ) -> None:
        while why := process.wait_for(is_there, self._on_start):
            if not process.revive(first):
                self._fail(process, why)

    def _fail(self, process: KeptProcess, why: str) -> NoReturn:
        self.end()
        raise StartFailed(
            f"{process.what} on {self.settings.host} did not start: {why}. Its messages are above; "
            f"try: {shown(process.command)} </dev/null"
        )

    def _on_start(self, frame: ControlFrame) -> None:
        if isinstance(frame, HostReady) and not self.facts:
            self._on_ready(frame)
        elif isinstance(frame, HostTable):
            if frame.problems or self.settings.verbosity >= 0:
                print(frame.text, file=sys.stderr)
        elif isinstance(frame, Notice):
            print(f"fedfutures: {frame.text}", file=sys.stderr)
        elif isinstance(frame, StartRefused):
            self.end()
            raise StartFailed(frame.reason, frame.exit_code, frame.hosts)
        elif isinstance(frame, NoWorkersLeft):
            self.end()
            raise StartFailed(frame.reason)
        else:
            self._early.append(frame)

    @property
    def hosts(self) -> list[str]:
        """The names of the hosts that have Workers."""
        return [self.settings.host]

    def listen(self, heard: Callable[[Heard], None]) -> None:
        """Call ``heard(frame)`` in a thread for each frame from now on; the last one is a HostGone."""
        self._listen_in_thread(self._listen, heard)

    def _listen_in_thread(self, listen: Callable[..., None], heard: Callable[[Heard], None]) -> None:
        thread = threading.Thread(target=listen, args=(heard,), name="fedfutures-output", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _listen(self, heard: Callable[[Heard], None]) -> None:
        def take(frame: ControlFrame) -> None:
            if isinstance(frame, HostReady):
                self._on_ready(frame)
            elif isinstance(frame, (BrokerGivenUp, NoWorkersLeft)):
                self._host.note_given_up()
            hear(heard, frame)

        for frame in self._early:
            take(frame)
        why = self._host.serve(
            take, lambda status: hear(heard, HostEnded(status)), self._begin_again, lambda: self.facts["mark"]
        )
        hear(heard, HostGone(why))

    def _on_ready(self, frame: HostReady) -> None:
        self.facts = facts_of(frame) | self._of_the_run
        held, self._hold = self._hold, Hold(self._directories())
        held.let_go()
        self._host.note_ready()

    def _begin_again(self) -> list[ControlFrame]:
        """Return what a host process is told first that takes the place of another one."""
        directories = [self.facts[key] for key in ("run", "shared", "disk")] if self.facts else []
        begin: list[ControlFrame] = [frame_of(replace(self._plan, directories=directories, life=self._host.restarts))]
        return [*begin, ResizeHost(self._most, self._most)] if self._most else begin

    def hang_up(self) -> None:
        """Tell the host process to end the run, without waiting."""
        for process in self._processes:
            process.hang_up()

    def end(self) -> None:
        """End the host process and all below it, and wait for that."""
        self.hang_up()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(END_SECONDS)  # its end is the host's; waiting for the process itself means polling
        for process in self._processes:
            process.wait(END_SECONDS)
            if not any(thread.is_alive() for thread in self._threads):
                process.close_output()
        for path in self._directories():  # of a host process that was killed
            remove_tree(path)
        self._hold.let_go()

    def _directories(self) -> list[str]:
        return [self.facts[key] for key in ("run", "shared", "disk") if self.facts.get(key)]

    def let_go(self) -> None:
        """Close pipes and locks in a process that the program has forked: its copies would keep the run alive."""
        self._hold.let_go()
        for process in self._processes:
            process.close_input()


def check_most(workers: int, most: int) -> None:
    """Raise ValueError where a run, which has so many Workers at most, cannot have as many."""
    if workers > most:
        raise ValueError(f"this run has {most} Workers at most, and cannot have {workers}")


def one_at_a_time(heard: Callable[[Heard], None]) -> Callable[[Heard], None]:
    """Return what several threads may call, as if one of them did: lines of Workers must not mix."""
    taking = threading.RLock()

    def take(frame: Heard) -> None:
        with taking:
            heard(frame)

    return take


def hear(heard: Callable[[Heard], None], frame: Heard) -> None:
    """Pass a frame on. Whatever that raises, the thread listens on: only it learns that the host process has ended."""
    try:
        heard(frame)
    except BaseException:
        with contextlib.suppress(BaseException):  # a log handler of the program may raise as well
            logger.exception("taking in %s failed", type(frame).__name__)
