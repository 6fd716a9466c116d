"""fedfutures and what it needs, as it is installed here, for hosts that have none of it (``--provision``).

The files are those of this interpreter: fedfutures itself, and the packages that a host process imports, with their
compiled parts. So a host can have them that has the same kind of machine and the same minor version of Python. A digest
over all names and contents names the place where a host keeps them, and says whether they are what was sent.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import io
import re
import zipfile
from collections.abc import Mapping

from fedfutures.version import __version__
from fedfutures.wire.messages import PROTOCOL

from ..wheel import sources
from .hello import HostHello

NEEDED = ("cloudpickle", "greenlet", "msgpack", "pyzmq")
"""Distributions that host processes, Brokers and Workers import."""
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_")
_OLD_NAMES = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}


@functools.cache
def files_here() -> dict[str, bytes]:
    """Return the files by path, as they are to stand in a directory of ``sys.path``."""
    found = dict(sources())
    for name in NEEDED:
        for path in importlib.metadata.distribution(name).files or ():
            place = path.locate()
            text = path.as_posix()
            if not text.startswith("..") and "__pycache__" not in path.parts and place.is_file():  # type: ignore[attr-defined]
                found[text] = place.read_bytes()  # type: ignore[attr-defined]
    return found


def digest_of(files: Mapping[str, bytes]) -> str:
    """Return what :data:`..ssh.texts.command.PROVISION` computes of a directory with these files.

    >>> digest_of({"a": b"1"})[:12]
    'df1190f7f39a'
    """
    found = hashlib.sha256()
    for path in sorted(files):
        found.update(f"{path}\0{len(files[path])}\0".encode() + files[path])
    return found.hexdigest()


@functools.cache
def digest_here() -> str:
    """Return the digest of what is installed here."""
    return digest_of(files_here())


def wanted() -> str:
    """Return what a host is to have: the digest, the version and the protocol."""
    return f"{digest_here()} {__version__} {PROTOCOL}"


@functools.cache
def archive_here() -> bytes:
    """Return the files as a ZIP archive."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path, content in files_here().items():
            archive.writestr(path, content)
    return target.getvalue()


def why_not(hello: HostHello, ours: HostHello) -> str:
    """Return why a host cannot have the files of here, "" if it can."""
    if (hello.system, hello.machine) != (ours.system, ours.machine):
        return f"it is {hello.system} {hello.machine}, and this machine is {ours.system} {ours.machine}"
    theirs, least = _glibc(hello.libc), _least_glibc(ours)
    if least is not None and (theirs is None or theirs < least):
        said = hello.libc or "another libc than glibc"
        return f"it has {said}, and the compiled packages of here need glibc {'.'.join(map(str, least))}"
    return ""


def _glibc(libc: str) -> tuple[int, int] | None:
    found = re.fullmatch(r"glibc (\d+)\.(\d+).*", libc)
    return None if found is None else (int(found[1]), int(found[2]))


def _least_glibc(ours: HostHello) -> tuple[int, int] | None:
    """Return the oldest glibc that all packages run with; None where this machine has another libc."""
    if (here := _glibc(ours.libc)) is None:
        return None
    needs = [(2, 5)]
    for name in NEEDED:
        tags = (importlib.metadata.distribution(name).read_text("WHEEL") or "").split()
        if any(tag.endswith("-any") for tag in tags):
            continue
        known = [(int(found[1]), int(found[2])) for tag in tags if (found := _MANYLINUX.search(tag))]
        known += [version for tag in tags for old, version in _OLD_NAMES.items() if f"{old}_" in tag]
        needs.append(min(known, default=here))  # one that was compiled here needs what is here
    return max(needs)
