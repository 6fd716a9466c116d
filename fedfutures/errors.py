"""The errors of fedfutures, as one tree.

::

    FedfuturesError
    ├── FutureError                 something became of one Future
    │   ├── PoisonedFuture          Workers died under it, again and again
    │   ├── FutureLost              it ran when its Worker died, and must not run twice
    │   ├── ArgumentLoadError       its function or arguments could not be loaded on the Worker
    │   ├── VariableNotCarried      it needs a variable of the program that Workers cannot have
    │   ├── ResultNotPicklable      its value cannot travel
    │   ├── NoRoom                  a host has no room for a large value of it
    │   ├── Deadlock                it wants a lock whose holder waits for it
    │   ├── SealBroken              it was altered between its submitter and the Worker
    │   └── RemoteException         stands for an exception that cannot travel
    ├── FederationLost              (also BrokenExecutor) nobody is left who could run anything
    │   ├── StartFailed             the Federation did not come up
    │   └── InitializerFailed       the Executor's initializer raised
    ├── NotSupportedHere            a call that this place cannot honour without risking a deadlock
    ├── LocalProtocolError          our own bug: it crashes loudly
    └── RemoteProtocolError         a peer's fault: the message is dropped and counted
        └── MalformedMessage        bytes that are no message

A Future that was cancelled raises the standard :class:`concurrent.futures.CancelledError`, one that raised an exception
raises that exception, with :class:`RemoteTraceback` as its cause where the program's lines say more.
"""

from __future__ import annotations

import errno
import os
from concurrent.futures import BrokenExecutor
from pickle import PicklingError


class RepeatedRandomNumbers(UserWarning):
    """A warning: Futures draw from copies of one generator, which all give the same numbers; see :doc:`random`."""


class FedfuturesError(Exception):
    """Root of all errors that fedfutures itself raises."""


class FutureError(FedfuturesError):
    """Root of what can become of a single Future besides its own value or exception."""


class PoisonedFuture(FutureError):
    """The Future was running on a Worker when it died, too often to try once more.

    Attributes: `function`, `call` ("work(17)", or "work(...)" where the arguments are large), `host`, `worker`,
    `status` (how the last Worker ended: "signal SIGSEGV", "exit code 3", or "signal SIGKILL, out of memory" where the
    kernel has counted that), `attempts` (Workers lost), `dump` (where it crashed, as faulthandler wrote it, or "").
    """

    def __init__(
        self, function: str, host: str, worker: str, status: str, attempts: int, dump: str = "", call: str = ""
    ) -> None:  # fmt: skip
        self.function, self.call = function, call or f"{function}(...)"
        self.host, self.worker, self.status, self.attempts, self.dump = host, worker, status, attempts, dump
        usually = " (usually: out of memory)" if status == "signal SIGKILL" else ""
        text = (
            f"{self.call} was running on {attempts} Workers when they died; the last was {worker} on {host}: "
            f"{status}{usually}. It is not tried again. {_after_death(status, bool(dump))}"
        )
        super().__init__(text + (f"\n{dump}" if dump else ""))


_OF_COMPILED_CODE = ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT")


def _after_death(status: str, has_dump: bool) -> str:
    if "SIGKILL" in status:
        return "Let it need less memory at a time, or start fewer Workers (-n, or max_workers=)."
    if status.endswith(_OF_COMPILED_CODE):
        where = "; where, is said below" if has_dump else ""
        return f"Compiled code that it calls has crashed{where}. To try it alone: fedfutures.Executor(max_workers=1)."
    if status.startswith("exit code"):
        return "It has ended its process, by os._exit() for instance. Let it return or raise instead."
    return "To try it alone: fedfutures.Executor(max_workers=1)."


class FutureLost(PoisonedFuture):
    """As :class:`PoisonedFuture`, for a Future that may run at most once."""


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

    def __init__(self, variable: str, kind: str, reason: str) -> None:
        self.variable, self.kind, self.reason = variable, kind, reason
        super().__init__(
            f"{variable} was set or changed by the program and cannot be seen by Workers: {kind}: {reason}. "
            f"Make it inside the function or in an initializer, or pass what is needed of it as an argument."
        )

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return type(self), (self.variable, self.kind, self.reason)


class ResultNotPicklable(FutureError, PicklingError):
    """The function ran, and its value cannot be pickled. Names the value's type and the path to the culprit."""


class NoRoom(FutureError):
    """A host has no room for a large value: neither in shared memory nor on disk, and it is too large for a message.

    Attributes: `host`, `needed` (bytes), `places` (a list of directory, free bytes, and why it could not be used).
    """

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

    def __reduce__(self) -> tuple[type, tuple[str, int, list[tuple[str, int, str]]]]:
        return type(self), (self.host, self.needed, self.places)


class Deadlock(FutureError):
    """The Future wants a lock that another Future of its Worker holds, and that one waits for it.

    Attributes: `function` (which wants the lock), `holder` (the function that has it), `worker`.
    """

    def __init__(self, function: str, holder: str, worker: str) -> None:
        self.function, self.holder, self.worker = function, holder, worker
        super().__init__(
            f"{function}() on Worker {worker} wants a lock that {holder}() holds, and {holder}() waits for "
            f"{function}(): neither can go on. Release the lock before you wait for Futures that need it, or use "
            f"threading.RLock."
        )

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return type(self), (self.function, self.holder, self.worker)


class SealBroken(FutureError):
    """A task, or a function, is not what its submitter has sealed: something between it and the Worker altered it."""


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

    def __init__(self, summary: str, exit_code: int = 1, hosts: dict[str, str] | None = None) -> None:
        self.summary, self.exit_code, self.hosts = summary, exit_code, dict(hosts or {})
        super().__init__("\n".join([summary, *(f"  {name}: {why}" for name, why in self.hosts.items())]))

    def __reduce__(self) -> tuple[type, tuple[str, int, dict[str, str]]]:
        return type(self), (self.summary, self.exit_code, self.hosts)


class InitializerFailed(FederationLost):
    """The `initializer` of an Executor raised on a Worker."""


class NotSupportedHere(FedfuturesError, RuntimeError):
    """This call cannot be honoured where it was made; the text says what to do instead."""


class LocalProtocolError(FedfuturesError):
    """A machine was given an event that cannot happen: a bug in fedfutures."""


class RemoteProtocolError(FedfuturesError):
    """A peer said something that makes no sense. It is counted, and the message is dropped."""


class MalformedMessage(RemoteProtocolError):
    """Bytes that are not a message of this protocol."""
