"""Payloads: the standard pickler first, by value where that is needed, large buffers beside the stream."""

from __future__ import annotations

import gc
import mmap
import os
import pickle
import sys
import threading
import types
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, strategies as st

from fedfutures.program.reach import Reach
from fedfutures.wire.manifest import segments_of
from fedfutures.wire.payload import Payloads
from fedfutures.wire.segments import SHARED_FROM_BYTES, Segments
from fedfutures.wire.written import Written

LARGE = SHARED_FROM_BYTES // 8
"""So many float64 make a buffer that leaves the stream."""


class Sides:
    """A submitter and a Worker that share a directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.submitter = Payloads(Segments(str(path), "submitter"))
        self.worker = Payloads(Segments(str(path), "worker"))

    def files(self) -> list[str]:
        """Segments that somebody needs."""
        return sorted(name for name in os.listdir(self.path) if not name.startswith("free-"))

    def release(self, body: bytes) -> None:
        self.submitter.release(body)


def segment_names(body: bytes) -> list[str]:
    """Name the segments that a payload needs."""
    if body[:1] == b"\x80":
        return []
    held, names, _ = msgpack.unpackb(body[1:])
    return [*([] if isinstance(held, bytes) else [held]), *names]


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    return Sides(tmp_path)


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A program: a module that is ``__main__``, with a class and a function."""
    module = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    exec(
        "class Point:\n    def __init__(self, x): self.x = x\n    class Inner: pass\ndef double(x): return 2 * x\n",
        module.__dict__,
    )
    return module


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(plain)
def test_plain_values_are_a_plain_pickle(value: Any) -> None:
    body = Payloads().dump(value)
    assert body[:1] == b"\x80"
    assert pickle.loads(body) == value == Payloads().load(body)
    assert segment_names(body) == []


def test_lambdas_and_closures_go_by_value() -> None:
    base = 3
    function = Payloads().load(Payloads().dump(lambda x: x + base))
    assert function(4) == 7


def test_what_cannot_be_pickled_raises_what_the_pickler_raises() -> None:
    with pytest.raises(TypeError, match="pickle"):
        Payloads().dump(threading.Lock())


def test_things_of_the_program_go_by_name(main: types.ModuleType) -> None:
    payloads = Payloads()
    point = main.Point(5)
    assert type(payloads.load(payloads.dump(point))) is main.Point
    assert payloads.load(payloads.dump(main.double)) is main.double
    # also beside what has to go by value
    loaded, function = payloads.load(payloads.dump([point, lambda: 1]))
    assert type(loaded) is main.Point
    assert function() == 1
    # but not a class that another one has replaced
    exec("class Point: pass", main.__dict__)
    assert type(payloads.load(payloads.dump([point, lambda: 1]))[0]) is not main.Point


def test_what_a_payload_reaches_of_the_program(main: types.ModuleType) -> None:
    def reached(value: Any) -> set[tuple[str, str]]:
        found = Reach()
        Payloads().dump(value, reached=found)
        return {(module, name) for module, name in found.reads | found.parts if module == "__main__"}

    assert reached([1, "text"]) == set()
    assert reached([main.Point(5)]) == {("__main__", "Point")}
    assert reached({"f": main.double, "p": [main.Point.Inner()]}) == {
        ("__main__", "double"),
        ("__main__", "Point.Inner"),
    }
    assert reached(["double", main.double]) == {("__main__", "double")}
    inner = main.double
    assert reached(lambda: inner(1)) == {("__main__", "double")}


def test_what_is_missing_is_brought(main: types.ModuleType) -> None:
    payloads = Payloads()
    body, made = payloads.dump(main.Point(5)), main.Point
    del main.Point
    with pytest.raises(AttributeError):
        payloads.load(body)
    payloads.bring_missing = lambda error: False
    with pytest.raises(AttributeError):
        payloads.load(body)

    def bring(error: Exception) -> bool:
        main.Point = made
        return True

    payloads.bring_missing = bring
    assert payloads.load(body).x == 5


# -- buffers ---------------------------------------------------------------------------------------------------------


def test_a_small_array_stays_in_the_stream(sides: Sides) -> None:
    body = sides.submitter.dump(np.arange(LARGE - 100))
    assert body[:1] == b"\x80"
    assert sides.files() == []


def test_a_large_array_leaves_the_stream(sides: Sides) -> None:
    array = np.arange(LARGE)
    body = sides.submitter.dump(("call", array))
    assert len(body) < 1000
    assert sides.files() == segment_names(body)
    name, loaded = sides.worker.load(body)
    assert name == "call"
    np.testing.assert_array_equal(loaded, array)
    loaded[0] = 1
    assert sides.worker.load(body)[1][0] == 0  # each has a map of its own
    sides.release(body)
    assert sides.files() == []
    assert loaded[7] == 7  # mapped still


def test_a_large_pickle_has_a_segment_of_its_own(sides: Sides) -> None:
    value = [b"x" * SHARED_FROM_BYTES, np.arange(LARGE)]
    body = sides.submitter.dump(value)
    assert len(segment_names(body)) == 2
    loaded = sides.worker.load(body)
    assert loaded[0] == value[0]
    np.testing.assert_array_equal(loaded[1], value[1])
    sides.release(body)
    assert sides.files() == []


def test_an_error_of_loading_is_not_hidden_by_the_map_that_it_holds(sides: Sides) -> None:
    def refuse(stream: memoryview, buffers: object) -> object:
        raise MemoryError(f"no room for {len(stream)}")  # its traceback holds the stream

    body = sides.submitter.dump([b"x" * SHARED_FROM_BYTES])
    with pytest.raises(MemoryError, match="no room for"):
        sides.worker.load_with(body, refuse)
    assert sides.worker.load(body) == [b"x" * SHARED_FROM_BYTES]


def test_a_large_array_in_what_goes_by_value(sides: Sides) -> None:
    array = np.arange(LARGE)
    body = sides.submitter.dump([array, lambda: 1])
    assert len(segment_names(body)) == 1
    np.testing.assert_array_equal(sides.worker.load(body)[0], array)


def test_a_large_array_in_an_object_of_main(sides: Sides, main: types.ModuleType) -> None:
    body = sides.submitter.dump(main.Point(np.arange(LARGE)))
    assert len(segment_names(body)) == 1
    assert sides.worker.load(body).x[5] == 5


def test_an_array_in_pieces_is_copied(sides: Sides) -> None:
    array = np.arange(2 * LARGE)[::2]
    np.testing.assert_array_equal(sides.worker.load(sides.submitter.dump(array)), array)


class Strided:
    """Gives the pickler a buffer that is not in one piece."""

    def __reduce_ex__(self, protocol: int) -> Any:
        return bytes, (pickle.PickleBuffer(memoryview(bytearray(4 * SHARED_FROM_BYTES))[::2]),)


def test_a_buffer_in_pieces_stays_with_the_pickler(sides: Sides) -> None:
    with pytest.raises(pickle.PicklingError, match="contiguous"):
        sides.submitter.dump(Strided())
    assert sides.files() == []


def test_without_segments_all_stays_in_the_stream() -> None:
    array = np.arange(LARGE)
    body = Payloads().dump([array, b"x" * SHARED_FROM_BYTES])
    assert body[:1] == b"\x80"
    np.testing.assert_array_equal(Payloads().load(body)[0], array)


def test_what_is_dumped_inline_has_no_segments(sides: Sides) -> None:
    value = np.arange(LARGE), b"x" * SHARED_FROM_BYTES
    body = sides.submitter.dump(value, inline=True)
    assert (segment_names(body), sides.files()) == ([], [])
    array, data = sides.worker.load(body)
    assert np.array_equal(array, value[0])
    assert data == value[1]


def test_a_manifest_says_which_segments_it_needs(sides: Sides) -> None:
    for value in (np.arange(LARGE), b"x" * SHARED_FROM_BYTES, [np.arange(LARGE), b"x" * SHARED_FROM_BYTES], 5):
        body = sides.submitter.dump(value)
        assert segments_of(body) == segment_names(body)


@given(st.binary(max_size=60) | st.lists(st.binary(max_size=5) | st.text(max_size=5) | st.none()).map(msgpack.packb))
def test_what_is_no_manifest_names_no_files(body: bytes) -> None:
    for name in segments_of(b"\x01" + body):
        assert name == os.path.basename(name) not in ("", ".", "..")


def test_what_is_taken_is_writable_and_its_files_gone(sides: Sides) -> None:
    value = [b"x" * SHARED_FROM_BYTES, np.arange(LARGE)]
    loaded = sides.submitter.load(sides.worker.dump(value), take=True)
    loaded[1][0] = 99
    assert loaded[1][0] == 99
    assert len(sides.files()) == 1
    del loaded
    gc.collect()
    assert sides.files() == []
    assert len(os.listdir(sides.path)) == 2  # to be written again


def test_a_written_buffer_is_not_written_again(sides: Sides) -> None:
    array = np.arange(LARGE)
    written = Written()
    first, second = sides.submitter.dump((1, array), written), sides.submitter.dump((2, array), written)
    assert segment_names(first) == segment_names(second)
    assert len(sides.files()) == 1
    sides.release(first)
    assert sides.worker.load(second)[1][3] == 3
    sides.release(second)
    assert len(sides.files()) == 1  # for the next one
    assert sides.submitter.segments is not None
    sides.submitter.segments.release(written.clear())
    assert sides.files() == []


def test_a_changed_array_is_written_again(sides: Sides) -> None:
    array = np.arange(LARGE)
    first = sides.submitter.dump(array)
    array[0] = 99
    second = sides.submitter.dump(array)
    assert segment_names(first) != segment_names(second)
    assert (sides.worker.load(first)[0], sides.worker.load(second)[0]) == (0, 99)


def test_an_array_that_cannot_change_is_written_once(sides: Sides) -> None:
    array = np.frombuffer(np.arange(LARGE).tobytes(), int)
    bodies = [sides.submitter.dump((number, array)) for number in range(3)]
    assert len(sides.files()) == 1
    for body in bodies:
        sides.release(body)
    assert len(sides.files()) == 1
    assert sides.worker.load(sides.submitter.dump(array))[3] == 3
    sides.release(sides.submitter.dump(array))
    sides.release(bodies[0])  # that of the load above
    del array
    gc.collect()
    assert sides.files() == []


def test_a_read_only_view_may_change_through_its_base(sides: Sides) -> None:
    base = np.arange(LARGE)
    view = base[:]
    view.flags.writeable = False
    sides.submitter.dump(view)
    base[0] = 99
    assert sides.worker.load(sides.submitter.dump(view))[0] == 99


def test_an_array_that_was_made_writable_again_is_written_again(sides: Sides) -> None:
    array = np.arange(LARGE)
    array.flags.writeable = False
    first = sides.submitter.dump(array)
    array.flags.writeable = True
    array[0] = 99
    second = sides.submitter.dump(array)
    assert sides.worker.load(second)[0] == 99
    sides.release(first)
    sides.release(second)
    del array
    gc.collect()
    assert sides.files() == []


def test_a_read_only_array_can_be_a_result_twice(sides: Sides) -> None:
    array = np.arange(LARGE)
    array.flags.writeable = False
    first, second = (sides.submitter.load(sides.worker.dump(array), take=True) for _ in range(2))
    del first
    gc.collect()
    other = sides.worker.dump(np.zeros(LARGE))
    assert second[3] == 3
    assert sides.submitter.load(other)[3] == 0
    bodies = [sides.worker.dump(array) for _ in range(2)]
    assert [int(sides.submitter.load(body, take=True)[3]) for body in bodies] == [3, 3]


def test_a_large_result_of_a_class_that_is_missing_at_first(sides: Sides, main: types.ModuleType) -> None:
    body, made = sides.worker.dump(main.Point(np.arange(LARGE))), main.Point
    del main.Point

    def bring(error: Exception) -> bool:
        main.Point = made
        return True

    sides.submitter.bring_missing = bring
    assert sides.submitter.load(body, take=True).x[5] == 5
    gc.collect()
    assert sides.files() == []


def test_a_reusable_segment_is_left_for_the_next_writer(sides: Sides) -> None:
    body = sides.submitter.dump(np.arange(LARGE))
    loaded = sides.worker.load(body)
    assert loaded[1] == 1
    del loaded
    sides.release(body)
    assert [name[:5] for name in os.listdir(sides.path)] == ["free-"]
    again = sides.submitter.dump(np.arange(1, LARGE + 1))
    assert os.listdir(sides.path) == segment_names(again)
    assert sides.worker.load(again)[0] == 1


def test_a_segment_that_a_function_kept_is_not_written_again(sides: Sides) -> None:
    body = sides.submitter.dump(np.arange(LARGE))
    kept = sides.worker.load(body)
    sides.release(body)
    assert os.listdir(sides.path) == []
    sides.submitter.dump(np.zeros(LARGE))
    assert kept[3] == 3


def test_releasing_a_plain_payload_does_nothing(sides: Sides) -> None:
    sides.release(sides.submitter.dump(1))
    Payloads().release(b"\x01")


# -- whose memory it is ----------------------------------------------------------------------------------------------


def names_of_one_file(path: Path) -> set[frozenset[str]]:
    """Return the names in a directory, together where they are of one file."""
    found: dict[int, set[str]] = {}
    for name in os.listdir(path):
        found.setdefault((path / name).stat().st_ino, set()).add(name)
    return {frozenset(names) for names in found.values()}


@pytest.mark.parametrize("writable", [True, False])
@pytest.mark.parametrize("size", [10, LARGE])
def test_what_was_writable_is(sides: Sides, writable: bool, size: int) -> None:
    array = np.arange(size)
    array.flags.writeable = writable
    assert sides.worker.load(sides.submitter.dump(array)).flags.writeable is writable
    assert sides.submitter.load(sides.worker.dump(array, alone=True), take=True).flags.writeable is writable
    assert not sides.worker.load(sides.submitter.dump(array), read_only=True).flags.writeable or size < LARGE


def test_a_pickle_buffer_is_as_writable_as_its_owner(sides: Sides) -> None:
    for owner in (bytes(SHARED_FROM_BYTES), bytearray(SHARED_FROM_BYTES)):
        loaded = memoryview(sides.worker.load(sides.submitter.dump(pickle.PickleBuffer(owner))))
        assert loaded.readonly is (type(owner) is bytes)
        assert loaded == owner


def test_parts_of_one_owner_are_told_apart(sides: Sides) -> None:
    content = bytes(SHARED_FROM_BYTES) + b"x" * SHARED_FROM_BYTES
    for owner in (content, bytearray(content)):
        written, view = Written(), memoryview(owner)
        parts = view[:SHARED_FROM_BYTES], view[SHARED_FROM_BYTES:], view
        bodies = [sides.submitter.dump(pickle.PickleBuffer(part), written) for part in parts]
        assert [bytes(sides.worker.load(body)) for body in bodies] == [bytes(part) for part in parts]


def test_each_load_has_pages_of_its_own(sides: Sides) -> None:
    body = sides.submitter.dump(np.zeros(LARGE))
    loaded = [sides.worker.load(body) for _ in range(3)]
    for number, array in enumerate(loaded):
        array += number
    assert [array[-1] for array in loaded] == [0, 1, 2]
    assert sides.worker.load(body)[0] == 0


def test_results_are_private_too(sides: Sides) -> None:
    """A process that the program forks must not see what the program writes later, nor the other way round."""
    result = sides.submitter.load(sides.worker.dump(np.zeros(LARGE)), take=True)
    go_on, said = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        os.read(go_on[0], 1)
        os.write(said[1], bytes([int(result[0]), int(result[-1])]))
        result[5] = 77
        del result
        gc.collect()  # which is no reason to let go of the file
        os.write(said[1], b".")
        os._exit(0)
    result[0] = 1
    os.write(go_on[1], b".")
    assert os.read(said[0], 2) == bytes([0, 0])
    assert os.read(said[0], 1) == b"."
    os.waitpid(child, 0)
    assert result[5] == 0
    assert len(sides.files()) == 1
    for end in go_on + said:
        os.close(end)


def test_what_is_passed_on_unwritten_is_not_written_again(sides: Sides) -> None:
    body = sides.submitter.dump(np.arange(LARGE))
    given = sides.worker.load(body)
    on, again = sides.worker.dump((1, given)), sides.worker.dump((2, given))
    back = sides.worker.dump(given, alone=True)
    assert segment_names(on) == segment_names(again) != segment_names(back)
    assert len(names_of_one_file(sides.path)) == 1
    sides.release(body)
    del given
    gc.collect()
    for _ in range(3):  # the file has other names, so nobody writes to it
        sides.submitter.dump(np.zeros(LARGE))
    other = sides.submitter.load(back, take=True)
    assert [int(sides.worker.load(each)[1][7]) for each in (on, again)] == [7, 7]
    assert other[7] == 7


def test_what_was_written_to_travels_as_it_is_now(sides: Sides) -> None:
    given = sides.worker.load(sides.submitter.dump(np.arange(LARGE)))
    first = sides.worker.dump(given)
    given[-1] = 99
    second, third = sides.worker.dump(given), sides.worker.dump(given, alone=True)
    given[-1] = 100
    found = [int(sides.worker.load(body)[-1]) for body in (first, second, third, sides.worker.dump(given))]
    assert found == [LARGE - 1, 99, 99, 100]


@pytest.mark.parametrize("written", [True, False])
def test_passing_on_where_the_kernel_does_not_say_what_was_written(
    sides: Sides, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    monkeypatch.setattr("fedfutures.wire.mappings.is_written", lambda address, size: None)
    given = sides.worker.load(sides.submitter.dump(np.arange(LARGE)))
    if written:
        given[0] = 99
    on = sides.worker.dump(given)
    assert len(names_of_one_file(sides.path)) == 1 + written
    assert sides.worker.load(on)[0] == 99 * written


def test_what_is_passed_on_after_its_file_lost_its_name_is_written(sides: Sides) -> None:
    body = sides.submitter.dump(np.arange(LARGE))
    given = sides.worker.load(body)
    sides.release(body)
    assert sides.worker.load(sides.worker.dump(given))[3] == 3


def test_a_result_that_is_passed_on(sides: Sides) -> None:
    result = sides.submitter.load(sides.worker.dump(np.arange(LARGE), alone=True), take=True)
    body = sides.submitter.dump(result)
    assert len(names_of_one_file(sides.path)) == 1
    del result
    gc.collect()
    sides.worker.dump(np.zeros(LARGE))
    assert sides.worker.load(body)[3] == 3


@pytest.mark.parametrize("keep", ["map", "fork"])
def test_a_file_that_is_mapped_is_never_written_again(sides: Sides, keep: str) -> None:
    """Whoever maps it: a process that was forked, or a Worker that goes on after it was given up for lost."""
    body = sides.submitter.dump(np.arange(LARGE))
    given = sides.worker.load(body)
    until, end = os.pipe()
    child = 0
    if keep == "fork":
        child = os.fork()
        if not child:
            os.close(end)
            os.read(until, 1)
            os._exit(0 if given[3] == 3 else 1)
        del given
        gc.collect()
    sides.release(body)
    bodies = [sides.submitter.dump(np.full(LARGE, 99)) for _ in range(3)]
    assert [int(sides.worker.load(body)[3]) for body in bodies] == [99] * 3
    if keep == "map":
        assert given[3] == 3
    os.close(until)
    os.close(end)
    if child:
        assert os.waitpid(child, 0)[1] == 0


def test_a_file_that_came_into_use_after_it_was_free(sides: Sides, tmp_path: Path) -> None:
    """Whoever was late opens it under the name that it has; the writer looks again."""
    sides.release(sides.submitter.dump(np.arange(LARGE)))
    [free] = os.listdir(tmp_path)
    late = np.frombuffer(sides.worker.segments.map(free), int)  # type: ignore[union-attr]
    sides.submitter.dump(np.zeros(LARGE))
    assert late[3] == 3


@pytest.mark.parametrize("way", ["read-only view", "map of a file"])
def test_read_only_memory_that_another_writes_to(sides: Sides, tmp_path: Path, way: str) -> None:
    buffer = bytearray(np.arange(LARGE).tobytes())
    array = np.frombuffer(memoryview(buffer).toreadonly(), int)
    (tmp_path / "data").write_bytes(buffer)
    file = np.memmap(tmp_path / "data", int, "r+")
    if way == "map of a file":
        with open(tmp_path / "data", "rb") as opened:
            array = np.frombuffer(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ), int)
    first, same = sides.submitter.dump(array), sides.submitter.dump(array)
    assert segment_names(first) == segment_names(same)
    buffer[:8], file[0] = np.array([99]).tobytes(), 99
    changed = sides.submitter.dump(array)
    assert [int(sides.worker.load(body)[0]) for body in (first, same, changed)] == [0, 0, 99]


def test_a_buffer_that_comes_again_changed_is_written_again(sides: Sides) -> None:
    written, array = Written(), np.zeros(LARGE)
    bodies = []
    for number in range(6):
        array[-1] = number // 2
        bodies.append(sides.submitter.dump(array, written))
    assert len(set(map(tuple, map(segment_names, bodies)))) == 3
    assert [int(sides.worker.load(body)[-1]) for body in bodies] == [0, 0, 1, 1, 2, 2]
    for body in bodies:
        sides.release(body)
    assert len(sides.files()) == 1
    assert sides.submitter.segments is not None
    sides.submitter.segments.release(written.clear())
    assert sides.files() == []


def test_a_buffer_that_is_steady_is_not_compared(sides: Sides) -> None:
    written, array = Written(), np.zeros(LARGE)
    written.is_steady = True
    first = sides.submitter.dump(array, written)
    array[0] = 1
    assert segment_names(sides.submitter.dump(array, written)) == segment_names(first)
    assert segment_names(sides.submitter.dump(array[1:], written)) != segment_names(first)


def test_a_forked_process_lets_go_of_nothing(sides: Sides) -> None:
    array = np.frombuffer(np.arange(LARGE).tobytes(), int)
    body = sides.submitter.dump(array)
    child = os.fork()
    if not child:
        del array
        gc.collect()
        sides.release(body)
        os._exit(0)
    os.waitpid(child, 0)
    assert sides.worker.load(body)[3] == 3
