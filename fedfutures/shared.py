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
    """Give constants their values, on every node. Futures submitted afterwards by this process see them.

    Raises ``PicklingError`` or whatever pickling raises. A name that is set again has the newer value everywhere soon.
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

    Raises ``KeyError`` when it is not set and no `default` is given. Do not change the value: it is one object for
    all Futures of a process. Large arrays in it are read-only.
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
    """Return where a file is that is read by Futures: in the program that file itself, in a Future a copy on its host.

    In the program, before the Futures are submitted, this makes the file known; raises OSError when it cannot be read.
    In a Future it is given the same path, and waits for the copy, which is fetched once for each host. Raises
    FileNotFoundError there when the program has not made it known. The file is not to be changed meanwhile; one that
    was changed is to be made known again.
    """
    from .worker import files

    text = os.fspath(path)
    if current.is_origin:
        what = files.described(text)
        names = [files.constant_of(known) for known in dict.fromkeys((text, what[2]))]
        set(**{name: what for name in names if current.constants.get(name) != what})
        return what[2]
    try:
        name, _, place = get(files.constant_of(text))
    except KeyError:
        raise FileNotFoundError(
            f"{text}: this file is not known; call fedfutures.shared.file({text!r}) in the program, before it submits "
            "the Futures that read it"
        ) from None
    node: Any = current.node
    return str(node.files.path_of(name, place))


def setConst(**values: object) -> None:
    """Older name of :func:`set`."""
    set(**values)


def getConst(name: str, default: Any = _MISSING, *, timeout: float = 0.0) -> Any:
    """Older name of :func:`get`."""
    return get(name, default, timeout=timeout)
