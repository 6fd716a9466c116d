"""The call of a Future, in words: read from its payload, without running code of the program."""

from __future__ import annotations

import io
import pickle
from typing import Any

from ..program.snapshots import split
from ..wire.calls import arguments_text
from ..wire.functions import Definition
from ..wire.manifest import MANIFEST

BYTES_AT_MOST = 1 << 16
PLAIN_BYTES_AT_MOST = 1000


def text_of_call(definition: Definition, payload: bytes, *, only_plain: bool = False) -> str:
    """Return a call as people write it: ``work(17)``; ``work(...)`` where the arguments are large or not to be read.

    only_plain: arguments that are more than a few numbers, strings and containers are not read.
    """
    try:
        payload = split(payload)[1]
        if len(payload) > (PLAIN_BYTES_AT_MOST if only_plain else BYTES_AT_MOST) or payload[:1] == MANIFEST:
            raise ValueError("too large")
        args, kwargs = (_Plain if only_plain else _NamesOnly)(io.BytesIO(payload)).load()
        args, kwargs = _of_item(definition.body, args, kwargs)
    except Exception:
        args, kwargs = None, {}
    return arguments_text(definition.name, None, args, kwargs)


def _of_item(body: bytes, args: Any, kwargs: Any) -> Any:
    """Return the arguments of the only item, for the slice of a map; for other calls what they are."""
    reference, inner = pickle.loads(body)
    if not isinstance(reference, str):  # no wrapper
        return args, kwargs
    if reference == "Star":
        [item] = args
        return tuple(item), {}
    if not all(len(column) == 1 for column in args):
        return None, {}
    return _of_item(inner[0], tuple(column[0] for column in args), {})


class _Named:
    """Stands for an object that is not loaded; its class has the name of what would have made it."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return object.__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def _ignore(self, *args: Any) -> None:
        pass

    __setstate__ = __setitem__ = append = extend = add = _ignore


class _Plain(pickle.Unpickler):
    """Loads numbers, strings and the built-in containers."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} is no plain value")


class _NamesOnly(pickle.Unpickler):
    """Loads numbers, strings and containers; of all else it makes stand-ins."""

    def find_class(self, module: str, name: str) -> Any:
        return type(name.rpartition(".")[2], (_Named,), {})
