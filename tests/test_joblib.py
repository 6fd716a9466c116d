"""The backend of joblib; what it computes with real libraries is shown in tests/ecosystem."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from launching import eventually

joblib = pytest.importorskip("joblib")
numpy = pytest.importorskip("numpy")

import fedfutures.joblib as ours  # noqa: E402
from fedfutures.errors import FederationLost  # noqa: E402
from fedfutures.joblib import ArrayName, CallArrays, FederationBackend, kept_executor  # noqa: E402
from fedfutures.standing.places import StandingPlace  # noqa: E402
from fedfutures.standing.recipe import Recipe  # noqa: E402
from fedfutures.standing.start import start_keeper  # noqa: E402
from fedfutures.worker import current  # noqa: E402
from fedfutures_launcher.verbs.down import take_down  # noqa: E402

pytestmark = pytest.mark.host
delayed, Parallel = joblib.delayed, joblib.Parallel


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    ours.shutdown()


def double(x: int) -> int:
    return 2 * x


def pid(_: int) -> int:
    time.sleep(0.02)
    return os.getpid()


def sleeps_and_writes(path: Path, seconds: float) -> None:
    time.sleep(seconds)
    path.touch()


def fails_or_sleeps(number: int, path: Path) -> None:
    if number == 0:
        raise ValueError("first")
    sleeps_and_writes(path / str(number), 20.0)


def is_read_only(array: Any) -> bool:
    return not array.flags.writeable


def test_workers_are_kept_and_their_number_follows() -> None:
    with joblib.parallel_config(backend="fedfutures", n_jobs=2):
        pids: set[int] = set()
        for _ in range(5):  # one Worker may have run all of them, where the other one was late
            pids.update(Parallel()(delayed(pid)(number) for number in range(20)))
        assert len(pids) == 2
        assert os.getpid() not in pids
    three = Parallel(backend="fedfutures", n_jobs=3)
    assert eventually(lambda: len(set(three(delayed(pid)(number) for number in range(60)))) == 3, 20.0)


def test_how_many_workers_a_number_means() -> None:
    backend = FederationBackend()
    assert (backend.effective_n_jobs(3), backend.effective_n_jobs(None)) == (3, 1)
    assert backend.effective_n_jobs(-1) == len(os.sched_getaffinity(0))
    assert backend.effective_n_jobs(-100) == 1
    with pytest.raises(ValueError, match="has no meaning"):
        backend.effective_n_jobs(0)


def test_one_worker_is_this_process() -> None:
    assert set(Parallel(backend="fedfutures", n_jobs=1)(delayed(pid)(0) for _ in range(2))) == {os.getpid()}


def test_time_is_over() -> None:
    began = time.monotonic()
    with pytest.raises(multiprocessing.TimeoutError):
        Parallel(backend="fedfutures", n_jobs=2, timeout=0.3)(delayed(time.sleep)(30) for _ in range(2))
    assert Parallel(backend="fedfutures", n_jobs=2)(delayed(double)(number) for number in range(3)) == [0, 2, 4]
    assert time.monotonic() < began + 15, "what ran was cut off"


def test_the_time_out_of_a_call_is_its_own() -> None:
    def fails(_: int) -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        Parallel(backend="fedfutures", n_jobs=2)(delayed(fails)(number) for number in range(2))


def test_after_an_error_the_rest_is_cancelled(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match="first"):
        Parallel(backend="fedfutures", n_jobs=2, batch_size=1, pre_dispatch="all")(
            delayed(fails_or_sleeps)(number, tmp_path) for number in range(40)
        )
    assert Parallel(backend="fedfutures", n_jobs=2)(delayed(double)(number) for number in range(9)) == [
        *range(0, 18, 2)
    ]
    assert time.monotonic() - began < 15.0, "both Workers were free again before a call of the first round ends"
    assert os.listdir(tmp_path) == []


def test_a_large_array_is_given_once_and_not_to_be_written_to() -> None:
    large, small = numpy.zeros(1_000_000), numpy.zeros(10)
    found = Parallel(backend="fedfutures", n_jobs=2)(delayed(is_read_only)(array) for array in (large, small, large))
    assert found == [True, False, True]


def test_what_is_an_array_of_a_call() -> None:
    class Batch:
        def __init__(self) -> None:
            self.items = [(sum, (large, large), {"start": 1}), (sum, ([1],), {"x": objects})]

    large, objects = numpy.zeros(1_000_000), numpy.array([None] * 200_000)
    arrays = CallArrays()
    batch = Batch()
    packed: Any = arrays.packed(batch)
    (_, (first, second), kept), (_, other, more) = packed.args[0].items
    assert (type(first), first, kept, other) == (ArrayName, second, {"start": 1}, ([1],))
    assert more["x"] is objects
    assert batch.items[0][1][0] is large, "the batch itself is as it was"
    arrays.forget()
    assert arrays.packed(len) is len


def test_in_a_worker_it_is_that_of_the_run() -> None:
    backend = pickle.loads(pickle.dumps(FederationBackend(1, hosts=["tower"])))
    assert backend.nesting_level == 1
    assert backend.effective_n_jobs(-1) == len(os.sched_getaffinity(0)), "and has no hosts of its own"
    assert backend.get_nested_backend()[0].nesting_level == 2


def test_the_workers_of_a_standing_federation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = [*current.origins]
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    start_keeper(StandingPlace("lab"), Recipe("lab", 2))
    with joblib.parallel_config(backend="fedfutures", n_jobs=-1, join="lab"):
        assert Parallel()(delayed(double)(number) for number in range(4)) == [0, 2, 4, 6]
        assert kept_executor(None, {"join": "lab"}).num_workers == 2
        take_down(StandingPlace("lab"))
        with pytest.raises(FederationLost):
            Parallel()(delayed(double)(number) for number in range(4))
        start_keeper(StandingPlace("lab"), Recipe("lab", 2))
        assert Parallel()(delayed(double)(number) for number in range(4)) == [0, 2, 4, 6]
    ours.shutdown()
    take_down(StandingPlace("lab"))
    assert [*current.origins] == before, "the Executor that lost its Federation has ended, too"
