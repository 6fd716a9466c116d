"""Shared constants and files, in a program that has no Federation."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from fedfutures import shared
from fedfutures.wire.messages import MAX_NAME_CHARACTERS

_numbers = itertools.count()


@pytest.fixture
def name() -> str:
    """A name that no other test has set."""
    return f"shared_{next(_numbers)}"


def test_what_is_set_is_had_and_can_be_set_again(name: str) -> None:
    shared.set(**{name: [1]})
    assert shared.get(name) == [1]
    shared.setConst(**{name: None})
    assert shared.get(name, "default") is None
    assert shared.getConst(name) is None


def test_what_is_not_set(name: str) -> None:
    assert shared.get(name, 3) == 3
    with pytest.raises(KeyError, match=f"no shared constant '{name}'; set it with"):
        shared.get(name)
    began = time.monotonic()
    assert shared.get(name, 3, timeout=0.05) == 3
    assert time.monotonic() - began >= 0.05


def test_names_are_bounded() -> None:
    with pytest.raises(ValueError, match="characters at most"):
        shared.set(**{"x" * (MAX_NAME_CHARACTERS + 1): 1})


def test_a_file_of_the_program_is_itself(tmp_path: Path) -> None:
    path = tmp_path / "data.txt"
    path.write_text("1\n")
    assert Path(shared.file(path)).samefile(path)
    with pytest.raises(FileNotFoundError):
        shared.file(tmp_path / "nothing")
