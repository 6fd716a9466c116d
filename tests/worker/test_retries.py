"""What options(retries=) says."""

from __future__ import annotations

import pytest

from fedfutures.worker.retries import MOST_RETRIES, Retries, checked_retries


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
