"""Which values are passed on as they are: numbers and strings, as the first and the last of a list tell."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fedfutures.worker.plain import ATOMS, look_plain


class Number(int):
    """A subclass may have attributes that can be changed."""


@pytest.mark.parametrize(
    ("values", "plain"),
    [([1], True), ([None, "a"], True), ([b"", 2j, True], True), ([1, [], 2.5], True), ([1, []], False),
     ([(), 1], False), ([Number(1)], False), ([bytearray(), 1], False)],
)  # fmt: skip
def test_the_first_and_the_last_value_decide(values: list[Any], plain: bool) -> None:
    assert look_plain(values) is plain


def test_no_atom_is_ever_copied() -> None:
    for kind in ATOMS:
        value = kind()
        assert copy.deepcopy(value) is value
