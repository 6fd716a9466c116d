"""Code keeps the name of its file on its way; functions are copied with their cells."""

from __future__ import annotations

import linecache
import types

import cloudpickle
import pytest

from fedfutures.program import code_objects
from fedfutures.program.code_objects import content_of, copy_of, make_code, reduce_code

CODE = compile("x = 1", "cell 3", "exec")


def parts_by_cloudpickle() -> tuple[object, ...]:
    reduced = cloudpickle.Pickler.dispatch_table[types.CodeType](CODE)
    parts: tuple[object, ...] = reduce_code(CODE, reduced)[1]
    return parts


def test_a_file_keeps_its_name() -> None:
    assert make_code(*parts_by_cloudpickle()).co_filename == "cell 3"


@pytest.mark.parametrize("elsewhere", [True, False])
def test_on_another_host_no_file_of_that_name_is_read(monkeypatch: pytest.MonkeyPatch, elsewhere: bool) -> None:
    monkeypatch.setattr(code_objects, "reads_no_files", elsewhere)
    monkeypatch.setattr(linecache, "cache", {})
    make_code(*parts_by_cloudpickle())
    assert ("cell 3" in linecache.cache) == elsewhere


def test_what_a_cell_holds() -> None:
    assert content_of(types.CellType(3), "empty") == 3
    assert content_of(types.CellType(), "empty") == "empty"


def test_a_copy_does_what_the_function_did() -> None:
    def add(x: int, y: int = 2, *, z: int = 3) -> int:
        """Add."""
        return x + y + z + step

    step = 10
    made = copy_of(add, (types.CellType(20),))
    assert (made(1), add(1)) == (26, 16)
    add.__code__ = (lambda x, y=2, *, z=3: step).__code__
    assert (made(1), made.__doc__, made.__qualname__) == (26, "Add.", add.__qualname__)
