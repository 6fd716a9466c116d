"""``python -m fedfutures checkpoint FILE``: what a checkpoint has; removes and exports results."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any, TextIO

from fedfutures.checkpoint.database import Row
from fedfutures.checkpoint.store import Store, opened_store
from fedfutures.errors import ABOUT, CheckpointRefused
from fedfutures.program.pickling import ProgramUnpickler

from ..arguments.parser import Parser

DAY_SECONDS = 86_400.0
_PLAIN = (dict, list, str, int, float, bool, type(None))


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; return the exit code."""
    given = _parser().parse_args(list(arguments))
    if not os.path.exists(given.file):
        print(f"fedfutures: checkpoint {given.file}: there is no such file", file=sys.stderr)
        return 2
    try:
        store = opened_store(given.file)
    except CheckpointRefused as error:
        print(f"fedfutures: {error}\n{ABOUT}{type(error).__name__}", file=sys.stderr)
        return 2
    try:
        if given.remove or given.older is not None:
            return _remove(store, given.remove, given.older)
        if given.export is not None:
            return _export(store, given.export)
        _list(store, given.items)
        return 0
    except BrokenPipeError:  # as in `... | head`
        return 0
    finally:
        store.close()


def _parser() -> Parser:
    parser = Parser(
        "python -m fedfutures checkpoint",
        description="Show what a checkpoint has, remove results from it, or export them.",
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE", help="the checkpoint")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--items", action="store_true", help="list each result, with its key; default: by function")
    what.add_argument("--export", metavar="OUT", help="write all results to OUT as lines of JSON; -: standard output")
    parser.add_argument(
        "--remove",
        nargs="+",
        default=[],
        metavar="NAME",
        help="remove results of these functions, or of these keys",
    )
    parser.add_argument("--older", type=float, metavar="DAYS", help="remove the results that are older")
    return parser


def _list(store: Store, items: bool) -> None:
    rows = list(store.rows())
    if items:
        for row in rows:
            print(f"{row.key.hex()}  {_when(row.made)}  {row.size:>12,}  {row.name}")
        return
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(row.name, []).append(row)
    print(f"{store.path}: {len(rows):,} results, {sum(row.size for row in rows):,} bytes")
    for name, found in sorted(by_name.items()):
        size = sum(row.size for row in found)
        print(f"  {name}: {len(found):,} results, {size:,} bytes, {_when(found[0].made)} to {_when(found[-1].made)}")


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _remove(store: Store, names: list[str], days: float | None) -> int:
    wanted = set(names)
    before = None if days is None else time.time() - days * DAY_SECONDS
    rows = list(store.rows())
    unknown = wanted - {row.name for row in rows} - {row.key.hex() for row in rows}
    if unknown:
        print(f"fedfutures: {store.path} has no results of {', '.join(sorted(unknown))}", file=sys.stderr)
        return 1
    keys = [
        row.key for row in rows
        if (not wanted or row.name in wanted or row.key.hex() in wanted) and (before is None or row.made < before)
    ]  # fmt: skip
    store.remove(keys)
    print(f"{len(keys):,} results removed, {len(rows) - len(keys):,} are left")
    return 0


def _export(store: Store, target: str) -> int:
    if target == "-":
        return _write(store, sys.stdout)
    with open(target, "w", encoding="utf-8") as file:
        return _write(store, file)


def _write(store: Store, file: TextIO) -> int:
    lost = 0
    for row in store.rows():
        line: dict[str, Any] = {"key": row.key.hex(), "function": row.name, "made": row.made}
        body = store.body(row.key)
        try:
            if body is None:
                raise ValueError("it is damaged")
            value = ProgramUnpickler(io.BytesIO(body)).load()
            line |= {"value": value} if _is_plain(value) else {"repr": repr(value)}
        except Exception as error:  # of a class of the program, which is not loaded here
            lost += 1
            line["error"] = f"{type(error).__name__}: {error}"
        file.write(json.dumps(line) + "\n")
    if lost:
        print(f"fedfutures: {lost:,} results could not be loaded here", file=sys.stderr)
    return 1 if lost else 0


def _is_plain(value: Any) -> bool:
    """Whether JSON has the same value."""
    if isinstance(value, dict):
        return type(value) is dict and all(type(key) is str and _is_plain(part) for key, part in value.items())
    if isinstance(value, list):
        return type(value) is list and all(map(_is_plain, value))
    return type(value) in _PLAIN
