"""What a fork needs to have in common with a start."""

from __future__ import annotations

import os

import pytest

from fedfutures.standing.identity import OURS, identity


def test_the_same_process_has_the_same() -> None:
    assert identity() == OURS
    assert identity({**os.environ, "COLOUR": "red", "TZ": "UTC", "HOME": "/h"}) == OURS


@pytest.mark.parametrize("name", ["PYTHONHASHSEED", "LD_LIBRARY_PATH", "MALLOC_ARENA_MAX", "LC_ALL", "LANG"])
def test_what_a_process_reads_once_is_part_of_it(name: str) -> None:
    assert identity({**os.environ, name: "other"}) != OURS


def test_another_interpreter_is_another() -> None:
    assert identity(python=["/usr/bin/python3"]) != OURS
