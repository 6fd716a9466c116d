"""Objects that several variables contain and that have no name of their own: they get one, so that they stay one.

An optimizer that holds the parameters of a model, two lists of the same records: each variable travels by itself, and
an object inside of two of them would become two. While variables are examined, each claims the objects inside it; one
that is claimed twice becomes a variable under a made-up name, by which both refer to it from then on.
"""

from __future__ import annotations

import itertools
from typing import Any

from .modules import SHARED, Key, shared_objects
from .tokens import Named

CLAIMS_AT_MOST = 5000
"""A variable of more objects is not searched for shared ones."""
KEPT = 512


class SharedObjects:
    """Which variable claims which object without a name."""

    def __init__(self) -> None:
        self._claimed: dict[int, tuple[Any, Key]] = {}
        self._numbers = itertools.count(1)
        self.stale: set[Key] = set()  # variables to be examined again, since an object inside them has got a name

    def forget(self, key: Key, claims: list[int]) -> None:
        """A variable is examined anew: what it has claimed is free."""
        for claim in claims:
            if claim in self._claimed and self._claimed[claim][1] == key:
                del self._claimed[claim]

    def has_a_name(self, key: Key, value: Any) -> None:
        """A variable's value has a name: another variable that has it inside is examined again."""
        other = self._claimed.get(id(value))
        if other is not None and other[0] is value and other[1] != key:
            self.stale.add(other[1])

    def claim(self, key: Key, claims: dict[int, Any], named: Named) -> bool:
        """Claim the objects of a variable; return whether one of them was another's, and has a name now."""
        if len(claims) > CLAIMS_AT_MOST:
            claims.clear()
        for claim, value in claims.items():
            other = self._claimed.get(claim)
            if other is not None and other[1] != key:
                self._name(value, other[1], named)
                return True
        for claim, value in claims.items():
            self._claimed[claim] = value, key
        return False

    def _name(self, value: Any, other: Key, named: Named) -> None:
        name = f"#{next(self._numbers)}"
        shared_objects[name] = value
        while len(shared_objects) > KEPT:
            del shared_objects[next(iter(shared_objects))]
        named.add((SHARED, name), value)
        self.stale.add(other)
        self.forget(other, [claim for claim, (_, owner) in self._claimed.items() if owner == other])
