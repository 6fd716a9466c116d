"""``fedfutures.Pool``, beside CPython's own tests (test_pool_battery.py)."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
from launching import eventually, launch, write

from fedfutures import Pool
from fedfutures.errors import FederationLost

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(2) as found:
        yield found


def double(x: int) -> int:
    return 2 * x


def inverse(x: int) -> float:
    return 1 / x


def set_up(value: str) -> None:
    os.environ["SET_UP"] = value


def what_was_set(_: int) -> str:
    return os.environ.get("SET_UP", "")


def pooled(count: int) -> tuple[list[int], list[int], bool]:
    with Pool(count) as pool:
        later = pool.map_async(double, range(count))
        return pool.map(double, range(count)), later.get(), pool.is_master()


def test_it_is_what_libraries_ask_for(pool: Pool) -> None:
    assert (pool.size, vars(Pool)["_processes"], pool.is_master(), pool.is_worker()) == (2, Pool.size, True, False)
    pool.wait()
    assert repr(pool).startswith("<Pool of <Executor 2 Workers on ")
    assert pool.starmap(pow, [(2, 3), [3, 2]]) == [8, 9]
    assert pool.apply(pow, (2,), {"exp": 5}) == 32


def test_an_item_that_raises_does_so_in_its_turn(pool: Pool) -> None:
    for found in (pool.imap(inverse, [1, 0, 2]), pool.imap(inverse, [1, 0, 2], chunksize=3)):
        assert next(found) == 1.0
        with pytest.raises(ZeroDivisionError):
            next(found)
        assert list(found) == [0.5]
    with pytest.raises(ZeroDivisionError):
        list(pool.imap_unordered(inverse, [0]))


def test_an_exception_that_is_a_value_is_not_raised(pool: Pool) -> None:
    assert [type(found) for found in pool.imap(ValueError, ["a"])] == [ValueError]
    assert type(pool.map(KeyError, ["a"])[0]) is KeyError


def test_a_result_has_a_time(pool: Pool) -> None:
    found = pool.imap(time.sleep, [0.6, 0.0])
    with pytest.raises(multiprocessing.TimeoutError):
        found.next(timeout=0.05)
    assert (found.next(timeout=20), found.next()) == (None, None)
    for _ in range(2):
        with pytest.raises(StopIteration):
            found.next(timeout=1)
    later = pool.apply_async(time.sleep, (0.3,))
    with pytest.raises(ValueError, match="not ready"):
        later.successful()
    with pytest.raises(multiprocessing.TimeoutError):
        later.get(timeout=0.01)
    assert (later.get(), later.ready(), later.successful()) == (None, True, True)


def test_the_input_of_imap_may_be_endless(pool: Pool) -> None:
    assert list(itertools.islice(pool.imap(double, itertools.count()), 5)) == [0, 2, 4, 6, 8]


def test_callbacks_hear_of_the_end(pool: Pool) -> None:
    heard: list[object] = []
    later = pool.apply_async(double, (2,), callback=heard.append, error_callback=heard.append)
    assert (later.get(), heard) == (4, [4])
    pool.apply_async(inverse, (0,), callback=heard.append, error_callback=heard.append).wait()
    assert type(heard[1]) is ZeroDivisionError
    pool.starmap_async(pow, [(2, 2)], callback=heard.append).wait()
    assert heard[2] == [4]
    later = pool.map_async(inverse, [1, 0, 2], error_callback=heard.append)
    later.wait()
    assert (type(heard[3]), later.successful()) == (ZeroDivisionError, False)


def test_all_calls_are_made_before_a_map_raises(pool: Pool, tmp_path: Path) -> None:
    def touch(number: int) -> float:
        with open(tmp_path / str(number), "w"):
            return 1 / number

    with pytest.raises(ZeroDivisionError):
        pool.map(touch, range(40), chunksize=1)
    assert len(os.listdir(tmp_path)) == 40


def test_each_worker_is_set_up_and_replaced() -> None:
    with Pool(2, set_up, ("yes",), maxtasksperchild=3) as pool:
        assert set(pool.map(what_was_set, range(20), chunksize=1)) == {"yes"}
        assert len(set(pool.map(lambda _: os.getpid(), range(12), chunksize=1))) >= 3


def test_after_the_end() -> None:
    pool = Pool(1)
    later = pool.map_async(double, range(5))
    with pytest.raises(ValueError, match="still running"):
        pool.join()
    pool.close()
    for call in (pool.map, pool.imap, pool.apply_async, pool.map_async, pool.starmap, pool.imap_unordered):
        with pytest.raises(ValueError, match="Pool not running"):
            call(double, [1])  # type: ignore[operator]
    pool.join()
    assert later.get() == [0, 2, 4, 6, 8]
    with pytest.raises(ValueError, match="Pool not running"), pool:
        pass


def test_nobody_waits_for_a_pool_that_was_terminated() -> None:
    pool = Pool(1)
    results = [pool.apply_async(time.sleep, (60,)) for _ in range(3)]
    some = pool.map_async(time.sleep, [60] * 5)
    began = time.monotonic()
    threading.Timer(0.5, pool.terminate).start()
    for result in (*results, some):
        with pytest.raises((FederationLost, CancelledError)):
            result.get(timeout=20)
    pool.join()
    assert time.monotonic() < began + 10


@pytest.mark.parametrize("bad", [{"processes": 0}, {"maxtasksperchild": 0}, {"initializer": 3}, {"no_such": 1}])
def test_bad_input(bad: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Pool(**bad)  # type: ignore[arg-type]


def test_what_a_call_is_given(pool: Pool) -> None:
    with pytest.raises(ValueError, match=r"Chunksize must be 1\+, not 0"):
        pool.imap(double, [1], chunksize=0)
    with pytest.raises(TypeError, match="takes a function first"):
        pool.apply_async(3)  # type: ignore[arg-type]


def test_a_pool_in_a_future_is_the_run_of_the_future(pool: Pool) -> None:
    assert pool.apply(pooled, (3,)) == ([0, 2, 4], [0, 2, 4], False)
    assert pickle.loads(pickle.dumps(len)) is len
    assert pool.apply(lambda given: given.size, (pool,)) == 2


def test_a_launched_program_lends_its_workers(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        from fedfutures import Pool

        def work(x):
            return x + 1

        if __name__ == "__main__":
            with Pool(8) as pool:
                print(pool.size, pool.map(work, range(4)), list(pool.imap(work, range(3))))
            print(Pool().map(work, [1]))
        """,
    )  # fmt: skip
    ended = launch("-n", "2", "prog.py", cwd=tmp_path)
    assert (ended.code, ended.out, ended.err) == (0, "2 [1, 2, 3, 4] [1, 2, 3]\n[2]\n", "")


def test_a_pool_that_is_forgotten_ends() -> None:
    pool = Pool(1)
    pid = pool.apply(os.getpid)
    del pool
    assert eventually(lambda: not os.path.exists(f"/proc/{pid}/exe"), 10.0)
