"""Several Federations as one: this program's own Workers, and standing ones at other addresses."""

from __future__ import annotations

import concurrent.futures
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from ..errors import FederationLost, StartFailed
from ..futures.executor import Executor
from ..host.flags import interpreter_flags
from ..standing import places
from .addresses import Address, read

JOIN = "FEDFUTURES_JOIN"
"""The variable of the environment that names standing Federations of other machines, with spaces between them."""


def address_of(text: str, usual: str) -> Address:
    """Return the address of a text, on this machine by any of its names; see :func:`.addresses.read`."""
    full = socket.gethostname().lower()
    return read(text, usual, (full, full.partition(".")[0]))


def joined(address: Address) -> Executor:
    """Return an Executor of a standing Federation. Raises StartFailed, with the command that starts one there."""
    try:
        return Executor(join=address.word).bootup()
    except StartFailed as error:
        if not address.host:
            raise
        raise StartFailed(f"{error}\nto have one there: {address.command}", error.exit_code) from None


def standing(prefix: str) -> list[Address]:
    """Return the standing Federations whose names begin so: of this machine, and those of ``FEDFUTURES_JOIN``."""
    found = [Address("", name) for name in places.names() if name.startswith(prefix)]
    return found + [address_of(word, prefix) for word in os.environ.get(JOIN, "").split()]


def become(words: Iterable[str]) -> NoReturn:
    """Go on as ``python -m fedfutures`` with these words, in this process."""
    sys.stdout.flush()
    sys.stderr.flush()
    command = [sys.executable, *interpreter_flags(), "-m", "fedfutures", *words]
    os.execv(command[0], command)


class Member:
    """One Federation among several."""

    def __init__(self, name: str, executor: Executor, workers: int) -> None:
        self.name, self.executor, self.workers = name, executor, workers
        self._open = 0  # calls that it has, and that are not done
        self.is_lost = False

    def resize(self, workers: int) -> None:
        """Count so many Workers from now on; with 0 it gets no more calls."""
        self.workers = workers

    def begin(self) -> None:
        """It has one more call."""
        self._open += 1

    def end(self) -> None:
        """A call is done."""
        self._open -= 1

    def lose(self) -> None:
        """It gets no more calls."""
        self.is_lost = True

    @property
    def load(self) -> float:
        """How many open calls each of its Workers has."""
        return (self._open + 1) / self.workers


class Members:
    """Several Federations: each call goes to the one with the fewest open calls for each of its Workers.

    A call of one that is lost is given to another one, unless it was the last.
    """

    def __init__(self, **options: Any) -> None:
        self.all: list[Member] = []
        self._options = options  # of each call
        self._lock = threading.Lock()

    def add(self, member: Member) -> None:
        """Calls go there, too, from now on."""
        with self._lock:
            self.all.append(member)

    def remove(self, member: Member) -> None:
        """No more calls go there; those that it has are done."""
        with self._lock:
            self.all.remove(member)

    def submit(
        self, fn: Callable[..., Any], *args: Any, on_given: Callable[[Member], object] = id
    ) -> concurrent.futures.Future[Any]:
        """Submit a call; the result of what is returned is its Future, which is done then. `on_given` hears who has it.

        Raises ``RuntimeError`` where there is nobody with Workers.
        """
        outer: concurrent.futures.Future[Any] = concurrent.futures.Future()
        outer.set_running_or_notify_cancel()
        self._give(outer, fn, args, on_given)
        return outer

    def _give(self, outer: Any, fn: Callable[..., Any], args: tuple[Any, ...], on_given: Callable[..., object]) -> None:
        with self._lock:
            able = [member for member in self.all if member.workers and not member.is_lost]
            if not able:
                raise RuntimeError("there is nobody to run this: no Workers here, and no server")
            member = min(able, key=lambda one: one.load)
            member.begin()
        on_given(member)

        def on_done(inner: Any) -> None:
            with self._lock:
                member.end()
            error = None if inner.cancelled() else inner.exception()
            if isinstance(error, FederationLost) and self._lose(member):
                try:
                    self._give(outer, fn, args, on_given)
                except BaseException as why:
                    outer.set_exception(why)
                return
            outer.set_result(inner)

        try:
            future = member.executor.options(**self._options).submit(fn, *args)
        except BaseException:
            with self._lock:
                member.end()
            raise
        future.add_done_callback(on_done)

    def _lose(self, member: Member) -> bool:
        """Note that a member is lost; return whether there is another one."""
        with self._lock:
            member.lose()
            return any(one.workers and not one.is_lost for one in self.all)

    def shutdown(self, *, cancel_futures: bool = False) -> None:
        """End all: Workers of this program, and what it has of others."""
        for member in self.all:
            member.executor.shutdown(wait=True, cancel_futures=cancel_futures)
