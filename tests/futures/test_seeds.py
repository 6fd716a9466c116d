"""Random numbers of seeded calls: each item has its own, whatever runs it, and nobody else draws them."""

from __future__ import annotations

import operator
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import seed_functions as seeds
from launching import eventually, launch, python, write
from nodes import node_of

from fedfutures import Executor, futures
from fedfutures.worker import current, seeding
from fedfutures.worker.streams import Stream, stream_of

numpy = pytest.importorskip("numpy")
LIMIT = 20.0
COUNT = 60
SERIAL = Executor(mode="serial")


@pytest.fixture(scope="module")
def two() -> Iterator[Executor]:
    """Two Workers."""
    with Executor(2) as executor:
        yield executor


@pytest.fixture(scope="module")
def one() -> Iterator[Executor]:
    """One Worker."""
    with Executor(1) as executor:
        yield executor


@pytest.fixture(
    params=["serial", pytest.param("one", marks=pytest.mark.host), pytest.param("two", marks=pytest.mark.host)]
)
def face(request: pytest.FixtureRequest) -> Any:
    """An Executor without Workers, with one, and with two."""
    return SERIAL if request.param == "serial" else request.getfixturevalue(request.param)


def flat(draws: list[Any]) -> list[float]:
    return [number for row in draws for number in row]


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    return list(SERIAL.map(seeds.draw, range(COUNT), seed=42))


# -- the same everywhere ---------------------------------------------------------------------------------------------


def test_a_seed_is_that_of_numpy(expected: list[Any]) -> None:
    spawned = numpy.random.SeedSequence(42).spawn(COUNT)
    assert [row[3] for row in expected] == [float(numpy.random.default_rng(one).random()) for one in spawned]
    state = numpy.random.RandomState(spawned[3].generate_state(8))
    assert expected[3][1:3] == (state.random(), state.normal())


def test_all_items_differ(expected: list[Any]) -> None:
    assert len(set(flat(expected))) == 4 * COUNT
    other = list(SERIAL.map(seeds.draw, range(COUNT), seed=43))
    assert not set(flat(expected)) & set(flat(other))


@pytest.mark.parametrize("options", [{}, {"chunksize": 1}, {"chunksize": 7}, {"buffersize": 5}])
def test_workers_and_slices_do_not_matter(face: Any, expected: list[Any], options: Any) -> None:
    assert list(face.map(seeds.draw, range(COUNT), seed=42, timeout=LIMIT, **options)) == expected
    assert list(face.map(seeds.draw, iter(range(COUNT)), seed=42, timeout=LIMIT, **options)) == expected


def test_nor_how_it_is_called(face: Any, expected: list[Any]) -> None:
    assert list(face.options(seed=42).map(seeds.draw, range(COUNT), timeout=LIMIT)) == expected
    assert list(face.starmap(seeds.draw, [(n,) for n in range(COUNT)], seed=42, timeout=LIMIT)) == expected
    assert list(face.group("g").map(seeds.draw, range(COUNT), seed=42)) == expected
    assert list(face.group("g").options(seed=42).map(seeds.draw, range(COUNT))) == expected
    assert sorted(face.map(seeds.draw, range(COUNT), seed=42, unordered=True)) == sorted(expected)
    assert list(face.map(seeds.draw, range(COUNT), seed=numpy.random.SeedSequence(42))) == expected
    assert list(face.map(seeds.draw, range(COUNT), seed=numpy.int64(42))) == expected


def test_reductions(monkeypatch: pytest.MonkeyPatch, face: Any, expected: list[Any]) -> None:
    monkeypatch.setattr(current, "node", node_of(face))
    assert futures.map_reduce(seeds.listed, operator.add, range(COUNT), seed=42) == expected
    assert futures.map_scan(seeds.listed, operator.add, range(5), seed=42)[-1] == expected[:5]


def test_nor_what_other_items_do(face: Any) -> None:
    items = [0, 3, 1, 5, 2]
    found = list(face.map(seeds.draw_many, items, seed=1, timeout=LIMIT))
    assert found == list(SERIAL.map(seeds.draw_many, items, seed=1, chunksize=1))
    changed = list(face.map(seeds.draw_and_change, range(40), seed=42, chunksize=10, timeout=LIMIT))
    assert changed == list(SERIAL.map(seeds.draw, range(40), seed=42))


def test_the_futures_of_one_options_object_count(face: Any, expected: list[Any]) -> None:
    options = face.options(seed=42)
    handles = [options.submit(seeds.draw, item) for item in range(5)]
    assert [handle.result(LIMIT) for handle in handles] == expected[:5]
    assert face.options(seed=42).submit(seeds.draw).result(LIMIT) == expected[0]
    assert options.options(priority=1).submit(seeds.draw).result(LIMIT) == expected[0]
    assert face.options(seed=8).submit(seeds.draw).result(LIMIT) != expected[0]


def test_what_seeded_futures_submit_is_seeded(face: Any) -> None:
    trees = list(face.map(seeds.tree, range(3), seed=11, timeout=LIMIT))
    assert trees == list(SERIAL.map(seeds.tree, range(3), seed=11))
    drawn = flat(seeds.leaves(trees))
    assert len(set(drawn)) == len(drawn)


def test_a_seed_sequence_is_the_same_at_every_depth(face: Any) -> None:
    found = list(face.map(seeds.nested_absolute, range(2), seed=11))
    assert found == 2 * [list(SERIAL.map(seeds.draw, range(2), seed=99))[1]]


def test_waiting_changes_nothing(face: Any) -> None:
    unbroken = face.options(seed=4).submit(seeds.draw_around_waits, 0).result(LIMIT)
    found = [options.submit(seeds.draw_around_waits, 3) for options in [face.options(seed=4) for _ in range(6)]]
    drawn = [handle.result(LIMIT) for handle in found]
    assert drawn == [drawn[0]] * 6
    assert drawn[0][:1] == unbroken
    assert drawn == [SERIAL.options(seed=4).submit(seeds.draw_around_waits, 3).result()] * 6


@pytest.mark.host
def test_futures_that_wait_in_turns_keep_their_states(two: Executor, tmp_path: Path) -> None:
    expected = [SERIAL.options(seed=seed).submit(seeds.draw_twice).result() for seed in (4, 5)]
    for attempt in range(5):
        path = str(tmp_path / str(attempt))
        first = two.options(seed=4).submit(seeds.draw_around_another, path)
        assert eventually(Path(path + ".first waits").exists, LIMIT)
        second = two.options(seed=5).submit(seeds.draw_meanwhile, path)
        (drawn, where), (others, also) = first.result(LIMIT), second.result(LIMIT)
        assert [drawn, others] == expected
        if where == also:  # the first went on while the second waited, on one Worker
            return
    pytest.fail("they never met")


def test_a_generator_may_be_handed_to_a_thread(face: Any) -> None:
    assert flat(list(face.map(seeds.in_a_thread, range(5), seed=42))) == list(
        face.map(seeds.draw_own, range(5), seed=42)
    )


def test_a_seeded_future_that_raises(face: Any) -> None:
    found = list(face.map(seeds.fail_seeded, range(3), seed=42, return_exceptions=True))
    assert [error.args[0] for error in found] == list(SERIAL.map(seeds.draw_plain, range(3), seed=42))


@pytest.mark.host
@pytest.mark.once
def test_a_lost_worker_does_not_matter(tmp_path: Path) -> None:
    path = str(tmp_path / "lost")
    with Executor(2) as executor:
        found = list(executor.map(seeds.draw_after_loss, [path] * 4, range(4), seed=6, timeout=LIMIT))
    assert Path(path).exists()
    assert found == list(SERIAL.map(seeds.draw_after_loss, [path] * 4, range(4), seed=6))


@pytest.mark.parametrize("kind", ["items of Workers", "items of a Future"])
@pytest.mark.host
@pytest.mark.once
def test_a_value_that_cannot_travel_makes_no_other_item_run_again(kind: str, two: Executor, tmp_path: Path) -> None:
    path = str(tmp_path / "ran")
    if kind == "items of Workers":
        found = seeds.locks_among_draws(path, two.map)
    else:
        found = two.submit(seeds.locks_among_draws, path).result()
    right = list(SERIAL.map(seeds.draw, range(6), seed=4))
    assert found == [*right[:2], "ResultNotPicklable", *right[3:]]
    assert sorted(Path(path).read_text()) == list("012345")


@pytest.mark.host
@pytest.mark.once
def test_nor_does_a_slice_that_kills(expected: list[Any]) -> None:
    with Executor(2) as executor:
        found = list(executor.map(seeds.draw_or_die, range(8), seed=42, chunksize=4, return_exceptions=True))
    assert [row for row in found if isinstance(row, tuple)] == [*expected[:5], *expected[6:8]]
    assert type(found[5]).__name__ == "PoisonedFuture"


@pytest.mark.host
def test_launched_plain_and_with_an_import_inside(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        import hashlib
        from fedfutures import futures

        def draw(item):
            import numpy as np                       # nobody has imported it before
            return np.random.random(), np.random.default_rng() is not futures.rng(), futures.rng().random()

        if __name__ == "__main__":
            found = list(futures.map(draw, range(30), seed=42))
            print(hashlib.sha256(repr(found).encode()).hexdigest(), len(set(found)))
        """,
    )
    outs = {launch("-n", n, "prog.py", cwd=tmp_path).out for n in ("1", "3")} | {python("prog.py", cwd=tmp_path).out}
    assert len(outs) == 1
    assert outs.pop().endswith(" 30\n")


# -- and nobody else's -----------------------------------------------------------------------------------------------


def test_the_program_keeps_its_own_numbers() -> None:
    random.seed(1)
    numpy.random.seed(1)
    plain = seeds.draw()[:3]
    random.seed(1)
    numpy.random.seed(1)
    list(SERIAL.map(seeds.draw, range(3), seed=42))
    assert len(list(SERIAL.map(seeds.fail_seeded, range(1), seed=42, return_exceptions=True))) == 1
    assert seeds.draw()[:3] == plain
    assert seeding.read() is None
    assert seeding.stream_for_call(None) is None


@pytest.mark.host
def test_futures_without_a_seed_never_draw_those_of_others(one: Executor, expected: list[Any]) -> None:
    drawn = []
    for _ in range(5):
        drawn.append(one.submit(seeds.draw).result(LIMIT))
        list(one.map(seeds.draw, range(4), seed=42))
        seeded = one.options(seed=42).submit(seeds.draw_around_waits, 2)
        drawn += [handle.result(LIMIT) for handle in [one.submit(seeds.draw) for _ in range(10)]]
        seeded.result(LIMIT)
    assert len(set(flat(drawn))) == 4 * 55
    assert not set(flat(drawn)) & set(flat(expected))


# -- seeds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["42", 1.5, True, [1, "2"], object(), numpy.array(1.5)])
def test_what_is_no_seed(face: Any, wrong: Any) -> None:
    for call in (lambda: face.options(seed=wrong), lambda: face.map(seeds.draw, [1], seed=wrong)):
        with pytest.raises(TypeError, match="seed must be an integer, a sequence of integers or a numpy SeedSequence"):
            call()


@pytest.mark.parametrize("wrong", [-1, [1, -1], []])
def test_seeds_out_of_range(wrong: Any) -> None:
    with pytest.raises(ValueError, match="seed must"):
        futures.options(seed=wrong)


def test_streams() -> None:
    assert stream_of(numpy.array([1, 2])) == stream_of((1, 2)) == stream_of(range(1, 3)) == Stream((1, 2))
    spawned = numpy.random.SeedSequence(5).spawn(3)[2].spawn(2)[1]
    assert stream_of(spawned) == Stream(5).child(2).child(1)
    inside = Stream(1).child(0)
    streams = [inside, inside.child(0), inside.of_count(0), inside.of_count(1), inside.of_seed(0), inside.of_seed(1)]
    assert len({stream.number() for stream in streams}) == len(streams)
    assert inside.of_seed(spawned) == stream_of(spawned)
    drawn = {float(numpy.random.default_rng(seeding.sequence_of(numpy.random, stream)).random()) for stream in streams}
    assert len(drawn) == len(streams)


def test_large_and_several_seeds(face: Any) -> None:
    for seed in (2**200, [1, 2], numpy.random.SeedSequence()):
        found = list(face.map(seeds.draw, range(3), seed=seed, timeout=LIMIT))
        assert found == list(SERIAL.map(seeds.draw, range(3), seed=seed))


def test_without_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = list(SERIAL.map(seeds.draw_plain, range(3), seed=42))
    for name in [name for name in sys.modules if name.partition(".")[0] == "numpy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(seeding, "_may_have_numpy", False)
    assert list(SERIAL.map(seeds.draw_plain, range(3), seed=42)) == expected
    with pytest.raises(ImportError, match="which is not installed here"):
        futures.rng()


def test_without_a_seed_each_generator_is_new() -> None:
    assert len({float(futures.rng().random()) for _ in range(10)}) == 10


# -- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.host
def test_options_travel(two: Executor) -> None:
    options = two.options(seed=42)
    expected = SERIAL.options(seed=42).submit(seeds.draw).result()
    found = two.submit(lambda: options.submit(seeds.draw).result()).result(LIMIT)
    assert found == expected
    module_level = futures.options(seed=42)
    assert two.submit(lambda: module_level.submit(seeds.draw).result()).result(LIMIT) == expected
