"""Which variables contain which others. Pure.

Where one changes, those that contain it are other objects, too. Variables that contain each other travel together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from .modules import Key, unwrapped
from .postponing import pickles_for_program
from .tokens import LRU_CACHE, Finding

pickles_for_program(__name__)


class Known(Protocol):
    """What the graph needs of a variable."""

    own: bytes
    value: Any
    finding: Finding


class Graph:
    """Which variables contain which, among those that a snapshot has."""

    def __init__(self, variables: Mapping[Key, Known]) -> None:
        self._variables = variables
        self._depends: dict[Key, list[Key]] = {}

    def own(self, key: Key) -> bytes:
        """Return a variable's token by itself."""
        return self._variables[key].own

    def depends_on(self, key: Key) -> list[Key]:
        """Return the variables whose change makes another object of this one: those it consists of, and so on."""
        if key not in self._depends:
            variable = self._variables.get(key)
            if variable is None or not (variable.finding.reach.parts or is_cache(variable.value)):
                return []
            self._depends[key] = depends_on(key, self._finding_of, is_cache(variable.value))
        return self._depends[key]

    def _finding_of(self, key: Key) -> Finding | None:
        variable = self._variables.get(key)
        return None if variable is None else variable.finding

    def circle_of(self, key: Key) -> list[Key]:
        """Return the variables that contain this one and are contained in it, itself too, classes aside."""
        return sorted(
            part for part in {key, *self.depends_on(key)} if part == key or key in closure(part, self._parts_of)
        )

    def _parts_of(self, key: Key) -> Iterable[Key]:
        variable = self._variables.get(key)
        return () if variable is None or isinstance(variable.value, type) else variable.finding.reach.parts


def closure(key: Key, inside: Callable[[Key], Iterable[Key]]) -> set[Key]:
    """Return what is inside of a variable, inside of that, and so on; itself only if it is inside of itself."""
    found: set[Key] = set()
    left = [key]
    while left:
        new = set(inside(left.pop())) - found
        found |= new
        left.extend(new)
    return found


def is_cache(value: Any) -> bool:
    """Whether this is an ``lru_cache``, maybe as a static or class method."""
    return type(unwrapped(value)) is LRU_CACHE


def depends_on(key: Key, finding_of: Callable[[Key], Finding | None], with_reads: bool) -> list[Key]:
    """Return what a variable consists of, and that of; members of classes aside, since those are set in the class.

    A cache depends on all that its function reads (`with_reads`), too: what it has kept would be of other values.
    """

    def inside(key: Key) -> Iterable[Key]:
        finding = finding_of(key)
        if finding is None:
            return ()
        parts = finding.reach.parts | finding.reach.reads if with_reads else finding.reach.parts
        return [part for part in parts if finding_of(part) is not None]

    return sorted(closure(key, inside) - {key})


def combined(own: bytes, parts: Iterable[tuple[Key, bytes]]) -> bytes:
    """Return the token of a value together with those of what it consists of."""
    parts = list(parts)
    if not parts:
        return own
    digest = hashlib.blake2b(own, digest_size=16)
    for key, token in parts:
        digest.update(repr(key).encode("utf-8", "surrogatepass") + token)
    return digest.digest()
