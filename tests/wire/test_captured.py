"""Callables that hold large arrays: written once while they are the same, and never stale."""

from __future__ import annotations

import functools
import gc
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedfutures.program.variables import LARGE_CALLABLES_KEPT, Variables
from fedfutures.wire import captured, pages
from fedfutures.wire.captured import Captured, may_be_written
from fedfutures.wire.payload import Payloads
from fedfutures.wire.segments import SHARED_FROM_BYTES, Segments

COUNT = SHARED_FROM_BYTES // 8


class Likelihood:
    """An object that can be called and holds data, as samplers have them."""

    def __init__(self, data: Any, scale: float = 1.0) -> None:
        self.data, self.scale = data, scale

    def __call__(self, x: float) -> float:
        return float(self.data.sum() * self.scale * x)

    def method(self, x: float) -> float:
        return self(x)


@pytest.fixture
def ours(tmp_path: Path) -> Payloads:
    return Payloads(Segments(str(tmp_path), "ours"))


@pytest.fixture
def theirs(tmp_path: Path) -> Payloads:
    return Payloads(Segments(str(tmp_path), "theirs"))


def files(path: Path) -> list[str]:
    return [name for name in os.listdir(path) if not name.startswith(("free-", "keep-"))]


WAYS = {
    "object": lambda held: held,
    "method": lambda held: held.method,
    "partial": lambda held: functools.partial(pow, held),
    "closure": lambda held: lambda x: held(x),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_data_is_written_once(way: str, ours: Payloads, theirs: Payloads, tmp_path: Path) -> None:
    held, sent = Likelihood(np.arange(COUNT)), Captured(ours)
    bodies = [sent.dump(WAYS[way](held))[0] for _ in range(3)]
    assert len(set(bodies)) == 1
    assert len(files(tmp_path)) == 1
    equal = sent.dump(WAYS[way](Likelihood(np.arange(COUNT))))[0]
    if way != "closure":  # whose pickle speaks of the test itself
        assert equal == bodies[0], "it is known by what it holds, not by who holds it"
    for body in (*bodies, equal):
        theirs.load(body)
        ours.release(body)
    assert len(files(tmp_path)) == len({equal, *bodies}), "for the next one"


@pytest.mark.parametrize("way", WAYS)
def test_what_has_changed_is_sent_as_it_is(way: str, ours: Payloads, theirs: Payloads) -> None:
    held, sent = Likelihood(np.arange(COUNT, dtype=float)), Captured(ours)
    seen = [sent.dump(WAYS[way](held))[0]]
    for place in (0, COUNT // 2, COUNT - 1):
        held.data[place] += 1
        seen.append(sent.dump(WAYS[way](held))[0])
    held.scale = 2.0
    seen.append(sent.dump(WAYS[way](held))[0])
    held.data = np.ones(COUNT)
    seen.append(sent.dump(WAYS[way](held))[0])
    held.data = np.ones(COUNT + 1)
    seen.append(sent.dump(WAYS[way](held))[0])
    assert len(set(seen)) == len(seen)
    if way in ("object", "method"):
        total = sum(range(COUNT))
        values = [theirs.load(body)(1) for body in seen]
        assert values == [total, total + 1, total + 2, total + 3, 2 * (total + 3), 2 * COUNT, 2 * (COUNT + 1)]


def test_one_of_two_arrays_changes(ours: Payloads, theirs: Payloads) -> None:
    first, second, sent = np.zeros(COUNT), np.zeros(COUNT), Captured(ours)
    both = functools.partial(print, first, second)
    before = sent.dump(both)[0]
    second[5] = 1
    after = sent.dump(both)[0]
    assert [float(array.sum()) for array in theirs.load(after).args] == [0, 1]
    assert [float(array.sum()) for array in theirs.load(before).args] == [0, 0]


def test_a_large_pickle_without_buffers_is_written_once(ours: Payloads, tmp_path: Path) -> None:
    sent, function = Captured(ours), functools.partial(len, list(range(SHARED_FROM_BYTES)))
    assert sent.dump(function)[0] == sent.dump(function)[0]
    assert len(files(tmp_path)) == 1


def test_small_callables_leave_nothing(ours: Payloads, tmp_path: Path) -> None:
    body, _ = Captured(ours).dump(functools.partial(pow, 2))
    assert body[:1] == b"\x80"
    assert files(tmp_path) == []


def test_what_is_remembered_is_bounded(ours: Payloads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captured, "REMEMBERED_BYTES", 3 * SHARED_FROM_BYTES)
    sent = Captured(ours)
    for number in range(20):
        ours.release(sent.dump(functools.partial(len, np.ones(COUNT + number)))[0])
        assert len(files(tmp_path)) <= 4
    ours.release(sent.dump(functools.partial(len, np.ones(8 * COUNT)))[0])
    assert 8 * COUNT * 8 in [(tmp_path / name).stat().st_size for name in files(tmp_path)], "the last one stays"
    assert len(files(tmp_path)) <= 4


def test_versions_share_segments_and_let_go_of_them(ours: Payloads, tmp_path: Path) -> None:
    """Each body that is handed out is released once, whether or not there is a version of it already."""
    variables, sent = Variables(release=ours.release), Captured(ours)
    function = functools.partial(len, np.ones(COUNT))
    made = [variables.snapshot({}, {}, [sent.dump(function)]) for _ in range(3)]
    assert len({snapshot.digest for snapshot in made}) == 1
    assert made[0].has_large_callables
    held = [variables.snapshot({}, {}, [sent.dump(functools.partial(len, np.full(COUNT, 2 + n)))]) for n in range(9)]
    assert len(files(tmp_path)) == 10
    for snapshot in (*made, *held):
        for version in snapshot.callables:
            assert version.body is not None
    del made, held, snapshot, version, sent
    gc.collect()
    assert variables.statistics()["recent"] == LARGE_CALLABLES_KEPT


@pytest.mark.skipif(not pages.pagemap_tells(), reason="the kernel does not say which pages were written")
def test_a_map_that_was_written_to_is_noticed(ours: Payloads, theirs: Payloads) -> None:
    body, _ = Captured(ours).dump(functools.partial(len, np.ones(COUNT)))
    array, buffers = theirs.load_with(body, lambda stream, buffers: (pickle.loads(stream, buffers=buffers), buffers))
    assert [may_be_written(buffer) for buffer in buffers] == [False]
    assert array() == COUNT
    assert [may_be_written(buffer) for buffer in buffers] == [False]
    array.args[0][7] = 0
    assert [may_be_written(buffer) for buffer in buffers] == [True]
