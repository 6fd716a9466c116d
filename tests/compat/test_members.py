"""Several Federations as one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedfutures import Executor
from fedfutures.compat.addresses import Address
from fedfutures.compat.members import Member, Members, address_of, joined, standing
from fedfutures.errors import StartFailed
from fedfutures.standing.places import StandingPlace
from fedfutures.standing.recipe import Recipe
from fedfutures.standing.start import start_keeper
from fedfutures_launcher.verbs.down import take_down

pytestmark = pytest.mark.host


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def two() -> Iterator[Members]:
    members = Members()
    for name, workers in (("a", 1), ("b", 3)):
        members.add(Member(name, Executor(workers), workers))
    yield members
    members.shutdown()


def until_there(path: str) -> bool:
    """Return as soon as a file is there."""
    end = time.monotonic() + 60.0
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.02)
    return os.path.exists(path)


def test_each_has_as_many_calls_as_it_has_workers(two: Members, tmp_path: Path) -> None:
    given: list[str] = []
    path = tmp_path / "all are given"
    calls = [two.submit(until_there, str(path), on_given=lambda member: given.append(member.name)) for _ in range(12)]
    assert sorted(given) == ["a"] * 3 + ["b"] * 9
    path.touch()
    assert [call.result().result() for call in calls] == [True] * 12


def test_an_error_is_that_of_the_call(two: Members) -> None:
    with pytest.raises(ZeroDivisionError):
        two.submit(divmod, 1, 0).result().result()


def test_what_cannot_travel_is_refused_and_leaves_nothing(two: Members) -> None:
    for _ in range(5):
        with pytest.raises(Exception, match="cannot travel"):
            two.submit(abs, threading.Lock())
    given: list[str] = []
    futures = [two.submit(abs, -1, on_given=lambda member: given.append(member.name)) for _ in range(4)]
    assert [future.result().result() for future in futures] == [1] * 4
    assert "a" in given


def test_who_is_taken_down_gives_its_calls_to_another() -> None:
    start_keeper(StandingPlace("lab"), Recipe("lab", 2))
    members = Members()
    members.add(Member("lab", joined(Address("", "lab")), 2))
    members.add(Member("here", Executor(1), 1))
    futures = [members.submit(time.sleep, 0.2) for _ in range(9)]
    take_down(StandingPlace("lab"))
    assert [future.result(30).result() for future in futures] == [None] * 9
    assert [member.is_lost for member in members.all] == [True, False]
    members.shutdown()


def test_the_last_one_that_is_lost_fails_its_calls() -> None:
    start_keeper(StandingPlace("lab"), Recipe("lab", 1))
    members = Members()
    members.add(Member("lab", joined(Address("", "lab")), 1))
    future = members.submit(time.sleep, 5)
    take_down(StandingPlace("lab"))
    assert type(future.result(30).exception()).__name__ == "FederationLost"
    with pytest.raises(RuntimeError, match="nobody to run this"):
        members.submit(abs, 1)
    members.shutdown()


def test_where_nothing_stands_the_error_says_which_command_starts_it() -> None:
    with pytest.raises(StartFailed, match="try: fedfutures up 21000"):
        joined(address_of("PYRO:worker@localhost:21000", "x"))


def test_this_machine_has_several_names() -> None:
    assert address_of(f"{os.uname().nodename}:21000", "x") == Address("", "21000")


def test_servers_are_found_here_and_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    start_keeper(StandingPlace("lab-1"), Recipe("lab-1", 1))
    monkeypatch.setenv("FEDFUTURES_JOIN", "ann@node7:gpu node8")
    assert standing("lab-") == [Address("", "lab-1"), Address("ann@node7", "gpu"), Address("node8", "lab-")]
    assert standing("other")[0].host == "ann@node7"
    take_down(StandingPlace("lab-1"))
