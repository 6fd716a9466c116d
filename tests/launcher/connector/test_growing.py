"""Hosts that come while a program runs that has joined a standing Federation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fedfutures.host.settings import settings_from
from fedfutures.wire.control import (
    BeginHost,
    HostLeaves,
    HostsThere,
    KeepNote,
    MoreWanted,
    Notice,
    ProbeReply,
    ResizeHost,
    RunPlanned,
)
from fedfutures_launcher.connector.joined import JoinedConnector
from fedfutures_launcher.hosts.spec import HostSpec

from .far_hosts import FarHost
from .runs import READY, Run

pytestmark = pytest.mark.host


@pytest.fixture
def joined(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """What starts the run of a program that has joined, to where its host serves; those it has started are ended."""
    runs: list[Run] = []

    def make(**options: Any) -> Run:
        run = Run(tmp_path, kind=JoinedConnector, **options)
        runs.append(run)
        run.begin()
        assert run.until(lambda: "" in names(run)), "it hears which hosts there are"
        return run

    yield make
    for run in runs:
        run.close()


def names(run: Run) -> list[str]:
    return [far.target.name for far in run.far.sessions]


def there(run: Run, **workers: int) -> None:
    """Have the keeper's connector say that these hosts are there, with so many Workers."""
    hosts = {
        name: {"spec": dataclasses.asdict(HostSpec(name, name=name)), "workers": count}
        for name, count in workers.items()
    }
    run.far.sessions[names(run).index("")].say(HostsThere(hosts))


def come(run: Run, name: str) -> FarHost:
    """Have a host say hello, and serve."""
    assert run.until(lambda: names(run)[-1] == name)
    far = run.far.last
    far.say_hello()
    far.say(ProbeReply(), ProbeReply())
    return far


def test_a_host_that_comes_gets_settings_and_changes_nothing_for_the_others(joined: Callable[..., Run]) -> None:
    run = joined()
    (first,) = run.origin.of(RunPlanned)
    size = settings_from(first.settings).size
    there(run, vm=4, new=3)
    far = come(run, "new")
    assert run.until(lambda: len(run.origin.of(RunPlanned)) == 2)
    plan = run.origin.of(RunPlanned)[1]
    settings = settings_from(plan.settings)
    assert (settings.size, settings.workers, plan.hosts) == (
        size + 3,
        settings_from(first.settings).workers,
        ["here", "vm", "new"],
    )
    assert settings.neighbours == [["vm.broker", "new.broker"]]
    heard = far.heard()
    assert run.until(lambda: bool(heard.extend(far.heard()) or [one for one in heard if isinstance(one, BeginHost)]))
    own = settings_from(next(frame for frame in heard if isinstance(frame, BeginHost)).settings)
    assert (own.host, own.workers, own.size) == ("new", 3, size + 3)
    assert run.until(lambda: bool(run.local.of(ResizeHost)))
    assert run.local.of(ResizeHost)[-1].size == size + 3
    assert run.until(
        lambda: any("host new has come, with 3 Workers" in notice.text for notice in run.origin.of(Notice))
    )
    assert {"facts", "late new"} <= {note.name for note in run.origin.of(KeepNote)}


def test_a_host_that_has_left_may_come_again(joined: Callable[..., Run]) -> None:
    run = joined()
    run.far.sessions[0].say(HostLeaves("it was removed"))
    assert run.until(lambda: any("has left the run" in notice.text for notice in run.origin.of(Notice)))
    there(run, vm=4)
    come(run, "vm").say(READY)
    assert run.until(lambda: any("host vm has come" in notice.text for notice in run.origin.of(Notice)))


def test_a_program_that_wants_no_more_workers_goes_to_no_more_hosts(joined: Callable[..., Run]) -> None:
    run = joined()
    run.connector.request.at_most = settings_from(run.origin.of(RunPlanned)[0].settings).size + 2
    there(run, vm=4, one=1, two=8, three=8)
    assert run.until(lambda: {"one", "two"} <= set(names(run)))
    assert "three" not in names(run)
    assert run.connector.logins["two"].spec.count == 1, "of its eight Workers it takes what it still may"


def test_a_program_says_how_many_more_workers_it_could_use(joined: Callable[..., Run]) -> None:
    run = joined()
    there(run, vm=4)
    watching = run.far.sessions[names(run).index("")]
    said: list[MoreWanted] = []

    def hears(*counts: int) -> bool:
        wanted = [MoreWanted(count) for count in counts]
        return run.until(lambda: said.extend(watching.heard()) or said == wanted)  # type: ignore[func-returns-value, arg-type]

    run.local.say(MoreWanted(8))
    run.far.sessions[0].say(MoreWanted(2))
    assert hears(8, 10) or said == [MoreWanted(10)]
    said.clear()
    run.connector.request.at_most = settings_from(run.origin.of(RunPlanned)[0].settings).size + 3
    run.local.say(MoreWanted(9))
    assert hears(3), "of eleven it may have three"
    run.far.sessions[0].say(HostLeaves("it was removed"))
    run.local.say(MoreWanted(2))
    is_over = run.until(lambda: said.extend(watching.heard()) or said[-1:] == [MoreWanted(2)])  # type: ignore[func-returns-value, arg-type]
    assert is_over, "those of a host that is gone do not count, whichever of the two is heard first"


def test_a_host_that_cannot_be_used_costs_nothing(joined: Callable[..., Run]) -> None:
    run = joined()
    there(run, vm=4, new=3)
    assert run.until(lambda: names(run)[-1] == "new")
    run.far.last.say_hello(fedfutures="0.0.1")
    assert run.until(lambda: "new" not in run.connector.logins)
    assert len(run.origin.of(RunPlanned)) == 1
