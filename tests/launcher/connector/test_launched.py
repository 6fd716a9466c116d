"""The connector of a run that begins with the hosts that are there, and takes in those that come late."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fedfutures.host.settings import settings_from
from fedfutures.wire.control import BeginHost, HostTable, Notice, ProbeReply, ResizeHost, RunPlanned, StartRefused
from fedfutures_launcher.connector.launched import LaunchedConnector
from fedfutures_launcher.layout import assemble

from .far_hosts import FarHost
from .runs import READY, Run


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Run]]:
    """What starts a run that begins after a moment; those it has started are ended."""
    monkeypatch.setattr(assemble, "BEGIN_SECONDS", 1.0)
    runs: list[Run] = []

    def make(*words: str, **options: Any) -> Run:
        runs.append(Run(tmp_path, *words, kind=LaunchedConnector, **options))
        assert runs[-1].until(lambda: len(runs[-1].far.sessions) == len(words))
        return runs[-1]

    yield make
    for run in runs:
        run.close()


def host(run: Run, name: str) -> FarHost:
    return next(one for one in reversed(run.far.sessions) if one.target.name == name)


def answer(run: Run, name: str, **facts: Any) -> None:
    """Have a host say that it can take part."""
    host(run, name).say_hello(**facts)
    host(run, name).say(ProbeReply(), ProbeReply())


def notices(run: Run) -> str:
    return "\n".join(frame.text for frame in run.origin.of(Notice))


def test_a_run_begins_without_the_host_that_is_late_and_takes_it_in(start: Callable[..., Run]) -> None:
    run = start("quick", "late")
    answer(run, "quick")
    assert run.until(lambda: bool(run.origin.of(RunPlanned)))
    (plan,), (table,) = run.origin.of(RunPlanned), run.origin.of(HostTable)
    assert plan.hosts == ["here", "quick"]
    assert ("not yet" in table.text, table.problems) == (True, False)
    assert run.until(lambda: "host late has not answered yet" in notices(run))
    run.meet(run.local)
    host(run, "quick").say(READY)
    answer(run, "late", processors=3)
    assert run.until(lambda: len(run.origin.of(RunPlanned)) == 2)
    assert run.origin.of(RunPlanned)[1].hosts == ["here", "quick", "late"]
    assert settings_from(run.origin.of(RunPlanned)[1].settings).size == settings_from(plan.settings).size + 3
    assert run.until(lambda: any(isinstance(frame, BeginHost) for frame in host(run, "late").heard()))
    assert run.until(lambda: "host late has come, with 3 Workers" in notices(run))


def test_one_that_has_failed_late_is_named_with_its_remedy(start: Callable[..., Run]) -> None:
    run = start("quick", "late")
    answer(run, "quick")
    assert run.until(lambda: bool(run.origin.of(RunPlanned)))
    host(run, "late").say_hello(fedfutures="0.0.1")
    assert run.until(lambda: "host late cannot be used: fedfutures there is 0.0.1" in notices(run))
    assert len(run.origin.of(RunPlanned)) == 1


def test_the_number_of_workers_that_is_asked_for_holds_whoever_comes(start: Callable[..., Run]) -> None:
    run = start("quick", "late", workers=6)
    answer(run, "quick")
    assert run.until(lambda: bool(run.origin.of(RunPlanned)))
    assert settings_from(run.origin.of(RunPlanned)[0].settings).size == 6
    run.meet(run.local)
    host(run, "quick").say(READY)
    answer(run, "late")
    assert run.until(lambda: len(run.origin.of(RunPlanned)) == 2)
    assert settings_from(run.origin.of(RunPlanned)[1].settings).size == 6
    assert run.until(lambda: "host late has come, with 2 Workers" in notices(run))
    assert run.until(lambda: ResizeHost(2, 6) in run.local.heard)


def test_a_run_waits_as_long_as_nobody_is_there(start: Callable[..., Run]) -> None:
    run = start("slow", local_workers=0)
    assert not run.until(lambda: bool(run.origin.of(RunPlanned)))  # several times the moment after which it would begin
    answer(run, "slow")
    assert run.until(lambda: bool(run.origin.of(RunPlanned)))
    assert run.origin.of(RunPlanned)[0].hosts == ["slow"]


@pytest.mark.parametrize("options", [{"min_hosts": 3}, {"require_all": True}, {"start_timeout": 60.0}])
def test_a_run_waits_for_what_is_asked_for(start: Callable[..., Run], options: dict[str, Any]) -> None:
    run = start("quick", "slow", **options)
    answer(run, "quick")
    assert not run.until(lambda: bool(run.origin.of(RunPlanned)))
    answer(run, "slow")
    assert run.until(lambda: bool(run.origin.of(RunPlanned)))
    assert run.origin.of(RunPlanned)[0].hosts == ["here", "quick", "slow"]
    assert run.origin.of(StartRefused) == []
