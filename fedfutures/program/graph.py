"""Which variables contain which others, and so change with them or travel together. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from .modules import Key, unwrapped
from .postponing import pickles_for_program
from .tokens import LRU_CACHE, Finding

pickles_for_program(__name__)


class Known(Protocol):
    """A variable, as the graph sees it."""

    own: bytes
    value: Any
    finding: Finding


class Graph:
    """The variables of a snapshot."""

    def __init__(self, variables: Mapping[Key, Known]) -> None:
        self._variables = variables
        self._depends: dict[Key, list[Key]] = {}

    def own(self, key: Key) -> bytes:
        """Return a variable's token by itself."""
        return self._variables[key].own

    def depends_on(self, key: Key) -> list[Key]:
        """Return the variables that this one consists of, directly or through others."""
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
        """Return this variable and those that both contain it and are inside it, classes aside."""
        return sorted(
            part for part in {key, *self.depends_on(key)} if part == key or key in closure(part, self._parts_of)
        )

    def _parts_of(self, key: Key) -> Iterable[Key]:
        variable = self._variables.get(key)
        return () if variable is None or isinstance(variable.value, type) else variable.finding.reach.parts


def closure(key: Key, inside: Callable[[Key], Iterable[Key]]) -> set[Key]:
    """Return what is inside a variable, directly or through others; the variable itself only if it is inside itself."""
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
    """Return the variables that one consists of; members of classes aside, since those are set in the class.

    `with_reads`: a cache depends on the variables that its function reads, too, since its entries come from them.
    """

    def inside(key: Key) -> Iterable[Key]:
        finding = finding_of(key)
        if finding is None:
            return ()
        parts = finding.reach.parts | finding.reach.reads if with_reads else finding.reach.parts
        return [part for part in parts if finding_of(part) is not None]

    return sorted(closure(key, inside) - {key})


def combined(own: bytes, parts: Iterable[tuple[Key, bytes]]) -> bytes:
    """Return the token of a value and of the parts that it consists of."""
    parts = list(parts)
    if not parts:
        return own
    digest = hashlib.blake2b(own, digest_size=16)
    for key, token in parts:
        digest.update(repr(key).encode("utf-8", "surrogatepass") + token)
    return digest.digest()
