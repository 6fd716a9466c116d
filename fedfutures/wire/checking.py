"""One function for each class that travels: it checks what arrived, field by field, and makes the object.

The checks are written from the annotations of a class as one expression, and compiled when the first such message
arrives: so taking one in costs one call, however many fields it has, and importing this costs nothing. Most processes
see a few of the fifty classes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import RemoteProtocolError
from ..lazy_dataclass import field_types, function_of
from .messages import MAX_BATCH_FUTURES, MAX_NAME_CHARACTERS

_KNOWN = {
    "COUNTS": 1 << 63, "NAME": MAX_NAME_CHARACTERS, "BATCH": MAX_BATCH_FUTURES, "INFINITY": float("inf"),
    "INTS": {int}, "STRS": {str}, "BYTES": {bytes}, "LISTS": {list},
}  # fmt: skip
_LIST = "type({0}) is list and len({0}) <= BATCH and (not {0} or set(map(type, {0})) == "
CHECKS = {
    "int": "type({0}) is int and 0 <= {0} < COUNTS",
    "Signed": "type({0}) is int and -COUNTS < {0} < COUNTS",
    "str": "type({0}) is str and len({0}) <= NAME",
    "Text": "type({0}) is str",
    "bool": "type({0}) is bool",
    "float": "type({0}) is float and 0.0 <= {0} < INFINITY",
    "bytes": "type({0}) is bytes",
    "list[int]": _LIST + "INTS)",
    "list[bytes]": _LIST + "BYTES)",
    "list[str]": _LIST + "STRS and max(map(len, {0})) <= NAME)",
    "list[list[str]]": _LIST + "LISTS and all(set(map(type, row)) <= STRS for row in {0}))",
    "list[tuple[int, int]]": _LIST + "LISTS and all(map(are_two_counts, {0})))",
    "dict[str, str]": "type({0}) is dict and set(map(type, {0})) | set(map(type, {0}.values())) <= STRS",
    "dict[str, Any]": "type({0}) is dict and set(map(type, {0})) <= STRS",
}
"""By the annotation of a field, what must be true of its value."""
_TAKEN = {"list[tuple[int, int]]": "list(map(tuple, {0})) if {0} else {0}"}  # msgpack knows no tuples


def are_two_counts(pair: list[Any]) -> bool:
    """Whether a list is a pair of numbers that are not negative."""
    return len(pair) == 2 and all(type(one) is int and 0 <= one < 1 << 63 for one in pair)


def reader_of(
    kind: type[Any], header: Sequence[str], error: type[RemoteProtocolError], more: str = ""
) -> Callable[[list[Any]], Any]:
    """Return the function that makes an object of `kind` of a list: a code, the numbers of `header`, the fields.

    It returns the object, behind the numbers if there are any, and raises `error`. `more` is what no single field can
    show, as an expression of their names.
    """
    types = field_types(kind)
    checks = [_check("int", name) for name in header] + [_check(types[name], name) for name in types]
    taken = ", ".join(_TAKEN.get(written, "{0}").format(name) for name, written in types.items())
    source = f"""
def read(_parts):
    if len(_parts) != {1 + len(header) + len(types)}:
        raise _error("{kind.__name__} has {len(types)} fields, got %d" % (len(_parts) - {1 + len(header)}))
    {", ".join(["_code", *header, *types])} = _parts
    if not ({" and ".join(checks) or True}):
        raise _error(_reason(_kind, _parts[{1 + len(header)}:]))
    {f"if not ({more}): raise _error('{kind.__name__}: fields that do not go together')" if more else ""}
    return {", ".join([*header, f"_kind({taken})"])}
"""
    known: dict[str, Any] = {
        **_KNOWN, "are_two_counts": are_two_counts, "_error": error, "_kind": kind, "_reason": _bad_field
    }  # fmt: skip
    found: Callable[[list[Any]], Any] = function_of(source, "read", known)
    return found


def _check(written: str, name: str) -> str:
    return f"({CHECKS[written].format(name)})"


def _bad_field(kind: type[Any], values: list[Any]) -> str:
    """Return which field is not as it should be."""
    known = {**_KNOWN, "are_two_counts": are_two_counts}
    for value, (name, written) in zip(values, field_types(kind).items()):
        if not function_of(f"holds = lambda value: {_check(written, 'value')}", "holds", known)(value):
            return f"{kind.__name__}.{name} has a bad value"
    return "no header"


def writer_of(kind: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what reads all fields of an object, in C where there are two or more."""
    names = list(field_types(kind))
    if len(names) > 1:
        return operator.attrgetter(*names)
    return lambda message: tuple(getattr(message, name) for name in names)
