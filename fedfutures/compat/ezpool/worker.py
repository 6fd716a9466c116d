"""``ezpool.worker``: classes whose ``run`` is called for each item, and how one is served."""

from __future__ import annotations

import abc
import argparse
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from ..members import address_of, become

PORT = 21000


class BaseWorker(abc.ABC):
    """What ``dmap`` runs: subclasses have ``run``. One is made for each call, where it runs."""

    is_worker = True

    @abc.abstractmethod
    def run(self, *args: Any) -> Any:
        """Return the result of one item."""

    @staticmethod
    def parse_args(args: Sequence[str] | None = None) -> argparse.Namespace:
        """Return the options with which a worker is served."""
        return parser().parse_args(args)


class EchoWorker(BaseWorker):
    """Returns what it is given."""

    def run(self, inp: Any) -> Any:
        """Return the item."""
        return inp


def build_worker(fun: Callable[..., Any]) -> type[BaseWorker]:
    """Return a class whose ``run`` calls a function."""

    class Built(BaseWorker):
        def run(self, *args: Any) -> Any:
            return fun(*args)

    return Built


def run_worker(obj: Any = None, args: Sequence[str] | None = None) -> NoReturn:
    """Serve this machine for ``dmap``, as ``PYRO:name@address:port``, until Ctrl-C; this process becomes the server.

    obj:
        Accepted as ezpool takes it: the class travels with the program that calls ``dmap(fun=...)``.
    args:
        The command line; by default that of this process: ``--port``, ``--uri``, and more without effect.
    """
    given = parser().parse_args(args)
    name = address_of(given.uri, str(PORT)).name if given.uri else str(given.port)
    become(["up", name, "-n", "1", "--foreground"])


def parser() -> argparse.ArgumentParser:
    """Return the parser of a worker's options."""
    found = argparse.ArgumentParser()
    found.add_argument("-u", "--uri", default="", help="its address: PYRO:name@host:port")
    found.add_argument("-a", "--address", default="localhost", help="accepted, without effect: ssh leads to it")
    found.add_argument("-p", "--port", type=int, default=PORT, help="its name for programs; default: 21000")
    found.add_argument("-n", "--name", default="worker", help="accepted, without effect")
    found.add_argument("-m", "--msg", default="", help="accepted, without effect")
    return found


def called(kind: Any, item: Any) -> Any:
    """In a Worker: make one of this class and run an item; a tuple is several arguments, where ``run`` takes them."""
    run = kind().run
    if isinstance(item, tuple) and len(item) != 1:
        try:
            inspect.signature(run).bind(*item)
        except TypeError:
            return run(item)
        return run(*item)
    return run(item)
