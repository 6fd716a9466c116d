"""Constants that every node of the Federation knows.

>>> from fedfutures import shared
>>> shared.set(answer=42)
>>> shared.get("answer")
42
"""

from __future__ import annotations

import os
import time
from typing import Any

from .errors import SealBroken
from .program import safe_points
from .worker import current

__all__ = ["file", "get", "getConst", "set", "setConst"]

_loaded: dict[str, tuple[Any, Any]] = {}
_MISSING = object()


def set(**values: object) -> None:
    """Set constants on every node. Futures that this process submits afterwards see them.

    Raises ``PicklingError`` or any other error of pickling. If a name is set again, every node soon has the new value.
    """
    from .wire.messages import MAX_NAME_CHARACTERS

    for name, value in values.items():
        if len(name) > MAX_NAME_CHARACTERS:
            raise ValueError(f"the name of a shared constant has {MAX_NAME_CHARACTERS} characters at most")
        _loaded.pop(name, None)
        if current.is_origin:
            current.constants[name] = value
            for origin in list(current.origins):
                origin.share(name, value)
        elif current.node is not None:
            current.node.share(name, value)
    safe_points.check()


def get(name: str, default: Any = _MISSING, *, timeout: float = 0.0) -> Any:
    """Return the value of a constant; wait up to `timeout` seconds for it to be set.

    Raises ``KeyError`` if it is not set and no `default` is given. Do not change the value: all Futures of a process
    share one object. Large arrays in it are read-only.
    """
    deadline = time.monotonic() + timeout
    while True:
        node = current.node
        if node is None:
            if name in current.constants:
                return current.constants[name]
        elif name in node.constants:
            return _load(node, name, node.constants[name])
        if time.monotonic() >= deadline:
            break
        if node is not None:
            node.service()
        safe_points.sleep(0.001)
    if default is not _MISSING:
        return default
    raise KeyError(f"no shared constant {name!r}; set it with fedfutures.shared.set({name}=...)")


def _load(node: Any, name: str, body: bytes) -> Any:
    known = _loaded.get(name)
    if known is None or known[0] is not body:
        value = body
        if node.payloads.seal is not None:
            value = node.payloads.seal.stamp_of_constant(name).open(0, body)
            if value is None:
                raise SealBroken(f"the value of the shared constant {name!r} was altered on its way")
        known = _loaded[name] = (body, node.payloads.load(value, read_only=True))
    return known[1]


def file(path: str | os.PathLike[str]) -> str:
    """Return the path of a file that Futures read: in the program the file itself, in a Future a copy on its host.

    Call it in the program before you submit the Futures: it registers the file, and raises OSError if the file cannot
    be read. In a Future, pass the same path: the call waits for the copy, which each host fetches once, and raises
    FileNotFoundError if the program has not registered the file. Do not change the file meanwhile; after a change,
    register it again.
    """
    from .worker import files

    text = os.fspath(path)
    if current.is_origin:
        what = files.described(text)
        names = [files.constant_of(known) for known in dict.fromkeys((text, what[2]))]
        set(**{name: what for name in names if current.constants.get(name) != what})
        return what[2]
    try:
        name, _, place, *digest = get(files.constant_of(text))
    except KeyError:
        raise FileNotFoundError(
            f"{text}: this file is not known; call fedfutures.shared.file({text!r}) in the program, before it submits "
            "the Futures that read it"
        ) from None
    node: Any = current.node
    return str(node.files.path_of(name, place, *digest))


setConst, getConst = set, get
"""Older names."""
