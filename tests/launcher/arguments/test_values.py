"""Values of options."""

from __future__ import annotations

import argparse

import pytest

from fedfutures_launcher.arguments.values import checked, seconds


def test_a_time() -> None:
    assert (seconds("90"), seconds("1:30:00")) == (90.0, 5400.0)


@pytest.mark.parametrize("text", ["", "soon", "-1"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="it"):
        seconds(text)


def test_other_errors_are_faults_of_ours() -> None:
    with pytest.raises(ZeroDivisionError):
        checked(lambda: 1 / 0)
