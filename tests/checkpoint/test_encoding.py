"""What says a value: arrays, circles, and what has no content."""

from __future__ import annotations

from typing import Any

import pytest

from fedfutures.checkpoint.digests import CallDigests, function_digest
from fedfutures.errors import NotCheckpointable

CALL = CallDigests(function_digest(pow))


def test_arrays_count_by_type_shape_and_items() -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(6).reshape(2, 3)
    turned = numpy.asfortranarray(array)
    views = [array, array.copy(), turned, numpy.arange(12).reshape(2, 6)[:, ::2] // 2]
    assert len({CALL.of((value,)) for value in views}) == 1
    others = [array, array.ravel(), array.T, array.astype("int32"), array.astype(float), array.tolist(), array + 1]
    others += [numpy.array([{"a", "b"}, None]), numpy.array([{"a"}, None]), numpy.zeros(0), numpy.zeros((0, 1))]
    others += [numpy.float64(1), 1.0, numpy.array("2020", "M8[D]"), numpy.array("2020", "M8[Y]")]
    assert len({CALL.of((value,)) for value in others}) == len(others)


class Linked:
    """An object whose parts refer back to it."""

    def __init__(self, up: Any = None) -> None:
        self.up, self.parts = up, list[Any]()


def test_circles_and_shared_parts() -> None:
    def tree(depth: int, up: Any = None) -> Linked:
        made = Linked(up)
        made.parts = [tree(depth - 1, made) for _ in range(2)] if depth else []
        return made

    assert CALL.of((tree(5),)) == CALL.of((tree(5),)) != CALL.of((tree(4),))
    part, outer = list[Any](), list[Any]()
    part.append(outer)
    outer += [part, [part]]  # both parts refer to the whole
    inner, other = list[Any](), list[Any]()
    inner.append([inner])
    other += [[other], inner]  # the second one refers to what is directly above it
    assert CALL.of((outer,)) != CALL.of((other,))
    shared: Any = [1]
    for _ in range(60):  # 2^60 paths
        shared = [shared, shared]
    assert CALL.of((shared,)) == CALL.of((shared,))


def test_what_has_no_content_is_named() -> None:
    with open(__file__) as file:
        for value, what in ((file, "_io.TextIOWrapper"), ((n for n in ()), "builtins.generator")):
            with pytest.raises(NotCheckpointable) as error:
                CALL.of((1, [value]))
            assert str(error.value).startswith(f"argument 2: {what} has no content of which a key could be made (")
            assert "pass what it stands for instead (a list, a path, a number)" in str(error.value)
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(NotCheckpointable, match="argument 'x': its parts are nested too deeply"):
        CALL.of((), {"x": deep})
