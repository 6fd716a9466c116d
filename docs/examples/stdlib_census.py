"""A census of Python's standard library: one Future for each source file.

    python -m fedfutures -n 4 docs/examples/stdlib_census.py
    python docs/examples/stdlib_census.py               # the same, serially

Reads every source file of the running interpreter's standard library with ``ast`` and ``tokenize``. Prints
the largest and the most complex functions, the totals, and how much sooner `futures.map` was done than `map`.
"""

from __future__ import annotations

import argparse
import ast
import io
import os
import sys
import sysconfig
import tokenize
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path
from time import perf_counter

from fedfutures import futures

SHOWN = 10
SKIPPED_FOLDERS = {"site-packages", "dist-packages", "__pycache__"}

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

# What adds one path through a function. `and` and `or` add one for each operand after the first.
BRANCHES = (
    ast.If,
    ast.IfExp,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.Assert,
    ast.comprehension,
    ast.match_case,
)


@dataclass(frozen=True)
class Function:
    name: str
    path: str
    line: int
    lines: int
    complexity: int  # cyclomatic: paths through the body, those of nested functions not included


@dataclass(frozen=True)
class FileCensus:
    path: str
    lines: int = 0
    tokens: int = 0
    comments: int = 0
    functions: int = 0
    classes: int = 0
    largest: tuple[Function, ...] = ()  # no more than can be shown: a result should be small
    most_complex: tuple[Function, ...] = ()
    error: str = ""


def by_size(function: Function) -> tuple[int, str, int]:
    return -function.lines, function.path, function.line


def by_complexity(function: Function) -> tuple[int, str, int]:
    return -function.complexity, function.path, function.line


def census(path: str) -> FileCensus:
    """Count one file. A file that is no Python of this version is a result too: `error` says why."""
    source = Path(path).read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library's tests hold doubtful literals on purpose
            tree = ast.parse(source, path)
        kinds = [token.type for token in tokenize.tokenize(io.BytesIO(source).readline)]
    except (SyntaxError, ValueError, tokenize.TokenError, RecursionError, MemoryError) as error:
        return FileCensus(path, error=type(error).__name__)
    functions = list(functions_of(tree, path))
    return FileCensus(
        path,
        lines=len(source.splitlines()),
        tokens=len(kinds),
        comments=kinds.count(tokenize.COMMENT),
        functions=len(functions),
        classes=sum(isinstance(node, ast.ClassDef) for node in ast.walk(tree)),
        largest=tuple(nsmallest(SHOWN, functions, by_size)),
        most_complex=tuple(nsmallest(SHOWN, functions, by_complexity)),
    )


def functions_of(tree: ast.Module, path: str) -> Iterator[Function]:
    """Every function of a module, nested ones and methods too. No recursion: sources may nest deeply."""
    scopes: list[tuple[ast.AST, str]] = [(tree, "")]
    while scopes:
        scope, prefix = scopes.pop()
        complexity = 1
        inside = list(ast.iter_child_nodes(scope))
        while inside:
            node = inside.pop()
            if isinstance(node, FunctionNode | ast.ClassDef):
                scopes.append((node, f"{prefix}{node.name}."))
                continue
            if isinstance(node, ast.BoolOp):
                complexity += len(node.values) - 1
            elif isinstance(node, BRANCHES):
                complexity += 1
            inside.extend(ast.iter_child_nodes(node))
        if isinstance(scope, FunctionNode):
            lines = (scope.end_lineno or scope.lineno) - scope.lineno + 1
            yield Function(prefix.rstrip("."), path, scope.lineno, lines, complexity)


def sources(root: Path) -> Iterator[str]:
    """The source files below `root`, always in the same order."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
        yield from (os.path.join(folder, name) for name in sorted(files) if name.endswith(".py"))


def show_functions(title: str, functions: Iterable[Function], root: Path) -> None:
    print(f"\n{title}\n{'lines':>7}{'complexity':>12}  function")
    for function in functions:
        where = f"{Path(function.path).relative_to(root)}:{function.line}"
        print(f"{function.lines:7,}{function.complexity:12,}  {function.name}  ({where})")


def show(files: list[FileCensus], root: Path) -> None:
    largest = nsmallest(SHOWN, (one for file in files for one in file.largest), by_size)
    most_complex = nsmallest(SHOWN, (one for file in files for one in file.most_complex), by_complexity)
    show_functions("The largest functions", largest, root)
    show_functions("The most complex functions", most_complex, root)
    print("\nTotals")
    print(f"{len(files):12,} files, of them {sum(bool(file.error) for file in files):,} not readable")
    for what in ("lines", "tokens", "comments", "functions", "classes"):
        print(f"{sum(getattr(file, what) for file in files):12,} {what}")


def processors() -> int:
    """How many this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description="A census of Python's standard library, one Future a file.")
    parser.add_argument("--files", type=positive, metavar="N", help="only the first N files")
    parser.add_argument("--no-serial", action="store_true", help="do not run it serially as well, to compare")
    options = parser.parse_args()

    root = Path(sysconfig.get_paths()["stdlib"])
    paths = list(sources(root))[: options.files]

    start = perf_counter()
    files = list(futures.map(census, paths))
    parallel_s = perf_counter() - start
    show(files, root)
    print(f"\nTime\n{parallel_s:10.2f} s by futures.map")
    if options.no_serial:
        return

    start = perf_counter()
    serial_files = list(map(census, paths))
    serial_s = perf_counter() - start
    print(f"{serial_s:10.2f} s by the builtin map")
    if differing := [one.path for one, other in zip(serial_files, files, strict=True) if one != other]:
        sys.exit(f"The two runs differ in {len(differing)} files, the first is {differing[0]}")
    print(f"{serial_s / parallel_s:10.2f} times as fast, with equal results, on {processors()} processors")


if __name__ == "__main__":  # Workers import this file too
    main()
