"""Processes that ``multiprocessing`` starts inside of a Future: they have the program as the Worker has it.

One that is spawned, or comes from a fork server, imports the program under the Worker's name for it, ``__mp_main__``.
What it cannot import comes along with its preparation data: a program without a main guard, one of ``python -m
package``, what is defined below the main guard, and on a host that does not share the Origin's files all that the
Worker has got from there. A child that cannot be prepared ends with a code of its own: the results of its ``Pool``
raise.
"""

from __future__ import annotations

import contextlib
import multiprocessing.process
import os
import pickle
import sys
import threading
import traceback
import types
from collections.abc import Callable
from multiprocessing import spawn
from typing import TYPE_CHECKING, Any, NamedTuple

from ..program.modules import MAIN, MAIN_NAMES
from ..wire.modules import Module

if TYPE_CHECKING:
    from ..host.settings import Settings
    from .worker import Worker

UNPREPARED_EXIT_CODE = 78
_PRIVATE = "fedfutures"
_finishing = threading.Lock()


class Bundle(NamedTuple):
    """What a child is given besides what ``multiprocessing`` gives it."""

    program: tuple[str, str] | None  # to be imported by us; None: that is done, or there is nothing to import
    modules: dict[str, Module]  # that came from the Origin, by name
    parts: list[tuple[str, bytes]]  # what else the program has, by name


def attend(settings: Settings, worker: Worker) -> None:
    """In a Worker that has its program: see to its children from now on."""
    worker.at_end.append(_finish)
    multiprocessing.process.ORIGINAL_DIR = os.getcwd()  # type: ignore[attr-defined]
    bundler = _Bundler(settings)
    plain: Callable[[str], dict[str, Any]] = spawn.get_preparation_data

    def get_preparation_data(name: str) -> dict[str, Any]:
        _watch_pools()
        data = plain(name)
        bundle = bundler.bundle()
        if bundle.program is not None or bundle.modules:
            data.pop("init_main_from_path", None)
            data.pop("init_main_from_name", None)
        return data | {_PRIVATE: _Coming(bundle)}

    spawn.get_preparation_data = get_preparation_data


class _Bundler:
    def __init__(self, settings: Settings) -> None:
        self._program = settings.program
        self._code = settings.code
        main = sys.modules[MAIN]
        self._imported = dict(vars(main)) if hasattr(main, "__file__") else {}

    def bundle(self) -> Bundle:
        return Bundle(self._to_import(), self._texts() if self._code else {}, self._parts())

    def _to_import(self) -> tuple[str, str] | None:
        """The program, where multiprocessing would not import it: it leaves out ``package.__main__``."""
        if self._program is None or not self._imported:
            return None
        kind, place = self._program
        return self._program if self._code or (kind == "module" and place.endswith("__main__")) else None

    def _texts(self) -> dict[str, Module]:
        from .importing import OriginLoader

        loaders = [(name, getattr(module, "__loader__", None)) for name, module in list(sys.modules.items())]
        origin = [(name, loader) for name, loader in loaders if isinstance(loader, OriginLoader)]
        return {name: loader.module._replace(file=loader.path) for name, loader in origin}

    def _parts(self) -> list[tuple[str, bytes]]:
        """What importing the program does not make: new names, and functions and classes that were replaced."""
        from ..program.pickling import dump_by_value

        parts = []
        for name, value in list(vars(sys.modules[MAIN]).items()):
            known = self._imported.get(name)
            if name.startswith("__") or value is known:
                continue
            if name in self._imported and not isinstance(value, (type, types.FunctionType)):
                continue
            with contextlib.suppress(Exception):  # it cannot travel: the child goes without
                parts.append((name, dump_by_value(value, root=(MAIN, name))[0]))
        return parts


def _finish() -> None:
    """What a Future has put into a queue goes out, by a thread of its own, before the Worker ends."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None and "multiprocessing.queues" in sys.modules:
        with _finishing, contextlib.suppress(Exception):  # two threads may end the process: the second one waits
            util._run_finalizers()


# -- in the child ------------------------------------------------------------------------------------------------------


class _Coming:
    """Stands in the preparation data; loading it has the bundle unpacked when the child has been prepared."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def __reduce__(self) -> Any:
        return _expect, (tuple(self._bundle),)


def _expect(bundle: tuple[Any, ...]) -> None:
    plain: Any = spawn.prepare

    def prepare(data: Any) -> None:
        spawn.prepare = plain
        try:
            plain(data)
            _unpack(Bundle(*bundle))
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(UNPREPARED_EXIT_CODE)

    spawn.prepare = prepare


class _Texts:
    """Answers as the Origin does, with what the Worker has got from there."""

    def __init__(self, modules: dict[str, Module]) -> None:
        self._modules = modules

    def module(self, name: str) -> Module:
        if name not in self._modules:
            raise ModuleNotFoundError(f"No module named {name!r}: the Worker has not imported it before", name=name)
        return self._modules[name]

    def place_of(self, name: str, module: Module) -> str:
        return module.file

    def has_come(self, name: str) -> bool:
        return True


def _unpack(bundle: Bundle) -> None:
    finder: Any = None
    if bundle.modules:
        from .importing import OriginFinder

        finder = OriginFinder(_Texts(bundle.modules))
        finder.install([name for name in bundle.modules if "." not in name and name not in MAIN_NAMES])
    if bundle.program is not None:
        from .program import import_program

        import_program(*bundle.program, finder)
    if bundle.parts:
        _complete(bundle.parts)


def _complete(parts: list[tuple[str, bytes]]) -> None:
    """Give the program's module what importing it does not make."""
    main = sys.modules[MAIN]
    for name in MAIN_NAMES:
        sys.modules[name] = main
    waiting = dict(parts)
    while waiting:  # a part may need another one
        before = len(waiting)
        for name, body in list(waiting.items()):
            with contextlib.suppress(Exception):
                setattr(main, name, pickle.loads(body))
                del waiting[name]
        if len(waiting) == before:
            break


# -- pools -------------------------------------------------------------------------------------------------------------


def _watch_pools() -> None:
    """Have a Pool whose processes cannot be prepared fail; that it starts others in their place helps nobody."""
    module = sys.modules.get("multiprocessing.pool")
    pool: Any = getattr(module, "Pool", None)
    if pool is None or hasattr(pool, _PRIVATE):
        return
    setattr(pool, _PRIVATE, True)
    present = threading.local()
    handle_workers, join = pool._handle_workers.__func__, pool._join_exited_workers

    def _handle_workers(cls: Any, cache: dict[int, Any], *arguments: Any) -> None:
        present.cache = cache
        handle_workers(cls, cache, *arguments)

    def _join_exited_workers(workers: list[Any]) -> Any:
        unprepared = any(worker.exitcode == UNPREPARED_EXIT_CODE for worker in workers)
        joined = join(workers)
        if unprepared:
            _fail(list(getattr(present, "cache", {}).values()))
        return joined

    pool._handle_workers = classmethod(_handle_workers)
    pool._join_exited_workers = staticmethod(_join_exited_workers)


def _fail(results: list[Any]) -> None:
    error = RuntimeError(
        "a process of this Pool could not import the program; its traceback was printed. "
        'multiprocessing.get_context("fork") needs no import.'
    )
    for result in results:
        for _ in range(max(1, getattr(result, "_number_left", 1))):
            result._set(0, (False, error))
