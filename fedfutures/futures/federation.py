"""A Federation as its Origin has it: the host processes that it started, and its own node."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from .. import limits
from ..errors import FederationLost, InitializerFailed, StartFailed, WalltimeReached
from ..host.handle import Heard, HostEnded, HostGone, HostHandle
from ..host.room import available_memory, refusal
from ..host.walltime import Walltime
from ..program import safe_points
from ..program.process import ProcessChanges, adopt_authkey
from ..sockets.sockets import context
from ..supervision.attempts import how_ended, initializer_raised_on
from ..wire.control import (
    BrokerGivenUp,
    BrokerRestarted,
    Notice,
    NoWorkersLeft,
    RunPlanned,
    WorkerEnded,
    WorkerOutput,
)  # fmt: skip
from ..wire.names import host_of
from ..wire.payload import Payloads
from ..wire.seal import Seal
from ..wire.segments import Segments
from ..worker import current, inheriting, unasked
from ..worker.origin import Origin
from . import ends, nested, repeats
from .checks import check_workers
from .counting import Counting
from .output_files import FiledOutput
from .patience import Patience
from .printing import RECORDS, Printer
from .run_sights import RunSights
from .timekeeper import Timekeeper

LATE_SECONDS = 5.0
"""For how long the end waits for what threads submit that the program does not wait for."""


class Federation:
    """Joins a host process that was started when that is first needed; :meth:`close` ends it and all below it.

    `attach`: the index of the Broker that the Origin is to be a node of. `initargs` live as long as Workers may start:
    a semaphore in them goes with the object that made it. `walltime`: how long this run may take, if that is known.
    `output`: where what Workers print goes, if not to the program's own output.
    `pending_bytes`: how much memory pending Futures may hold, if the user says so.
    """

    def __init__(
        self, handle: HostHandle, *, prefix: bool = True, attach: int = 0, initargs: tuple[Any, ...] = (),
        walltime: Walltime | None = None, output: FiledOutput | None = None, pending_bytes: int | None = None,
    ) -> None:  # fmt: skip
        self._handle = handle
        self._settings = handle.settings
        self._resized = 0  # how many Workers the program has asked for; 0: it has not
        self._printer, self._output = Printer(prefix), output
        self._attach = attach
        self.run_directory = ""  # the private one of the host process beside the program, as soon as that is there
        adopt_authkey(handle.settings.authkey)
        inheriting.attend()
        self._process = ProcessChanges(in_full=handle.settings.program is None)
        self._lock = threading.RLock()  # the handler of a signal may submit while the main thread is joining
        self._origin: Any = None
        self._counting: Counting | None = None  # of what the Origin gets back
        self._context: Any = None
        self._failure: FederationLost | None = None
        self.is_closed = False  # whether it has ended, or is about to
        self.listeners: list[Callable[[Heard], object]] = []
        self._at_close: list[Callable[[], object]] = []
        self._cancelled = False  # whether what has not started was cancelled
        self._flooded = False  # whether threads submit on that the program does not wait for
        self._pid = os.getpid()
        self._initargs = initargs
        self._walltime, self._pending_bytes = walltime, pending_bytes
        self._timekeeper: Timekeeper | None = None
        self.cut_short: WalltimeReached | None = None  # if the end of the program comes to know that

    @property
    def origin(self) -> Any:
        """The node; waits for the host process at first use. Raises :class:`~fedfutures.errors.StartFailed`."""
        if self._origin is None:
            with self._lock:
                if self._origin is None:
                    self._origin = self._join(self._handle.wait_ready())
                    if self._failure is not None:  # heard while it was joining
                        self._origin.submissions.lose(self._failure)
        return self._origin

    @property
    def counting(self) -> Counting:
        """What counts the outcomes that the Origin gets; waits as :attr:`origin` does."""
        _ = self.origin
        assert self._counting is not None
        return self._counting

    @property
    def size(self) -> int:
        """How many Workers it has, or is to have; those of other hosts are known when these have answered."""
        return self._resized or self._settings.size

    @property
    def hosts(self) -> list[str]:
        """The names of the machines that have Workers, or are to have them."""
        return list(self._handle.hosts)

    def _join(self, facts: Any) -> Any:
        if self._origin is not None:  # while this thread waited, the handler of a signal has submitted, and joined
            return self._origin
        facts = facts | facts["brokers"][self._attach]
        segments = Segments(
            facts["shared"], f"origin-{os.urandom(4).hex()}", disk=facts["disk"], host=host_of(facts["name"])
        )  # fmt: skip
        key = self._settings.seal
        payloads = Payloads(segments, None if key is None else Seal(key))
        try:
            self._context = context()
            origin = Origin(self._context, facts, payloads, self._settings.size, self._process)
            if self._settings.hosts > 1:
                origin.submissions.retrier.other_hosts.know(self._settings.hosts)
            self._counting = Counting(origin)
            self.run_directory = facts["run"]
            RunSights(self, origin, self._counting)
            self._handle.listen(self._heard)
            origin.start()
        except Exception as error:
            if why := limits.reached(error):
                raise StartFailed(f"this program cannot join its Federation: {why}") from error
            raise
        current.origins.add(origin)
        if "IPython" in sys.modules:
            from .notebook import attend

            attend(origin)
        for name, value in current.constants.items():
            origin.share(name, value)
        if self._pending_bytes is not None:
            origin.pressure.set_bound(self._pending_bytes)
        if self._walltime is not None:
            self._timekeeper = Timekeeper(origin, self._walltime, self._fail)
        return origin

    def _heard(self, frame: Heard) -> None:
        """In the output thread: a frame of the host process."""
        for listener in self.listeners:
            listener(frame)
        if (handler := _HANDLERS.get(type(frame))) is not None:
            handler(self, frame)

    def _on_output(self, frame: WorkerOutput) -> None:
        if self._output is not None and frame.stream != RECORDS:
            show = functools.partial(self._printer.show, frame.worker, frame.stream, frame.text)
            self._output.write(frame.worker, frame.text, show)
        else:
            self._printer.show(frame.worker, frame.stream, frame.text)

    def _on_worker_ended(self, frame: WorkerEnded) -> None:
        if frame.initializer_raised and self._settings.initializer is not None:
            self._fail(InitializerFailed(initializer_raised_on(frame.host)))
        elif self._settings.verbosity > 0:
            print(f"fedfutures: Worker {frame.worker} ended: {frame.status}; its Futures run again", file=sys.stderr)

    def _on_planned(self, _: RunPlanned) -> None:
        """Hosts have come: there are more Workers, and the settings say how many."""
        origin = self._origin
        if origin is None or self.is_closed:
            return
        origin.submissions.retrier.other_hosts.know(self._settings.hosts)
        self._tell_size(origin)

    def _tell_size(self, origin: Origin) -> None:
        with origin.driver.lock:
            origin.submissions.resize(self.size)
        origin.driver.wake()

    def _on_notice(self, frame: Notice) -> None:
        print(f"fedfutures: {frame.text}", file=sys.stderr)

    def _on_broker_restarted(self, frame: BrokerRestarted) -> None:
        """A Broker was started again. Who was linked to it would find out by itself, a little later."""
        if self._settings.verbosity > 0:
            print(f"fedfutures: Broker {frame.broker} ended: {frame.status}; it was started again", file=sys.stderr)
        own = self._handle.facts["brokers"][self._attach]["name"]
        if frame.broker == own and self._origin is not None and not self.is_closed:
            self._origin.driver.rejoin()

    def _on_broker_given_up(self, frame: BrokerGivenUp) -> None:
        if not self.is_closed:
            self._lose(f"a Broker of {self._settings.host} cannot be kept running: {frame.reason}")

    def _on_host_ended(self, frame: HostEnded) -> None:
        """The host process has ended, and all below it. Another one is being started: it is given all Futures again."""
        if self.is_closed or self._origin is None:
            return
        count = len(self._origin.futures)
        self._origin.begin_anew()
        if self._settings.verbosity > 0:
            how = how_ended(frame.status)
            futures = f"{count} Future{'s' * (count != 1)} run{'s' * (count == 1)} again"
            print(f"fedfutures: {self._handle.what} {how}; it is started again, and {futures}", file=sys.stderr)

    def _on_gone(self, frame: HostGone) -> None:
        if not self.is_closed:
            self._lose(f"{frame.what or self._handle.what} ended" + (f" ({frame.why})" if frame.why else ""))

    def _lose(self, why: str) -> None:
        self._fail(FederationLost(f"{why}; Futures that were open are lost. Start the program again."))

    def _fail(self, error: FederationLost) -> None:
        self._failure = self._failure or error
        if self._origin is not None:
            self._origin.submissions.lose(error)
            self._origin.driver.wake()  # whoever waits in poll(): losing has just drained the sign of it

    def resize(self, workers: int) -> int:
        """Have so many Workers from now on, and return that number as soon as all hosts are told.

        Raises ValueError, StartFailed where there is not enough memory, and RuntimeError after the end.
        """
        check_workers(workers)
        origin = self.origin
        with self._lock:
            if self.is_closed:
                raise RuntimeError("cannot resize after shutdown")
            is_here = len(self._handle.hosts) == 1 and workers > self.size
            if is_here and (why := refusal(workers, available_memory(), self._settings.host)):
                raise StartFailed(why)
            self._handle.resize(workers)
            self._resized = workers
        self._tell_size(origin)
        return workers

    def at_close(self, last_word: Callable[[], object]) -> None:
        """Have this called when the Federation is about to close, however that comes."""
        self._at_close.append(last_word)

    def drain(self) -> None:
        """Wait until all that was submitted is done, and the calls of all maps are made.

        Threads that go on submitting and that the program itself would not wait for (daemons) are given
        :data:`LATE_SECONDS`.
        """
        origin = self._origin
        if origin is None:
            return
        self._wait_for_all(origin)
        error = origin.lost
        if isinstance(error, WalltimeReached) and error.left and error.__traceback__ is None:  # nobody was told
            self.cut_short = error

    def _wait_for_all(self, origin: Any) -> None:
        late = busy = None
        while origin.lost is None and not self._flooded:
            maps = ends.open_maps(origin)
            if not (maps or origin.open_futures()):
                if not self._cancelled:
                    nested.wait_until_idle(origin)
                return
            now = time.monotonic()
            if late is not None and not maps and now > late and _daemons_run():
                self._flooded = True
                return
            late = late or now + LATE_SECONDS
            read = [ends.press_on(feeder) for feeder in maps]
            busy = None if all(read) else busy or now + ends.BUSY_SECONDS
            if busy is not None and now > busy:
                ends.give_up([feeder for feeder, was_read in zip(maps, read) if not was_read])
            with Patience(origin):
                self._wait_for_open(origin)

    def _wait_for_open(self, origin: Any) -> None:
        # Weakly: results that nobody holds are not to be held here until the last one has come.
        open_ones = [weakref.ref(future) for future in origin.open_futures() if not future.done()]
        ends.wait_for(origin, filter(None, (reference() for reference in open_ones)))
        if not open_ones:  # what has come is being taken in by another thread
            origin.service()
            safe_points.sleep(0.001)

    def read_on(self) -> None:
        """Read what is left of the inputs of maps, in this thread; their calls are made meanwhile and later."""
        if self._origin is not None and not self.is_closed:
            ends.read_on(ends.open_maps(self._origin))

    def cut_off(self, why: str) -> None:
        """End at once, and say what that leaves undone."""
        if self.is_closed or os.getpid() != self._pid:
            return
        self.say_open(f"{why}:", "cut off")
        self.close()

    def say_open(self, begin: str, what: str) -> None:
        """Say how much is open, between these words; nothing if all is done."""
        if self._origin is not None and self._origin.lost is None and (left := ends.what_is_open(self._origin)):
            print(f"fedfutures: {begin} {left} {what}", file=sys.stderr, flush=True)

    def cut_off_if_interrupted(self) -> bool:
        """End at once if an interrupt has ended the program; return whether that is so."""
        if not was_interrupted():
            return False
        self.cut_off("the program was interrupted")
        return True

    def cancel(self) -> None:
        """Cancel what has not been started."""
        origin = self._origin
        if origin is None or self.is_closed:
            return
        self._cancelled = True
        ends.cancel(ends.open_maps(origin))
        origin.submissions.cancel_open()

    def on_said(self) -> None:
        """The launcher has said that the walltime is over."""
        self._forget_walltime(is_said=True)

    def _forget_walltime(self, *, is_said: bool = False) -> None:
        """Do not say of each Future that the walltime is over if the program knows, or its launcher says it."""
        error = self._origin.lost
        if isinstance(error, WalltimeReached) and (is_said or error.__traceback__ is not None):
            unasked.forget(self._origin.submissions, WalltimeReached)

    def close(self) -> None:
        """End the host process and all below it, and wait for that; open Futures resolve as lost."""
        if self.is_closed or os.getpid() != self._pid:
            return
        self.is_closed = True
        for last_word in self._at_close:
            with contextlib.suppress(Exception):  # standard error is closed, for instance: all else has to end even so
                last_word()
        if self._timekeeper is not None:
            self._timekeeper.stop()
        try:
            self._handle.hang_up()
            if self._origin is not None:
                self._forget_walltime()
                current.origins.discard(self._origin)
                unasked.silence(self._origin.submissions)
                self._origin.submissions.lose(FederationLost("the Federation was closed"))
        finally:  # callbacks have run, and may have been interrupted
            if self._origin is not None:
                self._origin.close()
                ends.forget(self._origin)
                self._context.term()
            self._handle.end()
            self._initargs = ()

    def finish(self, *, program_ends: bool = False) -> None:
        """Drain, say which errors nobody can ask for any more, and close."""
        if self.is_closed or os.getpid() != self._pid or self.cut_off_if_interrupted():
            return
        try:
            self.drain()
        except KeyboardInterrupt:
            if threading.main_thread().is_alive():
                raise
            self.cut_off("the program was interrupted")  # it has come to its end: nobody can catch anything
            return
        repeated = repeats.found_at(None if self._cancelled or self._flooded else self._origin)
        if self._flooded:
            self.cut_off("the program ended, while a daemon thread was submitting")
        if self._origin is not None:
            if program_ends:
                ends.note_unread(self._origin)
            self._forget_walltime(is_said=program_ends)
            unasked.say(self._origin.submissions, ends=program_ends)
        self.close()
        repeats.warn(repeated)


_HANDLERS: dict[type, Callable[[Federation, Any], None]] = {
    WorkerOutput: Federation._on_output,
    WorkerEnded: Federation._on_worker_ended,
    Notice: Federation._on_notice,
    RunPlanned: Federation._on_planned,
    BrokerRestarted: Federation._on_broker_restarted,
    NoWorkersLeft: lambda federation, frame: federation._lose(frame.reason),
    BrokerGivenUp: Federation._on_broker_given_up,
    HostEnded: Federation._on_host_ended,
    HostGone: Federation._on_gone,
}


def was_interrupted() -> bool:
    """Whether an interrupt has ended the program, and its exit is under way; in a session, one ends nothing."""
    if getattr(sys, "last_type", None) is KeyboardInterrupt:
        return not hasattr(sys, "ps1")
    # Python waits for the threads of the program before it runs what is to be done at exit, and only says so when it is
    # interrupted in that.
    main = threading.main_thread()
    return (
        threading.current_thread() is main
        and not main.is_alive()
        and any(thread is not main and not thread.daemon and thread.is_alive() for thread in threading.enumerate())
    )


def _daemons_run() -> bool:
    """Whether threads run that the program does not wait for, beside those of this package."""
    own = threading.current_thread(), threading.main_thread()
    return any(
        thread.daemon and thread not in own and not thread.name.startswith("fedfutures-")
        for thread in threading.enumerate()
    )


def _forked() -> None:
    """In a process that the program has forked: sockets and threads stayed behind, so waiting would never end."""
    for origin in list(current.origins):
        origin.submissions.forbid(
            FederationLost("this process was forked from the one that has the Federation; only that one submits")
        )


os.register_at_fork(after_in_child=_forked)
