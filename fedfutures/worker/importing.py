"""Imports on a host that does not share the Origin's files: what is not here comes from the Origin (decision 0021).

A finder stands last in ``sys.meta_path``, and first for what stands beside the program, as at the Origin. What was
asked for once is not asked for again, so code that tries whether something is there stays cheap.

No other Future may run in the middle of an import: whoever waits here drives the node in place, no greenlet is
switched, and done callbacks and outcomes that have come wait, too (:mod:`.deferred`).
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import linecache
import os
import sys
import threading
import time
import types
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, cast

from ..errors import ArgumentLoadError, VariableNotCarried
from ..node import events as rules
from ..program.modules import MAIN_NAMES
from ..wire.modules import MAIN, Module, files_key_of, key_of, unpack, unpack_files
from ..wire.payload import Payloads
from .driver import DRIVEN, Driver
from .files import Files
from .package_files import PackageFiles
from .submissions import Submissions

ANSWER_SECONDS = 30.0
LOOK_SECONDS = 0.1
FETCHES_AT_MOST = 3
_NOT_ASKED_FOR = frozenset({"fedfutures", "fedfutures_launcher", *MAIN_NAMES})
ORIGIN = "origin:"
"""In front of a package's ``__path__``: its parts are at the Origin, not in a directory of this host."""


class Answers:
    """What a Worker has asked its Origin for, and what came."""

    def __init__(
        self, driver: Driver, submissions: Submissions, payloads: Payloads, files: Files, host: str,
        seconds: float = ANSWER_SECONDS,
    ) -> None:  # fmt: skip
        self._driver, self._submissions, self._payloads, self._files = driver, submissions, payloads, files
        self._host, self._seconds = host, seconds
        self._packages = PackageFiles(files.directory, self._files_of)
        self._main_thread = threading.get_ident()
        self._came: dict[bytes, tuple[str, bytes]] = {}
        self._arrival = threading.Condition(driver.lock)
        driver.handle(rules.Provided, self._on_provided)

    def _on_provided(self, action: rules.Provided) -> None:
        self._came[action.key] = (action.name, action.body)
        self._arrival.notify_all()
        self._driver.wake_other()

    def module(self, name: str) -> Module:
        """Return a module; raise ModuleNotFoundError that says where it was looked for."""
        key = key_of(name)
        if key not in self._came:
            self._ask([key])
        said, body = self._opened(key)
        if not body:
            said = said.replace("{host}", self._host).replace("{python}", sys.executable)
            raise ModuleNotFoundError(
                f"No module named {name!r} on host {self._host} (Worker {self._driver.name}, "
                f"Python {sys.executable}); {said}",
                name=name,
            )
        return unpack(body)

    def place_of(self, name: str, module: Module) -> str:
        """Return where the file of a module is on this host; its path at the Origin where it is not."""
        return self._packages.place_of(name, module)

    def _files_of(self, name: str) -> dict[str, bytes] | None:
        """Return the files of a package; None where they are not to be had."""
        key = files_key_of(name)
        if key not in self._came:
            self._ask([key])
        _, body = self._opened(key)
        self._came.pop(key, None)
        return unpack_files(body) if body else None

    def of_program(self, keys: Sequence[bytes]) -> list[bytes]:
        """Return parts of what a Future sees of the program; raise VariableNotCarried for what is not to be had."""
        self._ask([key for key in keys if key not in self._came])
        found = []
        for key in keys:
            said, body = self._opened(key)
            self._came.pop(key, None)
            if not body:
                raise VariableNotCarried("a variable that the Future can reach", "its value", said)
            found.append(body)
        return found

    def _opened(self, key: bytes) -> tuple[str, bytes]:
        """Return what came, and the body without its seal, b"" if there is none to be had."""
        said, body = self._came.get(key) or (f"the Origin did not answer within {self._seconds:g} s", b"")
        if body and self._payloads.seal is not None:
            opened = self._payloads.seal.stamp_of_module(key).open(0, body)
            if opened is None:
                return "its seal is wrong: it was altered on its way from the Origin", b""
            body = opened
        return said, body

    def _ask(self, keys: Sequence[bytes]) -> None:
        """Ask, and drive the node until the answers are there."""
        with self._driver.lock:
            for key in keys:
                self._driver.step(rules.Require(key))
        self._drive_until(lambda: all(key in self._came for key in keys))

    def segment(self, name: str) -> str:
        """Return the name of a segment of the Origin's, which is brought to this host if need be.

        Raises ArgumentLoadError where it is not to be had.
        """
        segments = self._payloads.segments
        if segments is None or segments.is_here(name):
            return name
        for _ in range(FETCHES_AT_MOST):  # what was brought may be gone again where space is short
            with self._driver.lock:
                arrival = self._files.fetch(name)
            self._drive_until(arrival.done)
            if segments.is_here(name):
                return name
            if not arrival.done():
                break
        raise ArgumentLoadError(
            f"a large value that the Future can reach did not arrive on host {self._host}; there {segments.free()}. "
            f"Give the host more room, or pass smaller values."
        )

    def _drive_until(self, is_there: Callable[[], bool]) -> None:
        """Drive the node in place, for a bounded time; no greenlet is switched."""
        driver = self._driver
        deadline = time.monotonic() + self._seconds
        driver.drain()
        while not is_there() and time.monotonic() < deadline and self._submissions.lost is None:
            if driver.begin_driving():
                try:
                    driver.poll(min(deadline, time.monotonic() + LOOK_SECONDS))
                finally:
                    driver.end_driving(got_on=False)
                driver.drain()
            else:
                with self._arrival:
                    if not is_there():
                        self._arrival.wait(LOOK_SECONDS)
        if threading.get_ident() == self._main_thread:
            driver.times[DRIVEN] = time.monotonic()

    def has_come(self, name: str) -> bool:
        """Whether there was an answer: one that has not come yet may still come."""
        return key_of(name) in self._came


class OriginLoader:
    """Makes a module of the text that came; `path` is what ``__file__`` says: on this host, or at the Origin."""

    def __init__(self, name: str, module: Module, path: str) -> None:
        self._name, self.module, self.path = name, module, path

    def spec(self) -> importlib.machinery.ModuleSpec:
        """Return the spec of a module of this name."""
        module, loader = self.module, cast(Any, self)
        spec = importlib.machinery.ModuleSpec(
            self._name, loader, origin=self.path or None, is_package=module.is_package
        )
        spec.has_location = bool(module.file)
        if module.is_package:
            spec.submodule_search_locations = [ORIGIN + os.path.dirname(module.file)]
        return spec

    def is_package(self, fullname: str) -> bool:
        return self.module.is_package

    def get_filename(self, fullname: str) -> str:
        return self.path

    def get_data(self, path: str) -> bytes:
        with open(path, "rb") as file:
            return file.read()

    def get_resource_reader(self, fullname: str) -> Any:
        from importlib.readers import FileReader  # what it opens is there, or the error names it

        return FileReader(self)  # type: ignore[arg-type]

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(self.module.source)

    def get_code(self, fullname: str) -> types.CodeType:
        return compile(self.module.source, self.module.file or f"<{self._name}>", "exec", dont_inherit=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """Modules are made as usual."""

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the text."""
        self.around(self._exec, module)

    around: Callable[..., object] = staticmethod(lambda run, module: run(module))
    """Runs the text of a module; a Worker keeps what that changes in its process."""

    @classmethod
    def run_by(cls, around: Callable[..., object]) -> None:
        """From now on this runs the texts of modules."""
        cls.around = staticmethod(around)

    def _exec(self, module: types.ModuleType) -> None:
        if self.module.file:
            self._show_lines()
        exec(self.get_code(self._name), vars(module))

    def _show_lines(self) -> None:
        """Tracebacks and ``inspect`` see the Origin's lines, not those of a file of the same name on this host."""
        try:
            text = self.get_source(self._name)
        except (SyntaxError, UnicodeDecodeError):
            return
        lines = text.splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        linecache.cache[self.module.file] = (len(text), None, lines, self.module.file)


class Source(Protocol):
    """Who has the texts."""

    def module(self, name: str) -> Module: ...
    def place_of(self, name: str, module: Module) -> str: ...
    def has_come(self, name: str) -> bool: ...


class OriginFinder:
    """Finds at the Origin what is not on this host."""

    def __init__(self, answers: Source) -> None:
        self._answers = answers
        self._not_there: dict[str, str] = {}
        self._why = ""

    def install(self, beside: Collection[str]) -> None:
        """Be the first to be asked for these, and the last for all others."""
        sys.meta_path.append(self)
        if beside:
            sys.meta_path.insert(0, Beside(self, frozenset(beside)))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Ask the Origin; None if it has no such module, or an error that says so where an import statement asks."""
        if not _may_be_at_origin(fullname):
            return None
        found = self.find(fullname)
        if found is None and _is_import(sys._getframe(1)):
            raise ModuleNotFoundError(self._why, name=fullname)
        return found

    def find(self, fullname: str) -> importlib.machinery.ModuleSpec | None:
        """Ask the Origin, once for what it does not have."""
        if fullname in self._not_there:
            self._why = self._not_there[fullname]
            return None
        try:
            return self._spec_of(fullname, fullname)
        except ModuleNotFoundError as error:
            self._why = str(error)
            if self._answers.has_come(fullname):
                self._not_there[fullname] = self._why
            return None

    def program(self, name: str) -> importlib.machinery.ModuleSpec:
        """Return the spec of the program, to be imported under this name."""
        return self._spec_of(name, MAIN)

    def _spec_of(self, name: str, asked: str) -> importlib.machinery.ModuleSpec:
        module = self._answers.module(asked)
        return OriginLoader(name, module, self._answers.place_of(name, module)).spec()


class Beside:
    """Finds what stands beside the program, although the host may have something of the same name."""

    def __init__(self, finder: OriginFinder, names: frozenset[str]) -> None:
        self._finder, self._names = finder, names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Ask the Origin; None for all else, and where the Origin cannot give it."""
        return self._finder.find(fullname) if fullname in self._names else None


def _may_be_at_origin(fullname: str) -> bool:
    """The parts of a package are where the package is; directories without ``__init__`` may be in both places."""
    top = fullname.partition(".")[0]
    if top in sys.stdlib_module_names or top in _NOT_ASKED_FOR:
        return False
    parent = sys.modules.get(fullname.rpartition(".")[0])
    if parent is None:
        return True
    loader = getattr(getattr(parent, "__spec__", None), "loader", None)
    return isinstance(loader, OriginLoader) or getattr(parent, "__file__", None) is None


def _is_import(frame: Any) -> bool:
    """Whether an import statement asks; ``importlib.util.find_spec`` only wants to know, and is told None."""
    return frame.f_back is not None and frame.f_back.f_code.co_name == "_find_and_load_unlocked"
