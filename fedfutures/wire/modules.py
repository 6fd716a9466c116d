"""Modules on their way to Workers whose host does not share the Origin's files. Pure.

A module travels as a definition does (:class:`.messages.Function`), once over each link; a key that contains its name
asks for it. The body is msgpack of what an import needs: the text of the module, never its bytecode, which another
Python could not run. An empty body says that there is no such module; the name of the ``Function`` then says why. The
files in the directory of a package are asked for by another key.
"""

from __future__ import annotations

from typing import NamedTuple

from ..program.snapshots import PREFIXES
from .codec import pack_plain, unpack_plain

_PREFIX = b"import "
_FILES_PREFIX = b"files "
_ASKED_FOR = (_PREFIX, _FILES_PREFIX, *PREFIXES)
MAIN = "__main__"
"""The name by which the program itself is asked for."""
REASON_CHARACTERS_AT_MOST = 500


class Module(NamedTuple):
    """What an import needs; a package of no file (a namespace package) has `file` ""."""

    is_package: bool
    file: str
    source: bytes
    has_data: bool = False  # a package in whose directory are other files than its modules

    def pack(self) -> bytes:
        """Return the body.

        >>> unpack(Module(False, "/p/a.py", b"x = 1").pack())
        Module(is_package=False, file='/p/a.py', source=b'x = 1', has_data=False)
        """
        return pack_plain(list(self))


def unpack(body: bytes) -> Module:
    """Return the module of a body; raises ValueError when it is none."""
    values = unpack_plain(body)
    if type(values) is not list or [type(value) for value in values] != [bool, str, bytes, bool]:
        raise ValueError("not a module")
    return Module(*values)


def pack_files(files: dict[str, bytes]) -> bytes:
    """Return the body with the files of a package, by their path in its directory.

    >>> unpack_files(pack_files({"table.txt": b"42"}))
    {'table.txt': b'42'}
    """
    return pack_plain([[path, content] for path, content in files.items()])


def unpack_files(body: bytes) -> dict[str, bytes]:
    """Return the files of a body; raises ValueError when it holds none, or one that would be somewhere else."""
    values = unpack_plain(body)
    if type(values) is not list or any(
        type(one) is not list or [type(part) for part in one] != [str, bytes] or not is_inside(one[0]) for one in values
    ):
        raise ValueError("not the files of a package")
    return dict(values)


def is_inside(path: str) -> bool:
    """Whether a relative path, with slashes, is one below its directory and nowhere else.

    >>> [is_inside(path) for path in ("a/b.txt", "../a", "/a", "a//b", "")]
    [True, False, False, False, False]
    """
    parts = path.split("/")
    return "\0" not in path and not {"", ".", ".."} & set(parts)


def key_of(name: str) -> bytes:
    """Return the key by which a module is asked for.

    >>> key_of("a.b")
    b'import a.b'
    """
    return _PREFIX + name.encode("utf-8", "surrogatepass")


def files_key_of(name: str) -> bytes:
    """Return the key by which the files of a package are asked for.

    >>> files_key_of("a.b"), is_files(files_key_of("a.b")), is_files(key_of("a.b")), name_of(files_key_of("a.b"))
    (b'files a.b', True, False, 'a.b')
    """
    return _FILES_PREFIX + name.encode("utf-8", "surrogatepass")


def is_files(key: bytes) -> bool:
    """Whether a key asks for the files of a package."""
    return key.startswith(_FILES_PREFIX)


def is_module(key: bytes) -> bool:
    """Whether this is the key of a module, a snapshot or a value of the program, not the digest of a function.

    >>> is_module(b"import a"), is_module(b"import 012345678"), is_module(b"0123456789abcdef")
    (True, True, False)
    """
    return key.startswith(_ASKED_FOR)


def name_of(key: bytes) -> str:
    """Return the name of the module that a key asks for, or whose files it asks for.

    >>> name_of(b"import a.b")
    'a.b'
    """
    name = key.partition(b" ")[2]
    try:
        return name.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:  # no module has this name
        return name.decode("utf-8", "replace")
