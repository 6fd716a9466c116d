"""What a node says of itself when it is asked."""

from __future__ import annotations

import pytest

from fedfutures.node import events as rules
from fedfutures.node.inquiries import Inquiries
from fedfutures.node.workload import Workload
from fedfutures.wire.codec import pack_plain, unpack_plain
from fedfutures.wire.messages import Answer, Batch, Inquire


def asked(role: str, question: Inquire) -> object:
    workload = Workload("n")
    workload.hold(Batch(1, "o", b"f", 2, 0, 0, False, [5], [b""]))
    answer = Inquiries("n", role, workload, pack_plain).answer(question, lambda: {"held": 1})
    if not isinstance(answer, Answer):
        return answer
    assert (answer.number, answer.name, answer.last) == (7, "n", True)
    return unpack_plain(answer.report)


@pytest.mark.parametrize(
    ("question", "report"),
    [
        (Inquire(7, "statistics"), {"held": 1}),
        (Inquire(7, "explain", submitter="o", future=5), 2),
        (Inquire(7, "explain", submitter="o", future=6), "not known to n"),
        (Inquire(7, "explain", submitter="p", future=5), "not known to n"),
    ],
)
def test_it_says_what_it_knows(question: Inquire, report: object) -> None:
    assert asked("worker", question) == report


@pytest.mark.parametrize("subject", ["generators", "ran"])
def test_only_workers_know_what_futures_draw_from_and_what_has_run(subject: str) -> None:
    assert asked("worker", Inquire(7, subject, 1.0, "me")) == rules.Look(7, subject, "me")
    assert asked("origin", Inquire(7, subject, 1.0, "me")) == {}


@pytest.mark.parametrize("role", ["worker", "origin"])
@pytest.mark.parametrize("subject", ["status", "stack"])
def test_what_goes_on_here_the_shell_sees(role: str, subject: str) -> None:
    assert asked(role, Inquire(7, subject)) == rules.Look(7, subject)
