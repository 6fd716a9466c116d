"""Finds the names of the program's functions and classes in the bytes of a pickle.

The C pickler writes a class or function as the strings of its module and its qualified name. Most pickles name no
module of the program, which is seen at once; in the others a regular expression finds the names, and where that may
miss some, the value is pickled again.
"""

from __future__ import annotations

import re
from typing import Any

from .modules import MAIN_NAMES, MISSING, Key, lookup, program_modules
from .pickling import dump_by_value

_NAMED = re.compile(rb"(?=\x8c(.)(.{1,255}?)\x94\x93)", re.DOTALL)
"""A name behind its length. It is only looked ahead at: the module's name right before it may match, too."""
_NAMED_BEFORE = re.compile(rb"h.\x93|j....\x93", re.DOTALL)  # a name whose string the pickle had already, as data
STACK_GLOBAL = b"\x93"  # the operation without which a pickle names nothing
_SOMETHING_NAMED = re.compile(rb"\x94[\x93h]", re.DOTALL)
"""Stands where a global is named, unless the strings of its module and its name were both data before it.

For long streams that has to do: slices of a map are plain data, and to search them for the names of all modules would
cost a tenth of the map.
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
                return dump_by_value(value, lambda buffer: None)[1].parts
            found.update(
                (module, text)
                for length, raw in _NAMED.findall(stream)
                if len(raw) == length[0] and lookup((module, text := raw.decode("utf-8", "replace"))) is not MISSING
            )
    return found
