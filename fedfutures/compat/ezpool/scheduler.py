"""``ezpool.scheduler``: the JobManager, which has the workers of ``dmap``."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from ...errors import StartFailed
from ...futures.executor import Executor
from ...standing.places import StandingPlace
from ..members import Member, Members, address_of, joined
from .worker import PORT, build_worker, called


class JobManager:
    """Runs items on workers that come and go by their addresses.

    An address of this machine where nothing is served gets a Worker of this program, as in ezpool; at another host
    :class:`~fedfutures.errors.StartFailed` names the command that starts one.
    """

    def __init__(self, fun: Any = None) -> None:
        self._kind = fun if isinstance(fun, type) or fun is None else build_worker(fun)
        self._members = Members()
        self._lock = threading.Lock()
        self._by_uri: dict[str, Member] = {}

    @property
    def workers(self) -> set[str]:
        """The addresses of its workers."""
        return set(self._by_uri)

    def __len__(self) -> int:
        return len(self._by_uri)

    def __contains__(self, uri: object) -> bool:
        return uri in self._by_uri

    def add_worker(self, uri: str) -> None:
        """Have one more worker from now on, also while items run; nothing for one that it has."""
        with self._lock:
            if uri in self._by_uri:
                return
            executor = _executor_at(uri)
            member = self._by_uri[uri] = Member(uri, executor, executor.num_workers)
            self._members.add(member)
        print(f"Worker {uri} is available")

    def close_worker(self, uri: str) -> None:
        """Give a worker up, as soon as what it runs is done."""
        with self._lock:
            member = self._by_uri.pop(uri, None)
            if member is None:
                print(f"Worker {uri} is not present in the pool")
                return
            self._members.remove(member)
        member.executor.shutdown(wait=True)
        print(f"Worker {uri} has been closed")

    def map(self, tasks: Iterable[Any]) -> dict[Any, Any]:
        """Return the result of each item, by item; the exception, where it raised one.

        Raises ``RuntimeError`` where there is no worker, and ``TypeError`` where no class was given.
        """
        if not self._by_uri:
            raise RuntimeError("No workers available")
        if self._kind is None:
            raise TypeError("give fun=: the class of the worker travels with the program")
        given = [(item, self._members.submit(called, self._kind, item)) for item in tasks]
        return {item: outcome_of(future.result()) for item, future in given}

    def shutdown(self) -> None:
        """Give all workers up."""
        for uri in list(self._by_uri):
            self.close_worker(uri)


def _executor_at(uri: str) -> Executor:
    address = address_of(uri, str(PORT))
    if address.host or StandingPlace(address.name).stands():
        return joined(address)
    return Executor(1)


def outcome_of(future: Any) -> Any:
    """Return the result of a Future, or the exception that its call has raised. Raises what befell fedfutures."""
    error = future.exception()
    if isinstance(error, StartFailed):
        raise error
    return future.result() if error is None else error
