"""Two functions for each class that travels: one checks what arrived and makes the object, one lists what is to leave.

Both are written from the annotations of the class and compiled when its first object arrives or leaves. So an object
costs one call, however many fields it has, and importing this costs nothing: most processes see few of the classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import RemoteProtocolError
from ..lazy_dataclass import field_types, function_of
from .messages import MAX_BATCH_FUTURES, MAX_NAME_CHARACTERS


def are_two_counts(pair: list[Any]) -> bool:
    """Whether a list is a pair of numbers that are not negative."""
    return len(pair) == 2 and all(type(one) is int and 0 <= one < 1 << 63 for one in pair)


_LIMITS = {"COUNTS": 1 << 63, "NAME": MAX_NAME_CHARACTERS, "BATCH": MAX_BATCH_FUTURES}
_KNOWN: dict[str, Any] = {
    "INFINITY": float("inf"), "INTS": {int}, "STRS": {str}, "BYTES": {bytes}, "LISTS": {list},
    "are_two_counts": are_two_counts, "_new": object.__new__,
}  # fmt: skip
_LIST = "type({0}) is list and len({0}) <= {BATCH} and set(map(type, {0})) <= "
CHECKS = {
    "int": "type({0}) is int and 0 <= {0} < {COUNTS}",
    "Signed": "type({0}) is int and -{COUNTS} < {0} < {COUNTS}",
    "str": "type({0}) is str and len({0}) <= {NAME}",
    "Text": "type({0}) is str",
    "bool": "type({0}) is bool",
    "float": "type({0}) is float and 0.0 <= {0} < INFINITY",
    "bytes": "type({0}) is bytes",
    "list[int]": _LIST + "INTS",
    "list[bytes]": _LIST + "BYTES",
    "list[str]": _LIST + "STRS and max(map(len, {0}), default=0) <= {NAME}",
    "list[list[str]]": _LIST + "LISTS and all(set(map(type, row)) <= STRS for row in {0})",
    "list[tuple[int, int]]": _LIST + "LISTS and all(map(are_two_counts, {0}))",
    "dict[str, str]": "type({0}) is dict and set(map(type, {0})) | set(map(type, {0}.values())) <= STRS",
    "dict[str, Any]": "type({0}) is dict and set(map(type, {0})) <= STRS",
}
"""By the annotation of a field, what must be true of its value."""
_TAKEN = {"list[tuple[int, int]]": "list(map(tuple, {0})) if {0} else {0}"}  # msgpack knows no tuples


def reader_of(
    kind: type[Any], header: Sequence[str], error: type[RemoteProtocolError], more: str = ""
) -> Callable[[list[Any]], Any]:
    """Return the function that makes an object of `kind` from a list: a code, the numbers of `header`, the fields.

    It returns the numbers, if there are any, and then the object; it raises `error`. `more` is an expression of field
    names: what must hold of several fields together.
    """
    types = field_types(kind)
    checks = [_check("int", name) for name in header] + [_check(types[name], name) for name in types]
    # Setting the fields takes less time than calling the constructor.
    taken = [f"_made.{name} = {_TAKEN.get(written, '{0}').format(name)}" for name, written in types.items()]
    source = f"""
def read(_parts):
    if len(_parts) != {1 + len(header) + len(types)}:
        raise _error("{kind.__name__} has {len(types)} fields, got %d" % (len(_parts) - {1 + len(header)}))
    {", ".join(["_code", *header, *types])} = _parts
    if not ({" and ".join(checks) or True}):
        raise _error(_reason(_kind, _parts[{1 + len(header)}:]))
    {f"if not ({more}): raise _error('{kind.__name__}: fields that do not go together')" if more else ""}
    {"; ".join(["_made = _new(_kind)", *taken])}
    return {", ".join([*header, "_made"])}
"""
    known = {**_KNOWN, "_error": error, "_kind": kind, "_reason": _bad_field}
    found: Callable[[list[Any]], Any] = function_of(source, "read", known)
    return found


def _check(written: str, name: str) -> str:
    return f"({CHECKS[written].format(name, **_LIMITS)})"


def _bad_field(kind: type[Any], values: list[Any]) -> str:
    """Say which field has a bad value."""
    for value, (name, written) in zip(values, field_types(kind).items()):
        if not function_of(f"holds = lambda value: {_check(written, 'value')}", "holds", dict(_KNOWN))(value):
            return f"{kind.__name__}.{name} has a bad value"
    return "no header"


def writer_of(kind: type[Any], code: int, header: Sequence[str]) -> Callable[..., tuple[Any, ...]]:
    """Return the function that lists what :func:`reader_of` reads, given an object and the numbers of `header`."""
    listed = ", ".join([str(code), *header, *(f"_object.{name}" for name in field_types(kind))])
    source = f"def write({', '.join(['_object', *header])}):\n return ({listed},)"
    found: Callable[..., tuple[Any, ...]] = function_of(source, "write", {})
    return found


class _MadeWhenAsked(dict[Any, Any]):
    """A table whose values are made by `make` of their keys, when they are first asked for."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make

    def __missing__(self, key: Any) -> Any:
        made = self[key] = self._make(key)
        return made


def readers_and_writers(
    kinds: dict[int, type[Any]], header: Sequence[str], error: type[RemoteProtocolError], called: str,
    together: dict[type[Any], str],
) -> tuple[dict[int, Callable[[list[Any]], Any]], dict[type[Any], Callable[..., tuple[Any, ...]]]]:  # fmt: skip
    """Return the functions that read by code, and those that write by class; each is made when first asked for.

    A code of none of `kinds` raises `error`, in which they are `called` so; a class of none of them raises KeyError.
    `together` has the `more` of :func:`reader_of` for those that need it.
    """
    code_of = {kind: code for code, kind in kinds.items()}

    def reader(code: int) -> Callable[[list[Any]], Any]:
        if code not in kinds:
            raise error(f"unknown {called} {code}")
        return reader_of(kinds[code], header, error, together.get(kinds[code], ""))

    return _MadeWhenAsked(reader), _MadeWhenAsked(lambda kind: writer_of(kind, code_of[kind], header))
