"""What options(retries=) says."""

from __future__ import annotations

from concurrent.futures import CancelledError

import pytest

from fedfutures.errors import ArgumentLoadError, FederationLost, FutureLost, PoisonedFuture, TaskTimeout
from fedfutures.worker.retries import MOST_RETRIES, Retries, Tries, checked_retries


def test_a_number_stands_for_retries() -> None:
    assert checked_retries(3) == Retries(3)
    assert checked_retries(Retries(3, OSError)) == Retries(3, OSError)
    assert checked_retries(None) is checked_retries(0) is checked_retries(Retries(0)) is None


def test_each_wait_is_longer_up_to_a_bound() -> None:
    retries = Retries(9, delay=1.0, factor=3.0, longest=20.0)
    assert [retries.wait(tries) for tries in (1, 2, 3, 4, 10**6)] == [1.0, 3.0, 9.0, 20.0, 20.0]


@pytest.mark.parametrize("wrong", ["3", 1.5, True, [1]])
def test_other_things_are_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match="retries must be an integer"):
        checked_retries(wrong)


@pytest.mark.parametrize("on", [(), (int,), "OSError", [OSError]])
def test_what_is_no_exception_is_refused(on: object) -> None:
    with pytest.raises(TypeError, match="on must be an exception class"):
        checked_retries(Retries(1, on))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", [-1, MOST_RETRIES + 1, Retries(1, delay=-1), Retries(1, factor=0.5), Retries(1, longest=float("inf"))]
)
def test_impossible_figures_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="retries"):
        checked_retries(wrong)


# -- the tries of one Future -------------------------------------------------------------------------------------------


def test_as_many_tries_as_were_asked_for() -> None:
    tries = Tries(Retries(2, delay=1.0, factor=3.0), 10.0)
    assert [tries.wait_after(OSError()) for _ in range(4)] == [1.0, 3.0, None, None]
    assert tries.count == 3
    assert tries.told(14.5) == "tried 3 times in 4.5 s"


def test_other_errors_end_it() -> None:
    tries = Tries(Retries(9, on=(OSError, KeyError)), 0.0)
    assert tries.wait_after(KeyError()) is not None
    assert tries.wait_after(FileNotFoundError()) is not None
    assert tries.wait_after(ValueError()) is None


@pytest.mark.parametrize(
    "error",
    [FederationLost("x"), FutureLost("f", "h", "w", "s", 1), CancelledError(), KeyboardInterrupt(), SystemExit()],
    ids=lambda it: type(it).__name__,
)
def test_what_is_never_tried_again(error: BaseException) -> None:
    assert Tries(Retries(9), 0.0).wait_after(error) is None
    greedy = Tries(Retries(9, on=BaseException), 0.0)
    assert (greedy.wait_after(error) is None) == (type(error) is not SystemExit)


@pytest.mark.parametrize(
    "error",
    [TaskTimeout("f", 1.0, "h", "w"), PoisonedFuture("f", "h", "w", "s", 1), ArgumentLoadError("x")],
    ids=lambda it: type(it).__name__,
)
def test_what_ends_a_worker_is_tried_again(error: BaseException) -> None:
    assert Tries(Retries(1), 0.0).wait_after(error) == 0.1


def test_what_it_says_of_itself() -> None:
    tries = Tries(Retries(2, delay=3.0), 0.0)
    assert tries.told(1.0) == "", "the first one says nothing"
    tries.wait_after(OSError())
    assert tries.shown(3.0) == "it waits for its 2nd try, in 3 s, since it raised OSError"
    assert "in 0 s" in tries.shown(-0.1)
