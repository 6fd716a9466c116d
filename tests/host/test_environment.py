"""Environment variables for Workers."""

from __future__ import annotations

import pytest

from fedfutures.host.environment import resolved, variables_of, words_of


@pytest.mark.parametrize(
    ("word", "found"), [("A=1", "A=1"), ("A=", "A="), ("A=b=c", "A=b=c"), ("A", "A=of here"), ("_a1", "_a1=")]
)
def test_a_variable_has_the_value_that_is_said_or_that_of_here(word: str, found: str) -> None:
    assert resolved([word], {"A": "of here", "_a1": ""}) == [found]
    assert resolved([found], {}) == [found], "what is resolved stays"


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("", "neither NAME=VALUE nor"), ("=1", "neither"), ("1A=1", "neither"), ("A B=1", "neither"),
        ("A-B", "neither"),
        ("B", "B is not set here: export it, or say B=VALUE"), ("A=\0", "null character"),
    ],
)  # fmt: skip
def test_what_is_no_variable(word: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        resolved([word], {"A": "1"})


def test_a_file_has_one_in_each_line() -> None:
    assert words_of("# A=0\n\n  A=1  \nB\r\n#") == ["A=1", "B"]


def test_what_a_host_says_of_itself_goes_first() -> None:
    assert variables_of(["A=own", "A=of all", "B=c=d"]) == {"A": "own", "B": "c=d"}
