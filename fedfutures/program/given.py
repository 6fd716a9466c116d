"""The token of each variable of a Worker, and the objects of its last few versions.

The first token of a variable is that of the value that the Worker's own import has made. A variable that holds the
object of another one has to come anew when that object is replaced: so the holders of each are noted.
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
_OWN_LARGE = b"own"  # the token of a value of this Worker's own that is too large to be compared
_LEFT_BEHIND = b"left behind"
"""The token of a value that holds an object which was replaced by a snapshot without the holder."""
_AS_FIRST_SEEN = b"as first seen"
"""The token of a value of the initializer's that is too large to be compared: it stays until the Origin's changes."""
_STAY = (type, types.ModuleType, LRU_CACHE)
"""Objects that Futures do not change, or that only hold values of their own version."""


class Given:
    """The tokens and the kept objects of a Worker's variables."""

    def __init__(self) -> None:
        self._tokens: dict[Key, bytes] = {}
        self._kept: defaultdict[Key, OrderedDict[bytes, Any]] = defaultdict(OrderedDict)
        self._holders: dict[Key, set[Key]] = {}  # the variables of which a value, now or kept, holds this one's
        self._parts: dict[Key, set[Key]] = {}  # whose objects the present value holds, where that is known
        self._with_classes: set[Key] = set()  # the variables that brought classes by value
        self._fills = 0  # of such classes, counted when all variables were last right
        self._first_seen: dict[
            Key, bytes
        ] = {}  # the Origin's tokens of values in place of which the initializer's stay
        self._of_initializer: set[Key] = set()

    def statistics(self) -> dict[str, int]:
        """Return the number of variables, and the largest number of versions kept of one."""
        return {"variables": len(self._tokens), "versions": max(map(len, self._kept.values()), default=0)}

    def __contains__(self, key: Key) -> bool:
        return key in self._tokens

    def differing(self, wanted: Mapping[Key, bytes]) -> list[Key]:
        """Return the variables that have other tokens than the wanted ones."""
        if fills() != self._fills:  # arguments brought classes by value, which may be those of variables
            for key in self._with_classes:
                self.leave_behind(key)
        return [key for key, token in wanted.items() if self._tokens.get(key) != token]

    def is_right(self, key: Key, token: bytes) -> bool:
        """Whether the value of a variable will do for this token."""
        known = self._tokens[key]
        return known == token or (known == _AS_FIRST_SEEN and self._first_seen.setdefault(key, token) == token)

    def is_up_to_date(self) -> None:
        """Note that all variables of a snapshot have their values, with the classes that came with these."""
        self._fills = fills()

    def take_stock(self, keys: list[Key]) -> None:
        """Compute the tokens of variables as the import has made them."""
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
        """Note the new value of a variable; `keeps_old`: keep the `old` one, too: it belongs to this variable."""
        if value is not old and self._kept[key].get(token) is value:
            self._parts.pop(key, None)  # an earlier value: which parts it holds was not written down
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
        """Whether a usable object of this version is kept: for a Future that `goes_on`, or unchanged by Futures."""
        kept, at = self._kept[key], self._kept_as(key, token)
        return at in kept and (goes_on or at == _AS_FIRST_SEEN or isinstance(kept[at], _STAY))

    def kept(self, key: Key, token: bytes) -> Any:
        """Return the kept object of a version."""
        return self._kept[key][self._kept_as(key, token)]

    def _kept_as(self, key: Key, token: bytes) -> bytes:
        is_first = _AS_FIRST_SEEN in self._kept[key] and self._first_seen.get(key) == token
        return _AS_FIRST_SEEN if is_first else token

    def came_again(self, key: Key, token: bytes, value: Any, by_the_way: set[Key]) -> None:
        """Drop what is kept of the holders of this version's former object: another object came for it."""
        if self._kept[key].get(token, value) is not value:
            for holder in self._holders_of(key) - by_the_way:
                self._kept.pop(holder, None)

    def replaced(self, key: Key, by_the_way: set[Key]) -> None:
        """Have the holders of a variable's former object come anew, whatever their tokens are."""
        present = closure(key, lambda held: {one for one in self._holders.get(held, ()) if self._holds(one, held)})
        for holder in present - {key} - by_the_way:
            self.leave_behind(holder)

    def leave_behind(self, key: Key) -> None:
        """Have a variable come anew before the next Future sees it."""
        given = self._tokens.get(key)
        if given is not None and given not in (_LEFT_BEHIND, _AS_FIRST_SEEN):
            self._kept[key][given] = lookup(key)
            self._tokens[key] = _LEFT_BEHIND

    def forget(self, keys: Iterable[Key]) -> None:
        """Drop all versions of these variables."""
        for key in keys:
            self._kept.pop(key, None)

    def keep_only_present(self, keys: Iterable[Key]) -> None:
        """Drop all former versions but classes: hooks of classes may have changed them."""
        for key in keys:
            now = self._tokens[key]
            kept = self._kept[key].items()
            self._kept[key] = OrderedDict((t, v) for t, v in kept if t == now or isinstance(v, type))

    # -- who holds whose object ------------------------------------------------------------------------------------

    def note_parts(self, holders: Iterable[Key], parts: Iterable[Key]) -> None:
        """Note that the values of `holders` hold the objects of `parts`."""
        for part in parts:
            self._holders.setdefault(part, set()).update(holders)

    def came(self, holders: Iterable[Key], parts: set[Key]) -> None:
        """New values have come for `holders`, which hold the objects of `parts`, and of no other variables."""
        self.note_parts(holders, parts)
        for holder in holders:
            self._parts[holder] = parts

    def _holds(self, holder: Key, part: Key) -> bool:
        """Whether the present value of a variable may hold the object of another one."""
        return holder not in self._parts or part in self._parts[holder]

    def _holders_of(self, key: Key) -> set[Key]:
        return closure(key, lambda held: self._holders.get(held, ())) - {key}

    def note_classes(self, keys: Iterable[Key]) -> None:
        """Note variables whose values brought classes by value."""
        self._with_classes.update(keys)

    # -- the initializer -------------------------------------------------------------------------------------------

    def before_changes(self, keys: Iterable[Key]) -> dict[Key, tuple[Any, Probe | None]]:
        """Return the values that the initializer can reach, before it runs, each large one with a probe."""
        named = Named()
        return {
            key: (value := lookup(key), large_probe(value) if examine(value, named, key).token is None else None)
            for key in keys
        }

    def keep_what_changed(self, before: dict[Key, tuple[Any, Probe | None]]) -> None:
        """Note what the initializer has set: large values stay until the program's own change.

        So does a value where the program has one that cannot travel, a lock from ``initargs``, say, as long as the
        program's is the one that was there when the initializer was packed.
        """
        for key, (value, probe) in before.items():
            if lookup(key) is not value:
                self._of_initializer.add(key)
                if probe is None:
                    self._first_seen[key] = self._tokens[key]
            if probe is not None and (lookup(key) is not value or not probe()):
                self._tokens[key] = _AS_FIRST_SEEN

    def stays(self, key: Key, token: bytes, value: Any) -> bool:
        """Whether a variable keeps the initializer's value, since the program's cannot travel."""
        if type(value) is not Unavailable or key not in self._of_initializer:
            return False
        return self._first_seen.setdefault(key, token) == token
