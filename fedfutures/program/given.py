"""What the variables of a Worker have been given: the token of each, and the objects of its last few versions.

The first token of a variable is that of what the Worker's own import has made. A variable whose value holds the object
of another one has to come anew when that object is replaced, so it is known who holds whose.
"""

from __future__ import annotations

import types
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from .fresh import Unavailable
from .graph import closure, combined, depends_on, is_cache
from .modules import MEMBERS, Key, lookup
from .pickling import fills
from .probes import Probe, large_probe
from .tokens import LRU_CACHE, Finding, Named, examine

VERSIONS_KEPT = 4
_OWN_LARGE = b"own"
"""The token of what is too large to be compared, and is not the Origin's."""
_LEFT_BEHIND = b"left behind"
"""The token of what holds an object that has been replaced since, by a snapshot that left the holder out."""
_AS_FIRST_SEEN = b"as first seen"
"""The token of what the initializer has set and is too large to be compared: it stays until the Origin's changes."""
_STAY = (type, types.ModuleType, LRU_CACHE)
"""What Futures do not change, or what only holds values of its own version."""


class Given:
    """The tokens and the kept objects of a Worker's variables."""

    def __init__(self) -> None:
        self._tokens: dict[Key, bytes] = {}
        self._kept: defaultdict[Key, OrderedDict[bytes, Any]] = defaultdict(OrderedDict)
        self._holders: dict[Key, set[Key]] = {}  # the variables whose values hold the object of this one
        self._with_classes: set[Key] = set()  # the variables that brought classes by value
        self._fills = 0  # of such classes, that variables have caused or that are allowed for
        self._first_seen: dict[Key, bytes] = {}  # tokens of the Origin's that stand for what the initializer has set
        self._of_initializer: set[Key] = set()

    def statistics(self) -> dict[str, int]:
        """Return the number of variables, and of the versions kept of the one with most."""
        return {"variables": len(self._tokens), "versions": max(map(len, self._kept.values()), default=0)}

    def __contains__(self, key: Key) -> bool:
        return key in self._tokens

    def differing(self, wanted: Mapping[Key, bytes]) -> list[Key]:
        """Return the variables whose tokens are not those that are wanted."""
        if fills() != self._fills:  # arguments brought classes by value, which may be those of variables
            for key in self._with_classes:
                self.leave_behind(key)
        return [key for key, token in wanted.items() if self._tokens.get(key) != token]

    def is_right(self, key: Key, token: bytes) -> bool:
        """Whether a variable needs no other value for this token."""
        known = self._tokens[key]
        return known == token or (known == _AS_FIRST_SEEN and self._first_seen.setdefault(key, token) == token)

    def is_up_to_date(self) -> None:
        """All variables of a snapshot have been given their values, whatever classes came with these."""
        self._fills = fills()

    def take_stock(self, keys: list[Key]) -> None:
        """Compute the tokens of what the import has made of these variables."""
        named = Named()
        findings: dict[Key, Finding] = {}
        left = keys.copy()
        while left:
            key = left.pop()
            if key not in findings:
                findings[key] = found = examine(lookup(key), named, key)
                self.note_parts([key], found.reach.parts)
                left.extend(found.reach.parts)
                if is_cache(lookup(key)):
                    left.extend(found.reach.reads)
        tokens = {key: found.token or _OWN_LARGE for key, found in findings.items()}
        for key in keys:
            parts = depends_on(key, findings.get, is_cache(lookup(key)))
            self._tokens[key] = combined(tokens[key], ((part, tokens[part]) for part in parts))

    # -- versions --------------------------------------------------------------------------------------------------

    def place(self, key: Key, token: bytes, old: Any, value: Any, *, keeps_old: bool) -> None:
        """A variable is given a value in place of `old`, which is kept, too, if that is a value of its own."""
        if not key[1].endswith(MEMBERS):  # only what came last tells the members of a class
            kept = self._kept[key]
            if keeps_old and self._tokens[key] != _LEFT_BEHIND:
                kept[self._tokens[key]] = old
            kept[token] = value
            kept.move_to_end(token)
            while len(kept) > VERSIONS_KEPT:
                kept.popitem(last=False)
        self._tokens[key] = token

    def has(self, key: Key, token: bytes, *, goes_on: bool) -> bool:
        """Whether an object of this version is kept that can be used again.

        `goes_on`: by a Future that has begun to use it. Others find each version as the program had it.
        """
        kept, at = self._kept[key], self._kept_as(key, token)
        return at in kept and (goes_on or at == _AS_FIRST_SEEN or isinstance(kept[at], _STAY))

    def kept(self, key: Key, token: bytes) -> Any:
        """Return the object of a version that is kept."""
        return self._kept[key][self._kept_as(key, token)]

    def _kept_as(self, key: Key, token: bytes) -> bytes:
        is_first = _AS_FIRST_SEEN in self._kept[key] and self._first_seen.get(key) == token
        return _AS_FIRST_SEEN if is_first else token

    def came_again(self, key: Key, token: bytes, value: Any, by_the_way: set[Key]) -> None:
        """A value came: where an object of this version is kept, what is kept of its holders is with that one."""
        if self._kept[key].get(token, value) is not value:
            for holder in self._holders_of(key) - by_the_way:
                self._kept.pop(holder, None)

    def replaced(self, key: Key, by_the_way: set[Key]) -> None:
        """A variable has another object: have what holds the former one come anew, whatever its token is."""
        for holder in self._holders_of(key) - by_the_way:
            self.leave_behind(holder)

    def leave_behind(self, key: Key) -> None:
        """Have a variable come anew before a Future sees it, whatever its token is."""
        given = self._tokens.get(key)
        if given is not None and given not in (_LEFT_BEHIND, _AS_FIRST_SEEN):
            self._kept[key][given] = lookup(key)
            self._tokens[key] = _LEFT_BEHIND

    def forget(self, keys: Iterable[Key]) -> None:
        """Keep nothing of these variables."""
        for key in keys:
            self._kept.pop(key, None)

    def keep_only_present(self, keys: Iterable[Key]) -> None:
        """Hooks of classes may have changed what was here before: keep classes, and what is there now."""
        for key in keys:
            now = self._tokens[key]
            kept = self._kept[key].items()
            self._kept[key] = OrderedDict((t, v) for t, v in kept if t == now or isinstance(v, type))

    # -- who holds whose object ------------------------------------------------------------------------------------

    def note_parts(self, holders: Iterable[Key], parts: Iterable[Key]) -> None:
        """The values of these variables hold the objects of those."""
        for part in parts:
            self._holders.setdefault(part, set()).update(holders)

    def _holders_of(self, key: Key) -> set[Key]:
        return closure(key, lambda held: self._holders.get(held, ())) - {key}

    def note_classes(self, keys: Iterable[Key]) -> None:
        """The values of these variables brought classes by value."""
        self._with_classes.update(keys)

    # -- the initializer -------------------------------------------------------------------------------------------

    def before_changes(self, keys: Iterable[Key]) -> dict[Key, tuple[Any, Probe | None]]:
        """Return what the initializer can reach, before it runs, with what tells whether a large value has changed."""
        named = Named()
        return {
            key: (value := lookup(key), large_probe(value) if examine(value, named, key).token is None else None)
            for key in keys
        }

    def keep_what_changed(self, before: dict[Key, tuple[Any, Probe | None]]) -> None:
        """The initializer has run: large values that it has set stay until the program's own change.

        So does what it has set where the program has something that cannot travel, a lock that it was given, say.
        """
        for key, (value, probe) in before.items():
            if lookup(key) is not value:
                self._of_initializer.add(key)
            if probe is not None and (lookup(key) is not value or not probe()):
                self._tokens[key] = _AS_FIRST_SEEN

    def stays(self, key: Key, token: bytes, value: Any) -> bool:
        """Whether a variable keeps what the initializer has set, since the program's value cannot be had."""
        if type(value) is not Unavailable or key not in self._of_initializer:
            return False
        return self._first_seen.setdefault(key, token) == token
