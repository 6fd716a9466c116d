"""The end of a Worker: how it has ended, who is to blame, and for which Future it was ended."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

import pytest

from fedfutures.host.ends import GROWN_IDLE, OVER_MEMORY, OVER_TIME, Ends
from fedfutures.supervision.machine import HostMachine
from fedfutures.supervision.memory_use import Overuse
from fedfutures.supervision.overruns import AloneFuture
from fedfutures.wire.messages import OUT_OF_MEMORY, OVERRAN

ALONE = AloneFuture(3, 7, 5.0)


class Case:
    """A host with one Worker, which may be over a limit, or be killed by the kernel."""

    def __init__(self) -> None:
        self.machine = HostMachine("h", 1)
        self.machine.begin()
        self.overuse: Overuse | None = None
        self.kills = ""
        memory: Any = SimpleNamespace(end=lambda child: self.overuse)
        counter: Any = SimpleNamespace(explanation=lambda: self.kills, bound=lambda: 4000)
        self.ends = Ends(self.machine, memory, counter)

    def end(self, code: int, *, running: tuple[int, int] | None = (3, 7), is_ending: bool = False) -> Any:
        cells = SimpleNamespace(running=lambda: running, ready=True, nested=False, begun_once=lambda: (4, 9))
        child: Any = SimpleNamespace(
            slot=0, name="h.1", cells=cells, alone=lambda: ALONE, stopped_itself=False, limit_met=lambda code: "",
            read_dump=lambda: "dump", printed=lambda *place: {"printed": list(place), "out": "hello"},
        )  # fmt: skip
        return self.ends.take_in(child, code, 3000, others_ready=False, is_ending=is_ending)


@pytest.fixture
def case() -> Case:
    return Case()


def told(end: Any) -> tuple[int, ...]:
    frame = end.frame
    return frame.ended_for, frame.ended_piece, frame.ended_future, frame.figure, frame.bound


def test_a_crash_is_the_fault_of_what_ran(case: Case) -> None:
    end = case.end(-signal.SIGSEGV)
    assert (end.frame.status, end.frame.blame, end.frame.piece, end.frame.future) == ("signal SIGSEGV", True, 3, 7)
    assert (told(end), end.is_news, end.ended.killed_for) == ((0, 0, 0, 0, 0), True, "")
    assert (end.frame.once_piece, end.frame.once_future) == (4, 9)


def test_an_orderly_end_is_nobodys_fault(case: Case) -> None:
    assert not case.end(0, running=None).frame.blame
    assert case.end(0).frame.blame, "os._exit(0)"
    assert not case.end(0, is_ending=True).frame.blame


def test_one_that_was_over_its_time_limit(case: Case) -> None:
    case.machine.on_alone({0: ALONE}, 6.0)
    end = case.end(-signal.SIGABRT)
    assert (end.frame.status, end.frame.blame, end.is_news) == (OVER_TIME, False, False)
    assert told(end) == (OVERRAN, 3, 7, 0, 0)


def test_what_is_told_to_be_printed_is_of_the_future_that_it_has_ended_for(case: Case) -> None:
    end = case.end(-signal.SIGSEGV)
    assert (end.frame.printed, end.frame.out, end.frame.err) == ([3, 7], "hello", "")
    case.overuse = Overuse(3, 8, 2000, 1000)
    assert case.end(-signal.SIGABRT).frame.printed == [3, 8]


def test_one_that_was_over_a_memory_limit(case: Case) -> None:
    case.overuse = Overuse(3, 8, 2000, 1000)
    end = case.end(-signal.SIGABRT)
    assert (end.frame.status, end.frame.blame, end.is_news) == (OVER_MEMORY, False, False)
    assert told(end) == (OUT_OF_MEMORY, 3, 8, 2000, 1000)


@pytest.mark.parametrize(("code", "status"), [(0, "exit code 0"), (-signal.SIGKILL, GROWN_IDLE)])
def test_one_that_had_grown_and_rested(case: Case, code: int, status: str) -> None:
    case.overuse = Overuse(0, 0, 2000, 1000)
    end = case.end(code, running=None)
    assert (end.frame.status, end.frame.blame, end.is_news, told(end)) == (status, False, False, (0, 0, 0, 0, 0))


def test_what_the_kernel_has_killed_is_blamed_and_said_to_be_out_of_memory(case: Case) -> None:
    case.kills = ", out of memory"
    end = case.end(-signal.SIGKILL)
    assert (end.frame.status, end.frame.blame, end.is_news) == ("signal SIGKILL, out of memory", True, True)
    assert told(end) == (OUT_OF_MEMORY, 3, 7, 3000, 4000)
    assert told(case.end(-signal.SIGSEGV)) == (0, 0, 0, 0, 0)
    assert told(case.end(-signal.SIGKILL, running=None)) == (0, 0, 0, 0, 0)
