"""Gives a name to an object inside two variables, as the parameters in a model and its optimizer.

Each variable travels by itself, so the object would become two. Each variable that is examined claims the objects
inside it; an object that is claimed twice becomes a variable under a made-up name, by which both refer to it.
"""

from __future__ import annotations

import itertools
from typing import Any

from .modules import SHARED, Key, shared_objects
from .tokens import Named

CLAIMS_AT_MOST = 5000  # in variables of more objects, shared ones are not found
KEPT = 512


class SharedObjects:
    """The claims of variables on objects without a name."""

    def __init__(self) -> None:
        self._claimed: dict[int, tuple[Any, Key]] = {}
        self._numbers = itertools.count(1)
        self.stale: set[Key] = set()  # variables to be examined again, since an object inside them has got a name

    def forget(self, key: Key, claims: list[int]) -> None:
        """Drop the claims of a variable that is examined anew."""
        for claim in claims:
            if claim in self._claimed and self._claimed[claim][1] == key:
                del self._claimed[claim]

    def has_a_name(self, key: Key, value: Any) -> None:
        """Have another variable that contains this one's value examined again, now that the value has a name."""
        other = self._claimed.get(id(value))
        if other is not None and other[0] is value and other[1] != key:
            self.stale.add(other[1])

    def claim(self, key: Key, claims: dict[int, Any], named: Named) -> bool:
        """Claim the objects of a variable; return whether one was claimed by another, and has got a name."""
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
