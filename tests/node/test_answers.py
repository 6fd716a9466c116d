"""What a node answers to an Inquire: where a Future is, its statistics, and nothing about generators."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fedfutures.node.answers import report_of
from fedfutures.wire.messages import Inquire


class Node:
    """A Worker that holds Futures 3 and 4 of origin-1, in their second attempt, and 3 of another Origin."""

    name = "h.2"

    def __init__(self) -> None:
        self.held: dict[int, Any] = {
            7: SimpleNamespace(terms=SimpleNamespace(submitter="origin-2", attempt=1), pending={3: b""}),
            8: SimpleNamespace(terms=SimpleNamespace(submitter="origin-1", attempt=2), pending={3: b"", 4: b""}),
        }

    def statistics(self) -> dict[str, int]:
        return {"held": len(self.held)}


@pytest.mark.parametrize(("submitter", "attempt"), [("origin-1", 2), ("origin-2", 1)])
def test_explain_names_the_attempt_of_the_submitters_future(submitter: str, attempt: int) -> None:
    assert report_of(Node(), Inquire(1, "explain", 1.0, submitter, 3)) == attempt


@pytest.mark.parametrize(("submitter", "future"), [("origin-2", 4), ("origin-3", 3), ("origin-1", 5)])
def test_explain_of_a_future_that_the_node_does_not_hold(submitter: str, future: int) -> None:
    assert report_of(Node(), Inquire(1, "explain", 1.0, submitter, future)) == "not known to h.2"


def test_statistics_are_the_nodes_own() -> None:
    assert report_of(Node(), Inquire(1, "statistics")) == {"held": 2}


def test_a_node_without_user_code_has_drawn_from_no_generator() -> None:
    assert report_of(Node(), Inquire(1, "generators")) == {}
