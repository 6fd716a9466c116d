"""Finds the names of the program's functions and classes in the bytes of a pickle.

The C pickler writes a class or function as the strings of its module and its qualified name. Most pickles name no
module of the program, which costs next to nothing to see; in the others the names are found by a regular expression,
and where that may miss some, a second pickle tells.
"""

from __future__ import annotations

import pickle
import re
import types
from typing import Any

from . import tensors
from .modules import MAIN_NAMES, MISSING, Key, lookup, program_modules
from .tokens import key_of_definition

_NAMED = re.compile(rb"(?=\x8c(.)(.{1,255}?)\x94\x93)", re.DOTALL)
"""A name behind its length; looked for from every place, for the name of the module stands right before it."""
_NAMED_BEFORE = re.compile(rb"h.\x93|j....\x93", re.DOTALL)
"""A name whose string the pickle had already, for another reason."""
STACK_GLOBAL = b"\x93"
"""Without this a pickle names nothing."""
_SOMETHING_NAMED = re.compile(rb"\x94[\x93h]", re.DOTALL)
"""Where a global is named, one of these stands, unless the strings of module and name were both data before it.

Slices of a map are long streams of plain data: to look for the names of all modules in them would cost a tenth of the
map. That case aside, this tells as much.
"""
_LARGE_BYTES = 16 << 10
_encoded: dict[str, bytes] = {}


def keys_in(stream: bytes, value: Any) -> set[Key]:
    """Return the keys of the program's functions and classes that the pickle of `value` names, and maybe others."""
    found: set[Key] = set()
    if STACK_GLOBAL not in stream:
        return found
    if len(stream) > _LARGE_BYTES and _SOMETHING_NAMED.search(stream) is None:
        return found
    for module in program_modules():
        name = _encoded.get(module)
        if name is None:
            name = _encoded[module] = module.encode("utf-8", "surrogatepass")
        if name in stream or (module in MAIN_NAMES and MAIN_NAMES[1].encode() in stream):
            if _NAMED_BEFORE.search(stream):
                return keys_by_pickling(value)
            found.update(
                (module, text)
                for length, raw in _NAMED.findall(stream)
                if len(raw) == length[0] and lookup((module, text := raw.decode("utf-8", "replace"))) is not MISSING
            )
    return found


class _Recorder(pickle.Pickler):
    """Tells which functions and classes of the program it met."""

    def __init__(self) -> None:
        super().__init__(_Nowhere(), 5, buffer_callback=lambda buffer: None)
        self.keys: set[Key] = set()
        self._tensors = tensors.reducers()

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, (type, types.FunctionType)):
            key = key_of_definition(obj)
            if key is not None:
                self.keys.add(key)
        reduce = self._tensors.get(type(obj))
        return NotImplemented if reduce is None else reduce(obj)


class _Nowhere:
    def write(self, data: Any) -> int:
        return len(data)


def keys_by_pickling(value: Any) -> set[Key]:
    """Return the keys of the program's functions and classes that a pickler meets in a value."""
    recorder = _Recorder()
    recorder.dump(value)
    return recorder.keys
