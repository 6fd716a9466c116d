"""What differs between the Workers of a host, and what a program may have taken of it when a template imported it.

Workers that import the program themselves have random states, process numbers and names of their own, also where the
top level of the program asks for them: a generator without a seed, a name of a file with the number of the process. If
a program asks for such a thing, no Worker is forked from its template. The global generators of ``random`` and NumPy
are an exception as long as the program has not drawn from them: each Worker seeds them anew, unless the program has.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import sysconfig
import types
from collections.abc import Callable
from typing import Any

from . import current

_PATHS = ("stdlib", "platstdlib", "purelib", "platlib")
_OF_LIBRARIES = (
    "<frozen", *(sysconfig.get_path(name) + os.sep for name in _PATHS),
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep,
)  # fmt: skip
"""How the names of files begin that are no part of a program."""
_RANDOM = "the top level of the program makes or uses random numbers without a seed, in {}"
_NUMBER = "the top level of the program asks for the number of its process, in {}"
_NUMPY = "the top level of the program uses the random numbers of NumPy without a seed"
NODE = "the top level of the program asks for the Federation, or for its Worker"


class Differing:
    """Watches what is asked for between :meth:`begin` and :meth:`end`; `why`: the first such thing, "" for none.

    `on_node` is called when somebody asks for the node of this process, which has none.
    """

    def __init__(self, on_node: Callable[[], Any]) -> None:
        self.why = ""
        self._on_node = on_node
        self._plain: list[tuple[Any, str, Any]] = []
        self._library_draws = False
        self._is_seeded = False  # random: by the program
        self._random_state: Any = None  # after that, and at the beginning

    def begin(self) -> None:
        """Watch from now on."""
        self._random_state = random.getstate()
        watched = [
            (os, "getpid", self._noting(os.getpid, self._asks_number)),
            (os, "urandom", self._noting(os.urandom, self._draws)),
            (random, "_urandom", self._noting(random._urandom, self._draws)),  # type: ignore[attr-defined]
            (random.Random, "seed", self._seeding(random.Random.seed)),
            (random, "seed", self._seeding_global(random.seed)),
        ]
        for owner, name, watching in watched:
            self._plain.append((owner, name, getattr(owner, name)))
            setattr(owner, name, watching)
        asked = property(lambda module: self._on_node())
        current.watch(type("Watched", (types.ModuleType,), {"node": asked, "name": asked}))

    def end(self) -> None:
        """Watch no more, and look at the states of the generators."""
        current.watch(types.ModuleType)
        for owner, name, plain in self._plain:
            _put_back(getattr(owner, name), plain)
            setattr(owner, name, plain)
        if random.getstate() != self._random_state:
            self._note(_RANDOM.format("module random"))
        if _numpy_state() == "drawn":
            self._note(_NUMPY)
        if self._library_draws and (kept := _generators()):
            self._note(f"a library has made {kept} without a seed, as it was imported")

    def begin_worker(self) -> None:
        """In a Worker that was forked: give it random states of its own, except where the program has set them."""
        if self._is_seeded:
            random.setstate(self._random_state)  # the fork has seeded it anew
        if _numpy_state() == "untouched":
            sys.modules["numpy.random"].seed()

    def _note(self, why: str) -> None:
        self.why = self.why or why

    def _noting(self, function: Callable[..., Any], note: Callable[[types.FrameType], None]) -> Callable[..., Any]:
        def noting(*arguments: Any) -> Any:
            note(sys._getframe(1))
            return function(*arguments)

        return noting

    def _asks_number(self, frame: types.FrameType) -> None:
        """Libraries that ask for it know about forks; the program itself need not."""
        if not frame.f_code.co_filename.startswith(_OF_LIBRARIES):
            self._note(_NUMBER.format(_place(frame)))

    def _draws(self, frame: types.FrameType | None) -> None:
        """Module random, or another one, draws from the system: on whose behalf? Libraries do it as they are imported.

        NumPy does for its global generator, and SciPy for examples in its documentation.
        """
        while frame is not None:
            if not frame.f_code.co_filename.startswith(_OF_LIBRARIES):
                self._note(_RANDOM.format(_place(frame)))
                return
            if frame.f_code.co_name == "<module>":
                self._library_draws = True
                return
            frame = frame.f_back

    def _seeding(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def seed(generator: Any, a: Any = None, *more: Any, **named: Any) -> Any:
            if a is None and not isinstance(generator, random.SystemRandom):
                self._draws(sys._getframe(1))
            return function(generator, a, *more, **named)

        return seed

    def _seeding_global(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def seed(a: Any = None, *more: Any, **named: Any) -> Any:
            function(a, *more, **named)
            self._is_seeded, self._random_state = a is not None, random.getstate()

        return seed


def _place(frame: types.FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _put_back(watching: Any, plain: Any) -> None:
    """Modules that were imported meanwhile may have taken the function that watched."""
    for module in list(sys.modules.values()):
        names: dict[str, Any] = getattr(module, "__dict__", {})
        for name in [name for name, value in names.items() if value is watching]:
            names[name] = plain


def _numpy_state() -> str:
    """Return "untouched" if NumPy's global generator is as the system has seeded it, "seeded", "drawn", or ""."""
    numpy: Any = sys.modules.get("numpy.random")
    if numpy is None:
        return ""
    generator = numpy.mtrand._rand._bit_generator
    sequence = getattr(generator, "_seed_seq", None)
    if sequence is None:
        return "seeded"
    return "untouched" if repr(type(generator)(sequence).state) == repr(generator.state) else "drawn"


def _generators() -> str:
    """Return the kind of a generator of NumPy, other than the global one, that has drawn its seed from the system."""
    numpy: Any = sys.modules.get("numpy.random")
    if numpy is None:
        return ""
    for value in gc.get_objects():
        if issubclass(type(value), numpy.BitGenerator) and value is not numpy.mtrand._rand._bit_generator:
            entropy = getattr(getattr(value, "_seed_seq", None), "entropy", None)
            if isinstance(entropy, int) and entropy >> 64:  # nobody writes such a seed
                return f"a generator ({type(value).__name__})"
    return ""
