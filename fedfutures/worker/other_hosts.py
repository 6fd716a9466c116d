"""Calls that raise what may be true of one host alone: they are tried once on another one, without being asked to.

If that has a value, the host is *marked* for the function: later calls of it avoid the host, and people are told once.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any, NamedTuple

from ..federation.terms import Conditions
from ..wire.failures import add_lines
from .failing import ELSEWHERE
from .future import Future, put_conditions
from .future_fields import failure_of, is_finished
from .unasked import bystanders

FUNCTIONS_AT_MOST = 1024
"""For so many functions it is remembered which hosts are marked."""
AVOIDED_AT_MOST = 16
TEXT_AT_MOST = 200
_ADVICE = (
    (ImportError, "Install there what it imports"),
    (FileNotFoundError, "Put the file there, or bring it along with fedfutures.shared.file()"),
    (MemoryError, "Start fewer Workers there"),
)


class OtherTry(NamedTuple):
    """The second try of a Future, on another host than its first one."""

    host: str  # of the first one
    error: BaseException  # that it has raised there
    function: bytes
    name: str

    def failed(self, host: str) -> BaseException:
        """The other host has failed as well: return what the Future raises."""
        add_lines(self.error, f"{ELSEWHERE}{f'host {host}' if host else 'another host'}, which failed as well")
        return self.error

    def told(self) -> str:
        """Return the line for people when the other host has a value."""
        error, name, host = self.error, self.name, self.host
        text = " ".join(f"{type(error).__name__}: {error}".split())
        text = text if len(text) <= TEXT_AT_MOST else text[: TEXT_AT_MOST - 1] + "…"
        advice = next((advice for kind, advice in _ADVICE if isinstance(error, kind)), "Make room there")
        return (
            f"fedfutures: on host {host}, {name}() raised {text}; on another one it returned, and avoids {host} from "
            f"now on. {advice}"
        )


class OtherHosts:
    """What a node knows of hosts that cannot run some of its functions."""

    __slots__ = ("_hosts", "_said", "marks")

    def __init__(self) -> None:
        self._hosts = 1
        self._said: set[tuple[str, str]] = set()  # (host, function's name)
        self.marks: dict[bytes, dict[str, str]] = {}  # function -> host -> what is to be said of that

    def know(self, hosts: int) -> None:
        """The run has Workers on so many hosts."""
        self._hosts = hosts

    def try_one(self, future: Future[Any], error: BaseException, host: str, call: Any) -> OtherTry | None:
        """A Future has raised what may be true of this host alone; return its second try, None where there is none."""
        if call is None or len(call) != 3 or future.conditions.is_once or not self.avoid(future, host):
            return None
        future.add_done_callback(self._has_come)
        return OtherTry(host, error, call[0].digest, call[0].name)

    def avoid(self, future: Future[Any], host: str) -> bool:
        """Have the next try of a Future avoid a host; return whether there are others."""
        avoided = future.conditions.avoid
        if self._hosts < 2 or not host:
            return False
        if host not in avoided and len(avoided) < AVOIDED_AT_MOST:
            put_conditions(future, future.conditions._replace(avoid=(*avoided, host)))
        return True

    def conditions_of(self, function: bytes, conditions: Conditions) -> Conditions:
        """Return the conditions on which calls of a function are given: they avoid the hosts that are marked."""
        marked = self.marks.get(function)
        if not marked:
            return conditions
        return conditions._replace(avoid=tuple(dict.fromkeys((*conditions.avoid, *marked))))

    def _has_come(self, future: Any) -> None:
        """A Future is done that was tried on another host."""
        tried = future.tries
        if not is_finished(future) or failure_of(future) is not None:
            return
        marked = self.marks.setdefault(tried.function, {})
        if tried.host in marked or len(marked) + 1 >= min(self._hosts, AVOIDED_AT_MOST):  # one has to be left
            return
        marked[tried.host] = tried.told()
        while len(self.marks) > FUNCTIONS_AT_MOST:
            del self.marks[next(iter(self.marks))]
        if (tried.host, tried.name) in self._said or len(self._said) >= FUNCTIONS_AT_MOST:  # of a call, and of a map
            return
        self._said.add((tried.host, tried.name))
        with contextlib.suppress(Exception):
            print(marked[tried.host], file=sys.stderr, flush=True)

    def explain(self, future: Future[Any]) -> str:
        """Return for people which hosts a Future avoids."""
        avoid = future.conditions.avoid
        return f"; not to {', '.join(avoid)}" if avoid else ""

    def statistics(self) -> dict[str, Any]:
        """Return which hosts are marked, and why."""
        said = [text for marked in self.marks.values() for text in marked.values()]
        return {"avoided": said} if said else {}


bystanders.add(OtherHosts._has_come)
