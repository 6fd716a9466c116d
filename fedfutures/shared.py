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

__all__ = ["array", "file", "get", "getConst", "set", "setConst"]

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


def array(shape: int | tuple[int, ...], dtype: Any = float, *, live: bool = False) -> Any:
    """Return a NumPy array of zeros in shared memory: Futures on this host get its memory, not a copy.

    Fill it, and pass it to Futures whole, as any other array. They see it as it was when they were submitted: what is
    written to it later is this process's own, for the system copies the pages that are written meanwhile. A Future may
    make one, too, and return it. Parts, such as slices, are copied.

    live
        All Futures of this host write to the same memory, and see at once what others write. They have to agree on who
        writes where: nothing is locked, and a Future that is run again finds what it has written before. A Future may
        pass it on. :class:`~fedfutures.errors.NotSupportedHere` is raised where it is passed to Futures in a Federation
        of several hosts, and on systems other than Linux.

    Raises ``ImportError`` without NumPy, ``TypeError`` for a `dtype` that holds Python objects, ``ValueError`` for a
    negative size, and :class:`~fedfutures.errors.NoRoom` where no directory of the host has room. Small arrays that are
    not live, and those of other systems than Linux, are ordinary ones.

    >>> from fedfutures import shared
    >>> table = shared.array((1000, 1000))
    >>> table[3, 4] = 5.0
    """
    from .worker.blocks import array_of

    origin = current.node or next(iter(current.origins), None)
    return array_of(shape, dtype, None if origin is None else origin.payloads.segments, is_live=live)


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
