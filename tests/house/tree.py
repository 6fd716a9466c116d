"""The product's source, parsed once: modules with their imports, classes, fields and functions."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGES = {"fedfutures": ROOT / "fedfutures", "fedfutures_launcher": ROOT / "launcher"}
TESTS = ROOT / "tests"


@dataclass(eq=False)
class Module:
    """One file of the product."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def place(self) -> str:
        """Its path from the top of the checkout."""
        return str(self.path.relative_to(ROOT))

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @functools.cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes of its syntax tree."""
        return list(ast.walk(self.tree))


@dataclass(frozen=True, eq=False)
class Class:
    """A class, with the fields that its own text assigns or declares."""

    name: str
    module: Module
    bases: tuple[str, ...]
    fields: frozenset[str]
    assigned: frozenset[str]  # those of the fields that are assigned on self
    methods: frozenset[str]


def parse(name: str, path: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    return Module(name, path, text, ast.parse(text))


@functools.cache
def modules() -> dict[str, Module]:
    """All modules of the product, by their dotted names."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            if parts[-1] == "__init__":
                parts.pop()
            name = ".".join(parts)
            found[name] = parse(name, path)
    return found


@functools.cache
def tests() -> tuple[Module, ...]:
    """All files of the tests."""
    return tuple(parse(path.stem, path) for path in sorted(TESTS.rglob("*.py")))


@functools.cache
def imports(module: Module) -> set[str]:
    """The modules of the product that one imports, wherever in its text, those for type checkers included."""
    found: set[str] = set()
    for node in module.nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, node)
            for alias in node.names:
                full = f"{base}.{alias.name}"
                found.add(full if full in modules() else base)
    return {name for name in found if name in modules() and name != module.name and name not in PACKAGES}


def _base(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    parts = parts[: len(parts) - node.level + (1 if module.is_package else 0)]
    return ".".join([*parts, *([node.module] if node.module else [])])


@functools.cache
def classes() -> tuple[Class, ...]:
    """All classes of the product, those inside functions included."""
    return tuple(one for module in modules().values() for one in classes_of(module))


def classes_of(module: Module) -> Iterator[Class]:
    """The classes of one file."""
    return (_read_class(node, module) for node in module.nodes if isinstance(node, ast.ClassDef))


def _read_class(node: ast.ClassDef, module: Module) -> Class:
    assigned = {
        inner.attr
        for inner in ast.walk(node)
        if isinstance(inner, ast.Attribute)
        and isinstance(inner.ctx, ast.Store)
        and isinstance(inner.value, ast.Name)
        and inner.value.id == "self"
    }
    declared = set()
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            declared.add(line.target.id)
        elif isinstance(line, ast.Assign):
            names = {target.id for target in line.targets if isinstance(target, ast.Name)}
            declared |= names
            if "__slots__" in names:
                declared |= {
                    word.value
                    for word in ast.walk(line.value)
                    if isinstance(word, ast.Constant) and isinstance(word.value, str)
                }
    bases = tuple(ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases)
    methods = {line.name for line in node.body if isinstance(line, (ast.FunctionDef, ast.AsyncFunctionDef))}
    fields = frozenset(assigned | declared)
    return Class(node.name, module, bases, fields, frozenset(assigned), frozenset(methods))


def names(module: Module) -> set[str]:
    """The names that a module's code has, annotations in quotes included."""
    found = {node.id for node in module.nodes if isinstance(node, ast.Name)}
    found |= {node.attr for node in module.nodes if isinstance(node, ast.Attribute)}
    found |= {node.name for node in module.nodes if isinstance(node, (ast.ClassDef, ast.alias))}
    found |= {node.value for node in module.nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return found


def functions(module: Module) -> Iterator[tuple[str, int]]:
    """Each function with the lines that it has beside its docstring."""
    for node in module.nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno is not None
            documentation = ast.get_docstring(node, clean=False)
            lines = node.end_lineno - node.lineno + 1
            yield node.name, lines - (documentation.count("\n") + 1 if documentation else 0)
