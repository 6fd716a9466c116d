"""Figures of the structure; each is also what a test of this folder holds to."""

from __future__ import annotations

import ast
import builtins
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from . import tree
from .tree import Class, Module

MODULE_NAME = re.compile(r"fedfutures(_launcher)?(\.[a-z_]+)+")
STANDARD_FIELDS = frozenset(name for kind in vars(builtins).values() if isinstance(kind, type) for name in dir(kind))
"""What objects of Python itself have: ``error.args = …`` is no field of ours."""


def circles() -> list[list[str]]:
    """Groups of modules that import each other, directly or through others."""
    graph = {name: tree.imports(module) for name, module in tree.modules().items()}
    reachable = {name: _reachable(graph, name) for name in graph}
    groups = {
        tuple(sorted({name, *(other for other in reachable[name] if name in reachable[other])}))
        for name in graph
        if name in reachable[name]
    }
    return [list(group) for group in sorted(groups)]


def _reachable(graph: dict[str, set[str]], name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for other in graph[waiting.pop()] - found:
            found.add(other)
            waiting.append(other)
    return found


def named_modules() -> Iterator[str]:
    """Strings that name a module of the product, in code (docstrings and what is shown by an example aside)."""
    for module in tree.modules().values():
        for node in module.nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and MODULE_NAME.fullmatch(node.value):
                yield f"{module.place}:{node.lineno} {node.value}"


def attributes_of(found: Class) -> set[str]:
    """What a class and its bases assign on self."""
    names = set(found.assigned)
    for base in found.bases:
        for other in _base_of(found, base):
            names |= attributes_of(other)
    return names


def _base_of(found: Class, base: str) -> list[Class]:
    """The class that is meant by a name: of the same module, or of one that it imports."""
    named = [other for other in tree.classes() if other.name == base and other is not found]
    near = [other for other in named if other.module is found.module]
    imported = tree.imports(found.module)
    return near or [other for other in named if other.module.name in imported]


def large_classes(count: int) -> dict[str, int]:
    """The classes that have at least so many attributes, with how many they have."""
    sizes = {f"{one.module.place}:{one.name}": len(attributes_of(one)) for one in tree.classes()}
    return {place: size for place, size in sizes.items() if size >= count}


def long_modules(count: int) -> dict[str, int]:
    """The modules that have more lines than that."""
    sizes = {module.place: module.text.count("\n") for module in tree.modules().values()}
    return {place: size for place, size in sizes.items() if size > count}


def long_functions(count: int) -> dict[str, int]:
    """The functions that have more lines than that, docstrings aside."""
    return {
        f"{module.place}:{name}": size
        for module in tree.modules().values()
        for name, size in tree.functions(module)
        if size > count
    }


def double_names() -> dict[str, list[str]]:
    """Class names that mean several things, and the modules that have them; compat has the names of others."""
    places: dict[str, list[str]] = defaultdict(list)
    for one in tree.classes():
        if one.module.name.startswith("fedfutures.compat."):
            continue
        places[one.name].append(one.module.name)
    return {name: found for name, found in sorted(places.items()) if len(found) > 1}


def _attributes(module: Module) -> Iterator[ast.Attribute]:
    """Uses of attributes of other objects than self."""
    for node in module.nodes:
        if isinstance(node, ast.Attribute):
            base = node.value
            if isinstance(base, ast.Call) and isinstance(base.func, ast.Name) and base.func.id == "super":
                continue
            if not (isinstance(base, ast.Name) and base.id in ("self", "cls")):
                yield node


def foreign_writes() -> Iterator[str]:
    """Fields that are assigned in a module that has no class with such a field."""
    fields: dict[str, set[str]] = defaultdict(set)
    for one in tree.classes():
        fields[one.module.name] |= one.fields
    known = set().union(*fields.values()) - STANDARD_FIELDS
    for module in tree.modules().values():
        for node in _attributes(module):
            is_write = isinstance(node.ctx, (ast.Store, ast.Del))
            if is_write and node.attr in known and node.attr not in fields[module.name]:
                yield f"{module.place}:{node.lineno} {ast.unparse(node)}"


def private_reads(found: Iterable[Module]) -> Iterator[str]:
    """Private names of the product's objects and modules that are read where they are not defined."""
    private: dict[str, set[str]] = defaultdict(set)
    for one in [*tree.classes(), *(one for module in tree.tests() for one in tree.classes_of(module))]:
        private[one.module.place] |= {name for name in one.fields | one.methods if _is_private(name)}
    for module in tree.modules().values():
        private[module.place] |= {name for name in _globals(module) if _is_private(name)}
    known = set().union(*(private[module.place] for module in tree.modules().values()))
    for module in found:
        for attribute in _attributes(module):
            if attribute.attr in known and attribute.attr not in private[module.place]:
                yield f"{module.place}:{attribute.lineno} {ast.unparse(attribute)}"


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _globals(module: Module) -> Iterator[str]:
    for line in module.tree.body:
        if isinstance(line, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield line.name
        for node in ast.walk(line) if isinstance(line, (ast.Assign, ast.AnnAssign)) else ():
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def reaches_for_broker() -> dict[str, int]:
    """Members of the BrokerMachine that its parts read or call, with how often."""
    found: Counter[str] = Counter()
    for name, module in tree.modules().items():
        if name.startswith("fedfutures.broker.") and not name.endswith((".machine", ".shell")):
            for node in module.nodes:
                if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self._broker", "broker"):
                    found[node.attr] += 1
    return dict(found)


def without_test_file() -> list[str]:
    """Modules that no test file is named for."""
    names = {module.path.name for module in tree.tests()}
    return [
        module.place
        for module in tree.modules().values()
        if not module.path.name.startswith("__") and f"test_{module.path.name}" not in names
    ]


def lines() -> int:
    return sum(module.text.count("\n") for module in tree.modules().values())


def held_owners() -> Iterator[str]:
    """Objects of the product that another one makes while it is made itself, and hands itself to."""
    names = {one.name for one in tree.classes()}
    for module in tree.modules().values():
        for node in module.nodes:
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                for call in ast.walk(node):
                    if isinstance(call, ast.Call) and _hands_self(call):
                        name = ast.unparse(call.func).split(".")[-1]
                        if name in names:
                            yield f"{module.place}:{call.lineno} {ast.unparse(call)}"


def _hands_self(call: ast.Call) -> bool:
    handed = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(isinstance(value, ast.Name) and value.id == "self" for value in handed)


def calls_of(found: Iterable[Module], names: set[str]) -> Iterator[str]:
    """Where modules make objects of the classes with these names."""
    for module in found:
        for node in module.nodes:
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in names:
                yield f"{module.place}:{node.lineno} {ast.unparse(node.func)}"
