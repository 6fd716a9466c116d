"""Sets the variables that differ from a snapshot, each after those that its value consists of."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import FutureError, VariableNotCarried
from .fresh import Unavailable
from .given import Given
from .modules import MEMBERS, MISSING, Key, describe, lookup, members_of, namespace
from .pickling import Circle, VariableUnpickler, fills, find
from .snapshots import Seen
from .tokens import MISSING_TOKEN

Load = Callable[[bytes, Callable[[bytes, Sequence[Any]], Any]], Any]
"""Opens the payload of a value and unpickles it by the given function."""


class Setting:
    """One pass over the variables that differ."""

    def __init__(self, given: Given, seen: Seen, keys: list[Key], bodies: dict[Key, bytes], load: Load) -> None:
        self._given, self._seen, self._bodies, self._load = given, seen, bodies, load
        self._keys = set(keys)
        self._left = dict.fromkeys(sorted(keys, key=lambda key: (key[1].endswith(MEMBERS), key[1].count("."))))
        self._classes_made: set[Key] = set()
        self._ran_hooks = False

    def run(self) -> None:
        """Set all; then once more, since making a class may run hooks (``__init_subclass__``) that change variables."""
        keys = list(self._left)
        self._set_what_is_left()
        if self._classes_made:
            self._left = dict.fromkeys(key for key in keys if key not in self._classes_made)
            self._set_what_is_left()
        if self._ran_hooks:
            self._given.keep_only_present(keys)

    def _set_what_is_left(self) -> None:
        while self._left:
            self._set(next(iter(self._left)))

    def _set(self, key: Key) -> None:
        del self._left[key]
        token, old = self._seen.tokens[key], lookup(key)
        if token == MISSING_TOKEN:
            value = MISSING
        elif key not in self._bodies:
            value = self._given.kept(key, token)
        else:
            value = self._loaded(key, self._bodies[key])
            if self._given.stays(key, token, value):
                value = old
            if type(value) is Circle:
                value = self._set_circle(key, value)
            self._given.came_again(key, token, value, self._keys)
            if isinstance(value, type) and value is not old:
                self._classes_made.add(key)
        self._place(key, old, value)

    def _set_circle(self, key: Key, circle: Circle) -> Any:
        """Set variables that contain each other; return the value of this one."""
        values = dict(zip(circle.keys, circle.values))
        for other in [other for other in values if other in self._left]:
            del self._left[other]
            self._place(other, lookup(other), values[other])
        return values[key]

    def _place(self, key: Key, old: Any, value: Any) -> None:
        owner = key[0], key[1].rpartition(".")[0]
        self._given.place(key, self._seen.tokens[key], old, value, keeps_old=owner not in self._keys)
        assign(key, value)
        if value is not old:
            self._given.replaced(key, self._keys)

    def _loaded(self, key: Key, body: bytes) -> Any:
        try:
            return self._load(body, lambda *parts: self._unpickle(key, *parts))
        except FutureError:
            raise
        except Exception as error:
            return Unavailable(describe(key), "its value", f"it cannot be loaded here: {error!r}")

    def _unpickle(self, key: Key, stream: Any, buffers: Sequence[Any]) -> Any:
        unpickler = VariableUnpickler(io.BytesIO(stream), buffers, self._find)
        before = fills()
        value = unpickler.load()
        keys = value.keys if type(value) is Circle else [key]
        self._given.came(keys, set(unpickler.parts))
        if fills() != before:
            self._given.note_classes(keys)
        self._ran_hooks = self._ran_hooks or unpickler.makes_classes
        return value

    def _find(self, key: Key) -> Any:
        """Return the object of a key, as this snapshot has it."""
        if key in self._left:
            self._set(key)
        try:
            return find(key)
        except AttributeError as error:
            raise VariableNotCarried(describe(key), "the variable", str(error)) from error


def assign(key: Key, value: Any) -> None:
    """Set a variable, or remove it (MISSING)."""
    module, name = key
    owner, _, last = name.rpartition(".")
    if owner:
        _assign_member(module, owner, last, value)
        return
    names = namespace(module)
    if names is not None and value is MISSING:
        names.pop(last, None)
    elif names is not None:
        names[last] = value


def _assign_member(module: str, owner: str, name: str, value: Any) -> None:
    cls = lookup((module, owner))
    if not isinstance(cls, type):
        return
    if name == MEMBERS:
        for gone in set(members_of(cls)) - set(() if value is MISSING else value):
            assign((module, f"{owner}.{gone}"), MISSING)
        return
    with contextlib.suppress(AttributeError, TypeError):  # a class that forbids it came as a whole
        if value is MISSING:
            type.__delattr__(cls, name)
        else:
            type.__setattr__(cls, name, value)
