"""seppo's interface, for programs that were written for it.

``from fedfutures.compat import seppo`` instead of ``import seppo``; or no change at all: ``python -m fedfutures --as
seppo prog.py``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any, NoReturn

from ..futures.executor import Executor
from ..worker import current
from .members import JOIN, become, joined, standing

__all__ = ["SeppoError", "SeppoNoWorkersError", "map_parallel", "map_parallel_serial", "start_seppo_enslaved_server"]

PREFIX = "seppo-"


class SeppoError(Exception):
    """Something is wrong with seppo's servers."""


class SeppoNoWorkersError(SeppoError):
    """No server is there."""


def map_parallel(func: Callable[[Any], Any], val_list: Iterable[Any], debug: int = 0) -> list[Any]:
    """Return ``[func(value) for value in val_list]``: each server gets a part of the list, the parts are in order.

    The servers are those that :func:`start_seppo_enslaved_server` has started on this machine, and the standing
    Federations that the variable ``FEDFUTURES_JOIN`` names: ``"ann@node7:seppo node8:seppo"``. Where there is none, the
    Workers of the run are, in a program that ``python -m fedfutures -n 4 prog.py`` has launched.

    Raises :class:`SeppoNoWorkersError` where there is none, and what `func` raises.

    >>> import os
    >>> map_parallel(abs, [-1, 2])  # doctest: +SKIP
    [1, 2]
    """
    values = list(val_list)
    servers = standing(PREFIX)
    if debug:
        print(f"{len(servers)} worker processes available")
    if not servers and current.node is not None:
        with Executor() as executor:
            return list(executor.map(func, values))
    if not servers:
        raise SeppoNoWorkersError(
            "no server is there; start one in another shell: python -m fedfutures.compat.seppo, or name standing "
            f"Federations of other machines: export {JOIN}='node7:NAME node8:NAME'"
        )
    with ExitStack() as stack:
        executors: Sequence[Executor] = [stack.enter_context(joined(address)) for address in servers]
        each = math.ceil(len(values) / len(executors))
        parts = [
            executor.map(func, values[number * each : (number + 1) * each]) for number, executor in enumerate(executors)
        ]
        return [result for part in parts for result in part]


def map_parallel_serial(func: Callable[[Any], Any], val_list: Iterable[Any]) -> list[Any]:
    """Return ``[func(value) for value in val_list]``, computed in this process."""
    return [func(value) for value in val_list]


def start_seppo_enslaved_server(hostname: str | None = None, port: int = 9876, debug: int = 0) -> NoReturn:
    """Serve ``map_parallel`` with a Worker of this machine until Ctrl-C; this process becomes the server.

    hostname, port:
        Accepted, without effect: programs find it by its name, here or by ssh.
    """
    name = f"{PREFIX}{os.urandom(4).hex()}"
    become(["up", name, "-n", "1", "--foreground", *([] if debug else ["--quiet"])])


if __name__ == "__main__":
    start_seppo_enslaved_server(debug=1)
