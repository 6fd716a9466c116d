"""fedfutures and what it needs, as it is installed here, for hosts that have none of it (``--provision``).

The files are those of this interpreter: fedfutures itself, the packages that a host process imports, and those that the
user names (``--provision-modules``), with their compiled parts. So a host can have them that has the same kind of
machine and the same minor version of Python. A digest over all names and contents names the place where a host keeps
them, and says whether they are what was sent.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import io
import json
import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import Distribution, PackageNotFoundError

from fedfutures.version import __version__
from fedfutures.wire.messages import PROTOCOL

from ..hosts.spec import BadHosts
from ..wheel import source_files
from .hello import HostHello
from .packages import distribution_here

NEEDED = ("cloudpickle", "greenlet", "msgpack", "pyzmq")
"""Distributions that host processes, Brokers and Workers import."""
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_")
_REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+")
_OLD_NAMES = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}


class Installation:
    """What hosts are given: fedfutures with what it needs, and the packages that have brought `modules`.

    Raises BadHosts if one of these cannot be sent.
    """

    def __init__(self, modules: Iterable[str] = ()) -> None:
        named = list(map(_distribution_of, modules))
        self.versions = {found.metadata["Name"]: found.version for found in named}
        """Of the packages that a host is to have because the user says so."""
        self._distributions = _with_requirements([*map(importlib.metadata.distribution, NEEDED), *named])

    @property
    def wanted(self) -> str:
        """What a host is to have: the digest, the version and the protocol, and each package with its version."""
        packages = [f"{name}=={version}" for name, version in self.versions.items()]
        return " ".join([self.digest, __version__, str(PROTOCOL), *packages])

    @cached_property
    def files(self) -> dict[str, str]:
        """The files, by the path that they are to have in a directory of ``sys.path``."""
        found = dict(source_files())
        for distribution in self._distributions:
            found.update(_files_of(distribution))
        return found

    @cached_property
    def digest(self) -> str:
        """What :func:`digest_of` says of the files: computed once, and again when one of them has changed."""
        stamp = hashlib.sha256(repr(sorted(map(_facts, self.files.items()))).encode()).hexdigest()
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        known = os.path.join(cache, "fedfutures", "installed.json")
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError), open(known, encoding="utf-8") as file:
            found = json.load(file)
            if found["stamp"] == stamp:
                return str(found["digest"])
        digest = digest_of(self._contents())
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(known), 0o700, exist_ok=True)
            temporary = f"{known}.{os.getpid()}"
            with open(temporary, "w", encoding="utf-8") as file:
                json.dump({"stamp": stamp, "digest": digest}, file)
            os.replace(temporary, known)
        return digest

    @cached_property
    def archive(self) -> bytes:
        """The files as a ZIP archive."""
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for path, content in self._contents().items():
                archive.writestr(path, content)
        return target.getvalue()

    def why_not(self, hello: HostHello, ours: HostHello) -> str:
        """Return why a host cannot have the files of here, "" if it can."""
        if (hello.system, hello.machine) != (ours.system, ours.machine):
            compiled = ", ".join(one.metadata["Name"] for one in self._distributions if _is_compiled(one))
            here = f"this machine is {ours.system} {ours.machine}"
            return f"it is {hello.system} {hello.machine}, and {here}, for which {compiled} are compiled"
        theirs, (least, by) = _glibc(hello.libc), self._least_glibc(ours)
        if least is not None and (theirs is None or theirs < least):
            said = hello.libc or "another libc than glibc"
            return f"it has {said}, and {by}, as it is installed here, needs glibc {'.'.join(map(str, least))}"
        return ""

    def _contents(self) -> dict[str, bytes]:
        contents = {}
        for path, place in self.files.items():
            with open(place, "rb") as file:
                contents[path] = file.read()
        return contents

    def _least_glibc(self, ours: HostHello) -> tuple[tuple[int, int] | None, str]:
        """Return the oldest glibc that all packages run with, and which needs it; None where there is another libc."""
        if (here := _glibc(ours.libc)) is None:
            return None, ""
        needs = [((2, 5), "Python")]
        for distribution in self._distributions:
            tags = (distribution.read_text("WHEEL") or "").split()
            if any(tag.endswith("-any") for tag in tags):
                continue
            known = [(int(found[1]), int(found[2])) for tag in tags if (found := _MANYLINUX.search(tag))]
            known += [version for tag in tags for old, version in _OLD_NAMES.items() if f"{old}_" in tag]
            # one that was compiled here needs what is here
            needs.append((min(known, default=here), distribution.metadata["Name"]))
        return max(needs)


@functools.cache
def installation(modules: tuple[str, ...] = ()) -> Installation:
    """Return what hosts are given, with the packages of these modules. Raises BadHosts."""
    return Installation(modules)


def digest_of(files: Mapping[str, bytes]) -> str:
    """Return what :data:`..ssh.texts.command.PROVISION` computes of a directory with these files.

    >>> digest_of({"a": b"1"})[:12]
    'df1190f7f39a'
    """
    found = hashlib.sha256()
    for path in sorted(files):
        found.update(f"{path}\0{len(files[path])}\0".encode() + files[path])
    return found.hexdigest()


def _distribution_of(module: str) -> Distribution:
    """Return the package of this name, or that has brought a module. Raises BadHosts if it is none that can be sent."""
    found = distribution_here(module.partition(".")[0])
    if found is None:
        raise BadHosts(
            f"--provision-modules {module}: no installed package of here has this name, or this module"
            " (modules of your own travel with the program)"
        )
    if not any(path.endswith((".py", ".so")) and not path.startswith("__editable__") for path, _ in _files_of(found)):
        raise BadHosts(
            f"--provision-modules {module}: nothing here says which files {found.metadata['Name']} has brought"
            " (modules of your own, installed by `pip install -e`, travel with the program)"
        )
    return found


def _with_requirements(distributions: Iterable[Distribution]) -> list[Distribution]:
    """Return packages with all that they need, as far as that is installed here."""
    found: dict[str, Distribution] = {}
    todo = list(distributions)
    while todo:
        one = todo.pop(0)
        if found.setdefault(one.metadata["Name"], one) is not one:
            continue
        for requirement in one.requires or ():
            if "extra ==" not in requirement and (name := _REQUIREMENT.match(requirement)):
                with contextlib.suppress(PackageNotFoundError):  # for another system, or another version of Python
                    todo.append(importlib.metadata.distribution(name[0]))
    return list(found.values())


def _files_of(distribution: Distribution) -> Iterator[tuple[str, str]]:
    """Yield the files of a package that belong into a directory of ``sys.path``, not its programs: (path, place)."""
    for path in distribution.files or ():
        text, place = path.as_posix(), str(path.locate())
        if not text.startswith(("..", "/")) and "__pycache__" not in path.parts and os.path.isfile(place):
            yield text, place


def _is_compiled(distribution: Distribution) -> bool:
    return any(path.endswith(".so") for path, _ in _files_of(distribution))


def _facts(item: tuple[str, str]) -> tuple[str, str, int, int, int]:
    """Return what changes when somebody writes a file."""
    path, place = item
    facts = os.stat(place)
    return path, place, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def _glibc(libc: str) -> tuple[int, int] | None:
    found = re.fullmatch(r"glibc (\d+)\.(\d+).*", libc)
    return None if found is None else (int(found[1]), int(found[2]))
