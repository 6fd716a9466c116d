"""The Origin's side of imports on other hosts: finds the text of a module without importing anything.

What the program brings along may travel: modules and packages in places of ``sys.path`` that are neither the standard
library nor where packages are installed. Those, and compiled extensions, have to be on the host itself; the answer then
says so. Texts are as they were when first asked for in this run, however the files change meanwhile.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from typing import Any

from ..host.here import program_here
from ..node import events as rules
from ..program.modules import OWN, is_installed
from ..program.snapshots import asked_for, key_of
from ..program.variables import Snapshot
from ..wire.modules import MAIN, REASON_CHARACTERS_AT_MOST, Module, is_files, name_of, pack_files
from ..wire.payload import Payloads
from .definer import Definer
from .driver import Driver
from .package_files import has_data, read_files

TOLD_AT_MOST = 1024


class NotToBeHad(Exception):
    """There is no text for a module; why, for people: ``{host}`` and ``{python}`` stand for the asking Worker's."""


class Provider:
    """Answers what Workers ask of this Origin: modules, where their host lacks them, and the program's variables."""

    def __init__(self, driver: Driver, payloads: Payloads, definer: Definer) -> None:
        self._driver, self._payloads, self._definer = driver, payloads, definer
        self._told: dict[bytes, None] = {}
        self._known: dict[bytes, bytes] = {}
        self._host = os.uname().nodename.partition(".")[0] or "the Origin"

    def answer(self, action: rules.Asked) -> None:
        """Send what was asked for, or why there is none. The node's lock is held."""
        kind, what, _ = asked_for(action.key)
        if kind:
            self._answer_of_program(action.key, kind, what)
            return
        name, reason, body = name_of(action.key), "", self._known.get(action.key, b"")
        if not body:
            try:
                body = self._sealed(action.key, self._read(action.key, name))
            except NotToBeHad as error:
                reason = str(error)
            except Exception as error:
                reason = f"the Origin on {self._host} cannot read it: {error!r}"
            else:
                self._known[action.key] = body
        self._provide(action.key, reason or name, body)

    def _read(self, key: bytes, name: str) -> bytes:
        if name == MAIN:
            return program_module(program_here()).pack()
        module = find_module(name, self._host)
        return pack_files(read_files(os.path.dirname(module.file))) if is_files(key) else module.pack()

    def _answer_of_program(self, key: bytes, kind: str, what: bytes) -> None:
        body, reason = None, "the Origin has dropped it, because none of its open Futures needs it"
        try:
            body = self._definer.body_of(kind, what)
        except Exception as error:
            reason = f"it cannot be pickled: {error!r}"
        self._provide(key, reason if body is None else kind, b"" if body is None else self._sealed(key, body))

    def _provide(self, key: bytes, said: str, body: bytes) -> None:
        self._driver.step(rules.Provide(key, said[:REASON_CHARACTERS_AT_MOST], body))

    def tell(self, snapshot: Snapshot) -> None:
        """Send a snapshot to the Broker before the first Futures that see it. The node's lock is held."""
        if snapshot.digest in self._told:
            return
        self._told[snapshot.digest] = None
        if len(self._told) > TOLD_AT_MOST:
            del self._told[next(iter(self._told))]
        key = key_of("state", snapshot.digest, self._driver.name)
        self._driver.step(rules.Provide(key, "state", self._sealed(key, snapshot.body)))

    def _sealed(self, key: bytes, body: bytes) -> bytes:
        seal = self._payloads.seal
        return body if seal is None else seal.stamp_of_module(key).seal(0, body)


def program_module(program: tuple[str, str] | None) -> Module:
    """Return the program itself."""
    if program is None:
        raise NotToBeHad("the Origin's program has no main guard or is no file, so Workers cannot import it")
    kind, place = program
    if kind == "module":
        found = importlib.util.find_spec(place)
        if found is None or found.origin is None:
            raise NotToBeHad(f"the Origin's program {place} is no file")
        place = found.origin
    with open(place, "rb") as file:
        return Module(False, place, file.read())


def find_module(name: str, host: str) -> Module:
    """Return the module of this name; raises :class:`NotToBeHad`."""
    top = name.partition(".")[0]
    if top in OWN:
        raise NotToBeHad(f"{top} has to be installed on each host, because the versions there may differ")
    if top in sys.stdlib_module_names:
        version = ".".join(map(str, sys.version_info[:2]))
        raise NotToBeHad(f"it belongs to the standard library of Python {version} on {host}")
    found = _find(name)
    if found is None:
        instead = _instead(top) or f"; install it on both hosts, if its package is called {top}"
        raise NotToBeHad(f"the Origin on {host} lacks it too: it is neither installed nor beside the program{instead}")
    if found.origin is not None and is_installed(found.origin):
        place = os.path.basename(os.path.dirname(found.origin.partition(f"{os.sep}{top}")[0] + os.sep))
        raise NotToBeHad(f"it is installed on {host} ({place}) but not on {{host}}{_instead(top)}")
    loader: Any = found.loader
    if loader is None:
        return Module(True, "", b"")
    if isinstance(loader, importlib.machinery.ExtensionFileLoader):
        how = _instead(top, travels=False)
        raise NotToBeHad(f"it is a compiled extension on {host} ({found.origin}), which cannot travel{how}")
    is_package = found.submodule_search_locations is not None
    if isinstance(loader, importlib.machinery.SourceFileLoader):
        is_with_data = is_package and has_data(os.path.dirname(loader.path))
        return Module(is_package, loader.path, loader.get_data(loader.path), is_with_data)
    source = loader.get_source(name) if hasattr(loader, "get_source") else None
    if source is None:
        how = _instead(top, travels=False)
        raise NotToBeHad(f"on {host} there is only bytecode of it ({found.origin}), which cannot travel{how}")
    return Module(is_package, found.origin or name, source.encode())


def _instead(top: str, *, travels: bool = True) -> str:
    from .installed import advice  # with what reads metadata

    said = advice(top, travels=travels)
    return said and f"; {said}"


def _find(name: str) -> importlib.machinery.ModuleSpec | None:
    """Find a module as an import would, package by package, but import none of them."""
    places: list[str] | None = sys.path
    found = None
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        if places is None:
            return None
        found = _find_in(".".join(parts[:count]), places)
        if found is None and count == 1:
            found = _find_by_hook(parts[0])
        if found is None:
            return None
        locations = found.submodule_search_locations
        places = None if locations is None else list(locations)
    return found


def _find_by_hook(name: str) -> importlib.machinery.ModuleSpec | None:
    """Find a module by a finder that a package has put into ``sys.meta_path``, as editable installs do."""
    for finder in sys.meta_path:
        if finder in (importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter):
            continue
        if finder is importlib.machinery.PathFinder or type(finder).__module__.startswith("fedfutures"):
            continue
        try:
            found = finder.find_spec(name, None)
        except Exception:
            continue
        if found is not None and (found.origin is not None or found.submodule_search_locations):
            return found
    return None


def _find_in(name: str, places: list[str]) -> importlib.machinery.ModuleSpec | None:
    """Find a module in the first of these places that has it; directories without ``__init__`` add up to a package."""
    from pkgutil import get_importer  # only Origins of Workers on other hosts need it

    portions: list[str] = []
    for place in places:
        finder: Any = get_importer(place or os.getcwd())
        found = None if finder is None else finder.find_spec(name)
        if found is None:
            continue
        if found.loader is not None:
            return found  # type: ignore[no-any-return]
        portions.extend(found.submodule_search_locations or ())
    if not portions:
        return None
    package = importlib.machinery.ModuleSpec(name, None, is_package=True)
    package.submodule_search_locations = portions
    return package
