"""The errors of fedfutures, as one tree.

::

    FedfuturesError
    ├── FutureError                 something became of one Future
    │   ├── PoisonedFuture          each Worker that ran it died
    │   │   ├── FutureLost          whoever had it died, and it may start once at most
    │   │   └── OutOfMemory         it used more memory than it might, or the host had none left
    │   ├── TaskTimeout             it took longer than its time limit
    │   ├── ArgumentLoadError       its function or arguments could not be loaded on the Worker
    │   ├── VariableNotCarried      it needs a variable of the program that Workers cannot have
    │   ├── ResultNotPicklable      its value cannot travel
    │   ├── NoRoom                  a host has no room for a large value of it
    │   ├── Deadlock                it wants a lock that is held by one that waits for it
    │   ├── SealBroken              it was altered between its submitter and the Worker
    │   └── RemoteException         stands for an exception that cannot travel
    ├── FederationLost              (also BrokenExecutor) nobody is left who could run anything
    │   ├── StartFailed             the Federation did not come up
    │   ├── InitializerFailed       the Executor's initializer raised
    │   └── WalltimeReached         the time of the run is over, but for what the program needs to save
    ├── NotSupportedHere            a call that is not possible where it was made
    ├── NotCheckpointable           a call whose content cannot be told from others (with a checkpoint only)
    ├── CheckpointRefused           a file that is no checkpoint, is damaged, in use, or not this user's alone
    ├── LocalProtocolError          a bug of fedfutures: the process ends with it
    └── RemoteProtocolError         a bug of a peer: the message is dropped and counted
        └── MalformedMessage        bytes that are no message

A Future that was cancelled raises the standard :class:`concurrent.futures.CancelledError`, one that raised an exception
raises that exception, with :class:`RemoteTraceback` as its cause where the program's lines say more.

Each class has a section in ``launcher/verbs/errors.rst`` (:doc:`errors`), which the last note of its instances names.
"""

from __future__ import annotations

import errno
import os
from concurrent.futures import BrokenExecutor
from pickle import PicklingError
from typing import Any, TypeVar

from .sizes import shown

_E = TypeVar("_E", bound="FedfuturesError")
ABOUT = "About this error: python -m fedfutures error "
"""So begins the last note of each error of fedfutures."""


class RepeatedRandomNumbers(UserWarning):
    """A warning: Futures draw from copies of one generator, which all give the same numbers; see :doc:`random`."""


class LimitsNotKept(UserWarning):
    """A warning: a call has a limit of time or memory and runs in the program itself, where nobody can end it."""


class FedfuturesError(Exception):
    """Root of all errors that fedfutures itself raises."""

    _made_of: tuple[str, ...] = ()  # the attributes that the constructor takes, where it takes no text

    def __new__(cls: type[_E], *args: Any, **kwargs: Any) -> _E:  # not __init__: failures are rebuilt without it
        made = super().__new__(cls, *args, **kwargs)
        name = next(base.__name__ for base in cls.__mro__ if base.__module__ == __name__)
        if name != "FedfuturesError":  # of which there is nothing to say
            vars(made)["__notes__"] = [ABOUT + name]
        return made

    def __reduce__(self) -> Any:
        if not self._made_of:
            return super().__reduce__()
        return type(self), tuple(getattr(self, name) for name in self._made_of)


class FutureError(FedfuturesError):
    """Root of what can happen to a single Future beside its own value or exception."""


class PoisonedFuture(FutureError):
    """Each Worker that ran the Future died, as often as it may be tried.

    Attributes: `function`, `call` ("work(17)", or "work(...)" where the arguments are large), `host`, `worker`,
    `status` (how the last Worker ended: "signal SIGSEGV", "exit code 3", or "signal SIGKILL, out of memory" where the
    kernel has counted that), `attempts` (Workers lost), `dump` (where it crashed, as faulthandler wrote it, or "").
    """

    _made_of: tuple[str, ...] = ("function", "host", "worker", "status", "attempts", "dump", "call")

    def __init__(
        self, function: str, host: str, worker: str, status: str, attempts: int, dump: str = "", call: str = ""
    ) -> None:  # fmt: skip
        self.function, self.call = function, call or f"{function}(...)"
        self.host, self.worker, self.status, self.attempts, self.dump = host, worker, status, attempts, dump
        usually = " (usually: out of memory)" if status == "signal SIGKILL" else ""
        text = (
            f"{self.call} was running on {attempts} Workers when they died; the last was {worker} on {host}: "
            f"{status}{usually}. It is not tried again. {_advice(status, bool(dump))}"
        )
        super().__init__(text + (f"\n{dump}" if dump else ""))


_ALONE = "To try it alone: fedfutures.Executor(max_workers=1)."
_CRASHED = f"Compiled code that it calls has crashed{{where}}. {_ALONE}"
_ADVICE = {
    "exit code": "It has ended its process, by os._exit() for instance. Let it return or raise instead.",
    "descriptors": "Compiled code that it calls closes descriptors that it has not opened: let it close only its own.",
    "SIGKILL": "Let it need less memory at a time, or start fewer Workers (-n, or max_workers=).",
    "SIGSEGV": _CRASHED, "SIGBUS": _CRASHED, "SIGILL": _CRASHED, "SIGFPE": _CRASHED, "SIGABRT": _CRASHED,
}  # fmt: skip
"""What to do, by how the last Worker ended."""


def _advice(status: str, has_dump: bool) -> str:
    kind, _, what = status.partition(",")[0].rpartition(" ")  # "exit code 3", "signal SIGKILL, out of memory"
    advice = _ADVICE.get(what) or _ADVICE.get(kind, _ALONE)
    return advice.format(where="; where, is said below" if has_dump else "")


class FutureLost(PoisonedFuture):
    """The Future may start once at most (``options(idempotent=False)``), may have started, and whoever had it is gone.

    Attributes: as of :class:`PoisonedFuture`; `host` and `worker` are "" where nobody knows who had it, and `attempts`
    is 1.
    """

    _made_of = ("function", "host", "worker", "status", "attempts", "dump", "call")

    def __init__(
        self, function: str, host: str, worker: str, status: str, attempts: int = 1, dump: str = "", call: str = ""
    ) -> None:  # fmt: skip
        self.function, self.call, self.attempts = function, call or f"{function}(...)", attempts
        self.host, self.worker, self.status, self.dump = host, worker, status, dump
        place = f" on host {host}" if host else ""
        holder = f"Worker {worker}{place} had it" if worker else "Which Worker had it is not known"
        text = (
            f"{self.call} may have started, and is not started again, since it has idempotent=False. {holder}: "
            f"{status}. Look at what it may have done already, and submit it again if it has done nothing."
        )
        FutureError.__init__(self, text + (f"\n{dump}" if dump else ""))


class OutOfMemory(PoisonedFuture):
    """The Future used more memory than it might and was ended; or the kernel killed its Workers, for there was no more.

    A ``MemoryError`` that the function raises itself stays that.

    Attributes, beside those of :class:`PoisonedFuture`: `peak` (bytes that were used: with a limit by the call since
    it began, or by its Worker, as often as that was looked at; else by the last Worker), `limit` (bytes that might be
    used), `option` (which option says that: "memory", "memory_per_worker", or "" where the kernel's limit was met).
    """

    _made_of = (*PoisonedFuture._made_of, "peak", "limit", "option")

    def __init__(
        self, function: str, host: str, worker: str, status: str, attempts: int, dump: str = "", call: str = "",
        peak: int = 0, limit: int = 0, option: str = "",
    ) -> None:  # fmt: skip
        super().__init__(function, host, worker, status, attempts, dump, call)
        self.peak, self.limit, self.option = peak, limit, option
        used, most, place = shown(peak), shown(limit), f"Worker {worker} of host {host}"
        if option == "memory":
            text = (
                f"{self.call} used {used} on {place}, more than memory= lets it use ({most}), and was ended. Raise "
                f"memory= if it may use more, or let it need less at a time."
            )
        elif option:
            text = (
                f"{self.call} was running on {place} when that used {used}, more than --memory-per-worker lets it use "
                f"({most}), and was ended. Raise that limit (memory_per_worker=), or let it need less at a time."
            )
        else:
            text = (
                f"{self.call} was running on {attempts} Workers when the kernel killed them for want of memory; the "
                f"last was {place} ({status}), which had used at least {used}; all processes together may use {most}. "
                f"It is not tried again. Let it need less memory at a time, or start fewer Workers (-n, or "
                f"max_workers=); with options(memory=) it would end before the host is full."
            )
        if dump:
            text += f"\n{dump}" if not option else f" It was here:\n{dump}"
        self.args = (text,)


class TaskTimeout(FutureError):
    """The Future took longer than its time limit (``options(time_limit=)``), and was ended.

    It is no ``TimeoutError``: that says of ``result(timeout)`` that the Future is not done yet, and this one is.

    Attributes: `function`, `call` ("work(17)"), `seconds` (the limit), `host`, `worker`, `dump` (where it was when its
    time was over, as faulthandler wrote it, or "").
    """

    _made_of = ("function", "seconds", "host", "worker", "dump", "call")

    def __init__(
        self, function: str, seconds: float, host: str, worker: str, dump: str = "", call: str = ""
    ) -> None:  # fmt: skip
        self.function, self.seconds, self.call = function, seconds, call or f"{function}(...)"
        self.host, self.worker, self.dump = host, worker, dump
        text = (
            f"{self.call} ran longer than its time limit of {seconds:g} s, on Worker {worker} of host {host}, and was "
            f"ended. Raise time_limit= if it may take longer."
        )
        super().__init__(text + (f" It was here:\n{dump}" if dump else ""))


class ArgumentLoadError(FutureError):
    """The function or its arguments could not be loaded on the Worker; the reason is the `__cause__`.

    `of_function` is True where it was the function.
    """

    of_function = False

    def __init__(self, *args: object, of_function: bool = False) -> None:
        super().__init__(*args)
        if of_function:
            self.of_function = True


class VariableNotCarried(FutureError):
    """The Future needs a variable of the program that cannot be given to Workers as it stands.

    Attributes: `variable` (its name), `kind` (what in it cannot travel), `reason`.
    """

    _made_of = ("variable", "kind", "reason")

    def __init__(self, variable: str, kind: str, reason: str) -> None:
        self.variable, self.kind, self.reason = variable, kind, reason
        super().__init__(
            f"{variable} was set or changed by the program and cannot be seen by Workers: {kind}: {reason}. "
            f"Make it inside the function or in an initializer, or pass what is needed of it as an argument."
        )


class ResultNotPicklable(FutureError, PicklingError):
    """The function ran, and its value cannot be pickled; the text names its type and the part that is the reason."""


class NoRoom(FutureError):
    """A host has no room for a large value: neither in shared memory nor on disk, and it is too large for a message.

    Attributes: `host`, `needed` (bytes), `places` (a list of directory, free bytes, and why it could not be used).
    """

    _made_of = ("host", "needed", "places")

    def __init__(self, host: str, needed: int, places: list[tuple[str, int, str]]) -> None:
        self.host, self.needed, self.places = host, needed, [(*place,) for place in places]
        on_host = f" on host {host}" if host else ""
        tried = ", ".join(f"{directory} has {free:,} bytes free ({why})" for directory, free, why in self.places)
        gigabytes = 1 << max(0, (4 * needed >> 30).bit_length())
        remedy = (
            f"give its shared memory more, for example with `mount -o remount,size={gigabytes}G /dev/shm` as root or "
            f"Docker's --shm-size={gigabytes}g, or set TMPDIR to a directory with more room before the run starts"
        )
        if all(why == os.strerror(errno.EFBIG) for _, _, why in self.places):
            remedy = "files may not be as large as that; raise the limit (`ulimit -f unlimited`) before the run starts"
        super().__init__(f"a value of {needed:,} bytes has no room{on_host}: {tried}. What to do: {remedy}.")


class Deadlock(FutureError):
    """The Future wants a lock that another Future of its Worker holds while that one waits for this one.

    Attributes: `function` (which wants the lock), `holder` (the function that has it), `worker`.
    """

    _made_of = ("function", "holder", "worker")

    def __init__(self, function: str, holder: str, worker: str) -> None:
        self.function, self.holder, self.worker = function, holder, worker
        super().__init__(
            f"{function}() on Worker {worker} wants a lock that {holder}() holds, and {holder}() waits for "
            f"{function}(): neither can go on. Release the lock before you wait for Futures that need it, or use "
            f"threading.RLock."
        )


class SealBroken(FutureError):
    """Something between submitter and Worker has altered a task, a function or an outcome: its seal is not right."""


class RemoteException(FutureError):
    """Stands for an exception that cannot travel; a subclass of the nearest base that the Origin can import.

    Attributes: `type_name`, `text` (its ``str``), `representation` (its ``repr``), `traceback_text`.
    """

    type_name = text = representation = traceback_text = ""


class RemoteTraceback(Exception):
    """The ``__cause__`` of an exception that was raised on a Worker: the traceback there, as text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return "\n" + self.text


class FederationLost(FedfuturesError, BrokenExecutor):
    """No Broker or no Worker is left, and none will come back."""


class StartFailed(FederationLost):
    """The host process, its Broker or its Workers did not come up; the text has the reason of each host.

    Attributes: `summary` (the first line of the text), `exit_code` (what a launcher ends with), `hosts` (by the name of
    each host that could not be used: why, and what to do).
    """

    _made_of = ("summary", "exit_code", "hosts")

    def __init__(self, summary: str, exit_code: int = 1, hosts: dict[str, str] | None = None) -> None:
        self.summary, self.exit_code, self.hosts = summary, exit_code, dict(hosts or {})
        super().__init__("\n".join([summary, *(f"  {name}: {why}" for name, why in self.hosts.items())]))


class InitializerFailed(FederationLost):
    """The `initializer` of an Executor raised on a Worker."""


class WalltimeReached(FederationLost):
    """The walltime of the run is over, but for the margin that the program has left to save what it has.

    All Futures that are open raise it, and so does ``submit`` from then on.

    Attributes: `seconds` (the walltime), `margin` (what is left, in seconds), `source` (who says so: "--walltime",
    "SLURM_JOB_END_TIME"), `done` and `left` (what was done and what was not, in words), `early` (by how many seconds
    it came before the margin, since nothing that waited would have been done in them).
    """

    _made_of = ("seconds", "margin", "source", "done", "left", "early")

    def __init__(
        self, seconds: float, margin: float, source: str, done: str, left: str = "", early: float = 0.0
    ) -> None:  # fmt: skip
        self.seconds, self.margin, self.source, self.early = seconds, margin, source, early
        self.done, self.left = done, left
        rest = margin + early
        why = f"the walltime of {seconds:g} s ({source}) is over in {rest:.3g} s"
        if early >= 0.1:
            why += f", and nothing that waits would be done {margin:g} s before that"
        count = f"Done: {done}. " + (f"{left[0].upper()}{left[1:]} cut off. " if left else "")
        super().__init__(
            f"{why}. {count}Save what you have now. To have the next run compute only what is missing: "
            f"--checkpoint FILE, or Executor(checkpoint=FILE)."
        )


class NotSupportedHere(FedfuturesError, RuntimeError):
    """This call is not possible where it was made; the text says what to do instead."""


class NotCheckpointable(FedfuturesError, TypeError):
    """With a checkpoint: the call holds something whose content cannot be told from others; see :doc:`checkpoints`."""


class CheckpointRefused(FedfuturesError, OSError):
    """A file is not used as a checkpoint: it is none, is damaged, in use, or others may write it."""


class LocalProtocolError(FedfuturesError):
    """A machine was given an event that cannot happen: a bug in fedfutures."""


class RemoteProtocolError(FedfuturesError):
    """A peer sent a message that makes no sense: the message is counted and dropped."""


class MalformedMessage(RemoteProtocolError):
    """Bytes that are not a message of this protocol."""
