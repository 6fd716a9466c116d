"""What a Broker says of Futures that it gives up, as the errors that they raise."""

from __future__ import annotations

from typing import Any

from ..errors import (
    FederationLost,
    FutureError,
    FutureLost,
    InitializerFailed,
    OutOfMemory,
    PoisonedFuture,
    TaskTimeout,
)
from ..wire import codec
from ..wire.messages import BEGUN_ONCE, LOST, OF_FUTURE, OF_KERNEL, OF_WORKER, OUT_OF_MEMORY, OVERRAN, POISONED
from ..wire.printed import Printed
from .future import Future, put_printed
from .future_fields import call_of
from .lost_calls import text_of_call
from .with_output import note_printed

_ABORTED = "Fatal Python error: Aborted\n\n"
_WHOSE = {OF_FUTURE: "memory", OF_WORKER: "memory_per_worker", OF_KERNEL: ""}


def loss_of(future: Future[Any], kind: int, outcome: bytes) -> FederationLost | FutureError:
    """Return why a Broker gives a Future up. Other Brokers have passed that on: it may be anything.

    Behind the rest stands what its call had printed, where that was kept.
    """
    try:
        report = codec.unpack_plain(outcome)
    except ValueError:
        report = None
    found = report if type(report) is list else [report]
    if found and type(found[-1]) is list and [type(one) for one in found[-1]] == [str, str]:
        printed = Printed(*found.pop())
        error = _loss_of(future, kind, found, outcome)
        put_printed(future, printed)
        note_printed(error, printed)
        return error
    return _loss_of(future, kind, found, outcome)


def _loss_of(future: Future[Any], kind: int, found: list[Any], outcome: bytes) -> FederationLost | FutureError:
    types = [type(one) for one in found]
    if kind == POISONED and types == [str, str, str, int, str]:
        host, worker, status, attempts, dump = found
        name, call = _called(future)
        return PoisonedFuture(name, host, worker, status, attempts, dump, call)
    if kind == BEGUN_ONCE and types == [str, str, str, str]:
        host, worker, status, dump = found
        name, call = _called(future)
        return FutureLost(name, host, worker, status, 1, dump, call)
    if kind == OVERRAN and types == [str, str, int, str]:
        host, worker, milliseconds, dump = found
        name, call = _called(future)
        return TaskTimeout(name, milliseconds / 1000, host, worker, dump.removeprefix(_ABORTED), call)
    if kind == OUT_OF_MEMORY and types == [str, str, str, int, str, int, int, int] and found[7] in _WHOSE:
        host, worker, status, attempts, dump, peak, limit, whose = found
        name, call = _called(future)
        where = dump.removeprefix(_ABORTED)
        return OutOfMemory(name, host, worker, status, attempts, where, call, peak, limit, _WHOSE[whose])
    if kind == LOST and types in ([str], [str, bool]):
        return InitializerFailed(found[0]) if found[1:] == [True] else FederationLost(found[0])
    return FederationLost(
        f"it is lost, and what a Broker says of that makes no sense (kind {kind}, {outcome[:40]!r}): a Broker on "
        f"its way is of another version, or lies"
    )


def _called(future: Future[Any]) -> tuple[str, str]:
    """Return the name of a Future's function, and its call as text."""
    packed = call_of(future)
    return (str(packed[0].name), text_of_call(*packed[:2])) if packed else ("a function", "")
