"""The house, read from the code: its rooms (folders), and what each imports."""

from __future__ import annotations

import ast
import configparser
import functools
import re
from pathlib import Path

from tests.house import tree

from .drawing import Arrow, Box, Figure

ACROSS, DOWN = 190, 82


def room_of(module: str) -> str:
    """The folder of a module, by its dotted name; modules beside the folders make up a room of their own."""
    parts = module.split(".")
    if parts[0] == "fedfutures_launcher":
        return parts[0]
    is_folder = len(parts) > 1 and tree.modules()[".".join(parts[:2])].is_package
    return ".".join(parts[:2]) if is_folder else "fedfutures"


@functools.cache
def rooms() -> dict[str, list[tree.Module]]:
    """All rooms but the composition at the top, with their modules."""
    found: dict[str, list[tree.Module]] = {}
    for name, module in tree.modules().items():
        found.setdefault(room_of(name), []).append(module)
    return found


@functools.cache
def doors() -> dict[str, set[str]]:
    """Which rooms each room imports from."""
    return {
        room: {room_of(name) for module in modules for name in tree.imports(module)} - {room}
        for room, modules in rooms().items()
    }


def depth(room: str) -> int:
    """How many rooms stand on top of each other below this one."""
    return max((depth(other) + 1 for other in doors()[room] if other != "fedfutures"), default=0)


def drawing() -> Figure:
    """The rooms, each above all that it imports; an arrow that follows from others is left out."""
    named = {room: depth(room) for room in rooms() if room != "fedfutures"}
    top = max(named.values())
    boxes = []
    for level in range(top + 1):
        row = sorted(room for room, its in named.items() if its == level)
        for place, room in enumerate(row):
            x = 400 + ACROSS * (place - (len(row) - 1) / 2) + (ACROSS / 4 if level % 2 else 0)
            boxes.append(Box(room, x, 40 + DOWN * (top - level), _label(room)))
    arrows = [
        Arrow(room, other)
        for room in named
        for other in sorted(doors()[room] & named.keys())
        if not any(other in _below(between) for between in doors()[room] & named.keys() - {other})
    ]
    return Figure("The rooms of the house", 820, 80 + DOWN * top, tuple(boxes), tuple(arrows))


def _below(room: str) -> set[str]:
    return doors()[room].union(*(_below(other) for other in doors()[room] if other != "fedfutures")) - {"fedfutures"}


def _label(room: str) -> str:
    lines = sum(module.text.count("\n") for module in rooms()[room])
    return f"{_short(room)}\n{len(rooms()[room])} modules, {lines:,} lines"


def _short(room: str) -> str:
    return "launcher/" if room == "fedfutures_launcher" else f"{room.replace('.', '/')}/"


@functools.cache
def pure() -> frozenset[str]:
    """The folders that know no clock, dice, thread, process or socket, as ``setup.cfg`` has them."""
    found = configparser.ConfigParser()
    found.read(Path(tree.ROOT) / "setup.cfg", encoding="utf-8")
    return frozenset(found["importlinter:contract:pure"]["source_modules"].split())


def rows_of_rooms() -> list[tuple[str, str, str]]:
    """Each folder with what it is and whether it is pure."""
    folders = [module for module in tree.modules().values() if module.is_package and "." in module.name]
    return [
        (f"``{module.place.rpartition('/')[0]}/``", says(module), "yes" if _is_pure(module.name) else "")
        for module in folders
    ]


def _is_pure(name: str) -> bool:
    return any(name == folder or name.startswith(folder + ".") for folder in pure())


def says(module: tree.Module) -> str:
    """The first sentence of a module's docstring, without references."""
    text = " ".join((ast.get_docstring(module.tree) or "").split())
    text = re.split(r"(?<=[.])\s", text)[0]
    return re.sub(r":\w+:`[~.]*([^`]*)`", r"``\1``", text)
