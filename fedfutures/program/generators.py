"""Finds generators of random numbers whose copies all Workers draw the same numbers from.

Each Worker has a copy of the program's generators, and a program that seeds the global ones at its top gives them equal
states in all Workers. A Worker notes the state in which it got each; when asked, it reports those that have changed.
"""

from __future__ import annotations

import hashlib
import pickle
import random
import sys
from collections.abc import Iterable
from typing import Any

from .modules import Key, lookup


class Generators:
    """The generators of this process, and their first states."""

    def __init__(self) -> None:
        self._given: dict[Key, tuple[Any, bytes]] = {}
        self._drawn: dict[Key, str] = {}
        self._at_first: dict[str, bytes] = {}

    def note(self, keys: Iterable[Key]) -> None:
        """Note the generators among variables that have just got values, or are seen for the first time."""
        for key in keys:
            value = lookup(key)
            if not is_generator(value):
                continue
            if key in self._given:
                self._look(key)
            self._given[key] = value, digest_of_state(value)

    def begin(self) -> None:
        """Note the states of the global generators, right after the import of the program."""
        self._at_first = _global_states()

    def report(self) -> dict[str, Any]:
        """Return the generators that Futures have drawn from: variables with types, global ones with first states."""
        for key in list(self._given):
            self._look(key)
        now = _global_states()
        return {
            "variables": [[*key, kind] for key, kind in sorted(self._drawn.items())],
            "global": {name: state for name, state in self._at_first.items() if now.get(name) != state},
        }

    def _look(self, key: Key) -> None:
        value, state = self._given[key]
        if digest_of_state(value) != state:
            self._drawn[key] = _kind_of(value)


def _kind_of(value: Any) -> str:
    """Return the name of a type as programs write it."""
    kind = type(value)
    numpy: Any = sys.modules.get("numpy.random")
    is_of_numpy = numpy is not None and getattr(numpy, kind.__name__, None) is kind
    return f"{'numpy.random' if is_of_numpy else kind.__module__}.{kind.__qualname__}"


def is_generator(value: Any) -> bool:
    """Whether a value is a generator of random numbers that has a seed.

    >>> is_generator(random.Random(1)), is_generator(random.SystemRandom()), is_generator(random)
    (True, False, False)
    """
    kinds: tuple[type, ...] = (random.Random,)
    numpy: Any = sys.modules.get("numpy.random")
    if numpy is not None:
        kinds += (numpy.Generator, numpy.RandomState)
    return isinstance(value, kinds) and not isinstance(value, (random.SystemRandom, type))


def digest_of_state(value: Any) -> bytes:
    """Return a digest of a generator's state; b"" for one that does not tell it.

    >>> digest_of_state(random.Random(1)) == digest_of_state(random.Random(1)) != digest_of_state(random.Random(2))
    True
    """
    try:
        if isinstance(value, random.Random):
            state: Any = value.getstate()
        elif hasattr(value, "bit_generator"):
            state = value.bit_generator.state
        else:
            state = value.get_state(legacy=False)
        return hashlib.blake2b(pickle.dumps(state), digest_size=16).digest()
    except Exception:
        return b""


def _global_states() -> dict[str, bytes]:
    states = {"random": digest_of_state(random._inst)}
    numpy: Any = sys.modules.get("numpy.random")
    if numpy is not None:
        states["numpy.random"] = digest_of_state(numpy.mtrand._rand)
    return states
