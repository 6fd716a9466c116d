"""What the addresses of other systems mean here."""

from __future__ import annotations

import pytest

from fedfutures.compat.addresses import Address, read


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("PYRO:worker@localhost:21000", "21000"),
        ("pyro:worker@127.0.0.1:21001", "21001"),
        ("PYRONAME:worker", "worker"),
        ("PYRO:worker@node7", "node7:worker"),
        ("PYRO:worker@node7:21000", "node7:21000"),
        ("node7:60000", "node7:60000"),
        ("ann@node7:60000", "ann@node7:60000"),
        ("node7", "node7:usual"),
        ("localhost", "usual"),
        ("tower:1", "1"),
        ("[::1]:35000", "35000"),
    ],
)
def test_a_port_is_the_name_of_a_federation(text: str, word: str) -> None:
    assert read(text, "usual", ("tower",)).word == word


def test_the_command_that_starts_it() -> None:
    assert Address("", "21000").command == "python -m fedfutures up 21000"
    assert Address("node7", "21000").command == "ssh node7 python -m fedfutures up 21000"


@pytest.mark.parametrize("text", ["", "node7:", "a b", " "])
def test_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        read(text, "usual")


def test_no_text() -> None:
    with pytest.raises(TypeError, match="is a text"):
        read(7, "usual")  # type: ignore[arg-type]
