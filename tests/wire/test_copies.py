"""Copies within one process: large buffers that show what is in a segment are mapped anew."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedfutures.wire.copies import Copies
from fedfutures.wire.payload import Payloads
from fedfutures.wire.segments import SHARED_FROM_BYTES, Segments

LARGE = SHARED_FROM_BYTES // 8


class Sides:
    """A submitter, and a Worker that makes copies."""

    def __init__(self, path: Path) -> None:
        self.submitter = Payloads(Segments(str(path), "submitter"))
        self.worker = Payloads(Segments(str(path), "worker"))
        self.copies = Copies(self.worker)

    def given(self, value: Any) -> Any:
        self.body = self.submitter.dump(value)
        return self.worker.load(self.body)


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    return Sides(tmp_path)


def test_what_was_given_is_mapped_anew(sides: Sides) -> None:
    value = sides.given([np.arange(LARGE), [1, 2], np.zeros(3)])
    copy = sides.copies.dump(value)
    assert len(copy.stream) < 1000
    assert copy.size > SHARED_FROM_BYTES
    first, second = sides.copies.load(copy), sides.copies.load(copy)
    first[0][3] = 99
    first[1].append(3)
    assert (second[0][3], second[1], value[0][3]) == (3, [1, 2], 3)
    assert sides.copies.dump(value) == copy
    again = sides.copies.copy(value)
    again[0][3] = 98
    assert (value[0][3], again[1]) == (3, [1, 2])
    value[0][3] = 3  # the same, but nobody compares
    changed = sides.copies.dump(value)
    assert changed != copy
    assert len(changed.stream) > SHARED_FROM_BYTES
    assert sides.copies.load(changed)[0][3] == 3


def test_a_copy_outlives_the_name_and_the_original(sides: Sides, tmp_path: Path) -> None:
    copy = sides.copies.dump(sides.given(np.arange(LARGE)))
    assert len(copy.stream) < 1000
    gc.collect()
    sides.submitter.release(sides.body)
    assert os.listdir(tmp_path) == []  # it is in use, so it is not for who writes next
    other = sides.submitter.dump(np.zeros(LARGE))
    assert sides.copies.load(copy)[3] == 3
    assert sides.worker.load(other)[3] == 0


def test_what_has_no_name_is_copied(sides: Sides) -> None:
    value = sides.given(np.arange(LARGE))
    sides.submitter.release(sides.body)
    copy = sides.copies.dump(value)
    assert len(copy.stream) > SHARED_FROM_BYTES
    assert sides.copies.load(copy)[3] == 3


def test_many_copies_take_one_descriptor(sides: Sides) -> None:
    value = sides.given(np.arange(LARGE))
    before = len(os.listdir("/proc/self/fd"))
    copies = [sides.copies.dump((value, number)) for number in range(50)]
    assert len(os.listdir("/proc/self/fd")) <= before + 2
    assert [int(sides.copies.load(copy)[0][5]) for copy in copies] == [5] * 50
    del copies
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_read_only_stays_read_only(sides: Sides) -> None:
    array = np.arange(LARGE)
    array.flags.writeable = False
    for size in (10, LARGE):
        copied = sides.copies.load(sides.copies.dump(sides.given(array[:size])))
        assert not copied.flags.writeable
        assert sides.copies.load(sides.copies.dump(sides.given(np.arange(size)))).flags.writeable


def test_without_segments_all_is_copied() -> None:
    copies = Copies()
    array = np.arange(LARGE)
    copy = copies.dump([array, lambda: 5])
    array[0] = 99
    loaded, function = copies.load(copy)
    assert (loaded[0], function()) == (0, 5)
    assert copies.copy([array])[0] is not array
    assert copies.copy(lambda: 6)() == 6
    with pytest.raises(TypeError, match="pickle"):
        copies.dump(threading.Lock())
