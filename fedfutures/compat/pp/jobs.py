"""``pp.Server`` and what it returns."""

from __future__ import annotations

import atexit
import importlib
import logging
import pickle
import sys
import threading
import time
import types
import warnings
from collections.abc import Callable
from typing import Any

from ... import futures
from ...errors import NotSupportedHere
from ...futures.executor import Executor
from ...host.system import processors
from ..members import Member, Members, address_of, joined, standing

DEFAULT_PORT = 60000
LOCAL = "local"


class DestroyedServerError(RuntimeError):
    """The server was destroyed: it takes no calls, and those that were not done have no results."""


class Statistics:
    """What was done on one node: `njobs` calls, which took `time` seconds in all; it has `ncpus` Workers."""

    def __init__(self, ncpus: int) -> None:
        self.ncpus, self.time, self.njobs = ncpus, 0.0, 0


class Submitted:
    """A submitted call: calling it returns the result. ``pp`` calls it a job."""

    def __init__(
        self, server: Server, tid: int, callback: Callable[..., object] | None, callbackargs: tuple[Any, ...],
        group: Any,
    ) -> None:  # fmt: skip
        self.server, self.tid, self.group = server, tid, group
        self.callback, self.callbackargs = callback, callbackargs
        self.finished = False
        self._ended = threading.Event()
        self._ending = threading.Lock()  # of who notes the end: the call, or its server's
        self.lock = threading.Lock()  # held until then, for pathos, which waits for it
        self.lock.acquire()
        self._is_shown = False
        self._outcome: tuple[Any, str] = (None, "")

    def __call__(self, raw_result: bool = False) -> Any:
        """Wait, print what the call has printed, and return its result; None if it raised, which it then has printed.

        raw_result: return the pickled pair of result and output, and print nothing.

        Raises :class:`DestroyedServerError` if the server was destroyed before.
        """
        if not self.finished and self.server.is_exiting:
            raise DestroyedServerError("Server was destroyed before the job completion")
        self.wait()
        if not self.finished:
            raise DestroyedServerError("Server was destroyed before the job completion")
        if raw_result:
            return self.sresult
        self._show()
        return self._outcome[0]

    def wait(self) -> None:
        """Wait until it is done, or the server is destroyed."""
        self._ended.wait()

    @property
    def sresult(self) -> bytes:
        """The pickled pair of result and output."""
        return pickle.dumps(self._outcome, self.server.proto)

    def _show(self) -> None:
        if not self._is_shown:
            self._is_shown = True
            if self._outcome[1]:
                print(self._outcome[1], end=" ")

    def _finish(self, result: Any, output: str) -> None:
        self._outcome = result, output
        self.finished = True
        try:
            if self.callback is not None:
                self._show()
                self.callback(*self.callbackargs, result)
        finally:
            self._end()

    def _end(self) -> None:
        """Let go whoever waits."""
        with self._ending:
            if not self._ended.is_set():
                self._ended.set()
                self.lock.release()


class Template:
    """A function to submit several times, with the same further arguments of :meth:`Server.submit`."""

    def __init__(
        self, job_server: Server, func: Callable[..., Any], depfuncs: tuple[Any, ...] = (),
        modules: tuple[str, ...] = (), callback: Callable[..., object] | None = None,
        callbackargs: tuple[Any, ...] = (), group: Any = "default", globals: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.job_server, self.func = job_server, func
        self.depfuncs, self.modules, self.globals = depfuncs, modules, globals
        self.callback, self.callbackargs, self.group = callback, callbackargs, group

    def submit(self, *args: Any) -> Submitted:
        """Submit the function with these arguments."""
        return self.job_server.submit(
            self.func, args, self.depfuncs, self.modules, self.callback, self.callbackargs, self.group, self.globals
        )  # fmt: skip


class Server:
    """Runs calls on `ncpus` Workers of this machine, and on standing Federations of others.

    ncpus:
        Workers here; "autodetect" is one for each processor that may be used, 0 is none.
    ppservers:
        A tuple of addresses, ``"host:port"``: standing Federations, which ``ppserver`` or ``fedfutures up PORT`` has
        started there. ``"*"`` is all that this user has on this machine, and those of ``FEDFUTURES_JOIN``.
    restart:
        A new Worker for each call.
    secret, socket_timeout:
        Accepted, without effect: ssh lets programs in, and a call may take as long as it takes.
    proto:
        The protocol of ``pickle`` for raw results.

    Raises ``TypeError`` and ``ValueError`` as ``pp`` does, and :class:`~fedfutures.errors.StartFailed` where nothing
    serves at an address.

    >>> from fedfutures.compat import pp
    >>> server = pp.Server(2)  # doctest: +SKIP
    >>> server.submit(pow, (2, 5))()  # doctest: +SKIP
    32
    """

    default_port = DEFAULT_PORT
    default_secret = ""

    def __init__(
        self, ncpus: int | str = "autodetect", ppservers: tuple[str, ...] = (), secret: str | None = None,
        restart: bool = False, proto: int = 2, socket_timeout: float = 3600,
    ) -> None:  # fmt: skip
        if not isinstance(ppservers, tuple):
            raise TypeError("ppservers argument must be a tuple")
        if secret is not None and not isinstance(secret, str):
            raise TypeError("secret must be of a string type")
        if secret is not None or socket_timeout != 3600:
            warnings.warn(
                "secret= and socket_timeout= have no effect here: ssh or a key lets programs in, and a call may take "
                "as long as it takes", stacklevel=2
            )  # fmt: skip
        self.logger = logging.getLogger("pp")
        self.proto, self.secret, self.socket_timeout = proto, secret, socket_timeout
        self.ppservers: list[tuple[str, int | str]] = []  # as pathos reads them
        self.auto_ppservers: list[str] = []
        self._exiting = False  # pathos sets it to close a pool, and to open it again
        self._is_destroyed = False
        self._restart = restart
        self._lock = threading.Lock()
        self._submitted: set[Submitted] = set()  # not done
        self._count = 0
        self._began = time.time()
        self._statistics = {LOCAL: Statistics(0)}
        self._here: Member | None = None
        self._members = Members(capture=True)
        self.set_ncpus(ncpus)
        for text in ppservers:
            self._connect(text)
        atexit.register(self.destroy)

    def _connect(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError("ppservers argument must be a tuple of strings")
        if text.startswith("*"):
            self.auto_ppservers.append(text)
            given = standing("")
        else:
            given = [address_of(text, str(DEFAULT_PORT))]
            host, _, port = text.partition(":")
            self.ppservers.append((host, int(port) if port.isdecimal() else port or DEFAULT_PORT))
        for address in given:
            executor = joined(address)
            name = f"{address.host or 'localhost'}:{address.name}"
            self._members.add(Member(name, executor, executor.num_workers))
            self._statistics[name] = Statistics(executor.num_workers)

    @property
    def is_exiting(self) -> bool:
        """Whether it takes no calls any more."""
        return self._exiting

    def submit(
        self, func: Callable[..., Any], args: tuple[Any, ...] = (), depfuncs: tuple[Any, ...] = (),
        modules: tuple[str, ...] = (), callback: Callable[..., object] | None = None,
        callbackargs: tuple[Any, ...] = (), group: Any = "default", globals: dict[str, Any] | None = None,
    ) -> Submitted:  # fmt: skip
        """Submit ``func(*args)``; calling what is returned waits for the result.

        depfuncs, modules, globals:
            What `func` uses, by name. A function brings what it refers to, so you need them only for names that its
            module does not have.
        callback, callbackargs:
            Called with `callbackargs` and the result, in another thread, as soon as the call is done.
        group:
            For :meth:`wait`.

        Raises ``TypeError`` for arguments of other types, as ``pp`` does, and :class:`DestroyedServerError`.
        """
        if self._exiting:
            raise DestroyedServerError("Cannot submit jobs: server instance has been destroyed")
        for name, value in (
            ("args", args),
            ("depfuncs", depfuncs),
            ("modules", modules),
            ("callbackargs", callbackargs),
        ):
            if not isinstance(value, tuple):
                raise TypeError(f"{name} argument must be a tuple")
        if globals is not None and not isinstance(globals, dict):
            raise TypeError("globals argument must be a dictionary")
        if not all(isinstance(module, str) for module in modules):
            raise TypeError("modules argument must be a list of strings")
        names = {one.__name__: one for one in depfuncs if hasattr(one, "__name__")} | _used(globals or {})
        with self._lock:
            job = Submitted(self, self._count, callback, callbackargs, group)
            self._count += 1
            self._submitted.add(job)
        where: list[Member] = []
        try:
            future = self._members.submit(_called, func, args, names, modules, on_given=where.append)
        except BaseException:
            with self._lock:
                self._submitted.discard(job)
            raise
        future.add_done_callback(lambda done: self._on_done(job, where[-1].name, done))
        return job

    def _on_done(self, job: Submitted, node: str, future: Any) -> None:
        try:
            self._finish(job, node, future)
        finally:
            with self._lock:
                self._submitted.discard(job)

    def _finish(self, job: Submitted, node: str, future: Any) -> None:
        if future.exception() is None and future.result().cancelled():  # the server was destroyed
            job._end()
            return
        error = future.exception() or future.result().exception()
        if error is None:
            result, seconds, text = future.result().result()
            output = f"{future.result().stdout or ''}{text}"
        else:
            result, seconds, output = None, 0.0, f"A fatal error has occured during the function execution\n{error}\n"
        with self._lock:
            statistics = self._statistics[node]
            statistics.njobs += 1
            statistics.time += seconds
        job._finish(result, output)

    def wait(self, group: Any = None) -> None:
        """Wait for all that was submitted, or for that of one group."""
        while True:
            with self._lock:
                job = next((one for one in self._submitted if not group or one.group == group), None)
            if job is None:
                return
            job.wait()

    def get_ncpus(self) -> int:
        """Return the number of Workers of this machine."""
        return self._statistics[LOCAL].ncpus

    def set_ncpus(self, ncpus: int | str = "autodetect") -> None:
        """Have so many Workers on this machine from now on. Raises ``TypeError`` and ``ValueError``."""
        if ncpus == "autodetect":
            ncpus = processors()
        if not isinstance(ncpus, int):
            raise TypeError("ncpus must have 'int' type")
        if ncpus < 0:
            raise ValueError("ncpus must be an integer > 0")
        if self._here is None and ncpus:
            executor = Executor(ncpus, max_tasks_per_child=1 if self._restart else None)
            ncpus = executor.num_workers  # in a launched program: those that it has
            self._here = Member(LOCAL, executor, ncpus)
            self._members.add(self._here)
        elif self._here is not None:
            if ncpus and ncpus != self._here.workers:
                _resize(self._here.executor, ncpus)
            self._here.resize(ncpus)
        self._statistics[LOCAL].ncpus = ncpus

    def get_active_nodes(self) -> dict[str, int]:
        """Return the number of Workers by node: "local", and the addresses of those that serve."""
        lost = {member.name for member in self._members.all if member.is_lost}
        return {name: found.ncpus for name, found in self._statistics.items() if name not in lost}

    def get_stats(self) -> dict[str, Statistics]:
        """Return what was done, by node."""
        return self._statistics

    def print_stats(self) -> None:
        """Print a table of what was done on each node."""
        elapsed = time.time() - self._began
        print("Job execution statistics:")
        print(" job count | % of all jobs | job time sum | time per job | job server")
        total = sum(found.njobs for found in self._statistics.values())
        for name, found in self._statistics.items():
            if found.njobs:
                share, each = 100.0 * found.njobs / total, found.time / found.njobs
                print(f"    {found.njobs:6d} |        {share:6.2f} |     {found.time:8.4f} |  {each:11.6f} | {name}")
        print(f"Time elapsed since server creation {elapsed}")
        print(f"{len(self._submitted)} active tasks, {self.get_ncpus()} cores\n")

    def destroy(self) -> None:
        """End the Workers; calls that are not done have no results."""
        self._exiting = True
        if self._is_destroyed:
            return
        self._is_destroyed = True
        atexit.unregister(self.destroy)
        self._members.shutdown(cancel_futures=True)
        with self._lock:
            left, self._submitted = self._submitted, set()
        for job in left:
            job._end()


def _resize(executor: Executor, ncpus: int) -> None:
    try:
        executor.resize(ncpus)
    except NotSupportedHere:  # the Workers are those of the launched program
        futures.resize(ncpus)


def _used(names: dict[str, Any]) -> dict[str, Any]:
    """Return the modules and functions among the globals of a program, as ``pp`` takes them to its Workers."""
    kinds = (types.FunctionType, types.ModuleType)
    return {name: value for name, value in names.items() if isinstance(value, kinds) and name != "__builtins__"}


def _called(
    func: Callable[..., Any], args: tuple[Any, ...], names: dict[str, Any], modules: tuple[str, ...]
) -> tuple[Any, float, str]:  # fmt: skip
    """In a Worker: call a function where its module has these names, too; return result, seconds, and error as text."""
    own = getattr(func, "__globals__", {})
    for module in modules:
        if module.startswith(("import ", "from ")):
            exec(module, own)
        else:
            importlib.import_module(module)
            root = module.partition(".")[0]
            own.setdefault(root, sys.modules[root])
    for name, value in names.items():
        own.setdefault(name, value)
    began = time.perf_counter()
    try:
        return func(*args), time.perf_counter() - began, ""
    except Exception as error:
        import traceback

        frames = error.__traceback__ and error.__traceback__.tb_next
        text = "An error has occured during the function execution\n" + "".join(
            traceback.format_exception(type(error), error, frames)
        )
        return None, time.perf_counter() - began, text
