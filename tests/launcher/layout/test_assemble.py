"""From hosts that answered to settings and a tree."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from fedfutures import Hosts
from fedfutures.host.settings import Settings
from fedfutures.wire.control import BeginRun
from fedfutures.wire.framing import FrameReader, pack
from fedfutures_launcher.hosts.spec import HostSpec
from fedfutures_launcher.layout.assemble import Request, assemble, request_from

HERE = HostSpec("localhost", name="here", count=0)


def spec(name: str, options: Hosts | None = None, **more: Any) -> HostSpec:
    return HostSpec(name, name=name, options=options or Hosts(), **more)


def request(*hosts: HostSpec, local: HostSpec = HERE, **more: Any) -> Request:
    settings = Settings("x", 1, 1, path=["/mine"], directory="/work", seal=b"s")
    return Request(local, list(hosts), settings, Hosts(), **more)


FACTS = {"processors": 4, "address": "10.0.0.1"}


def test_workers_are_spread_over_the_hosts_that_answered() -> None:
    run = assemble(request(spec("a"), spec("b"), spec("c"), workers=6), {"a": FACTS, "c": FACTS})
    assert {name: settings.workers for name, settings in run.settings.items()} == {"here": 0, "a": 3, "c": 3}
    assert run.workers == 6
    assert all(settings.size == 6 for settings in run.settings.values())
    assert run.tree.links() == [("here.broker", "a.broker"), ("here.broker", "c.broker")]


def test_this_machine_may_be_one_of_them() -> None:
    local = HostSpec("localhost", name="here")
    run = assemble(request(spec("a"), local=local, workers=5), {"a": FACTS})
    assert [settings.workers for settings in run.settings.values()] == [3, 2]


def test_without_a_number_each_host_has_its_processors_or_its_count() -> None:
    local = HostSpec("localhost", name="here")
    run = assemble(request(spec("a"), spec("b", count=7), local=local, processors=2), {"a": FACTS, "b": FACTS})
    assert [settings.workers for settings in run.settings.values()] == [2, 4, 7]


def test_a_host_without_a_worker_is_left_out_but_not_a_door() -> None:
    run = assemble(request(spec("a"), spec("b"), workers=1), {"a": FACTS, "b": FACTS})
    assert list(run.settings) == ["here", "a"]
    door = request(spec("door", count=0), spec("in", site="door"), workers=2)
    run = assemble(door, {"door": FACTS, "in": FACTS})
    assert run.settings["door"].workers == 0
    assert run.tree.links() == [("here.broker", "door.broker"), ("door.broker", "in.broker")]


def test_what_is_behind_a_door_that_failed_hangs_below_the_root() -> None:
    run = assemble(request(spec("door"), spec("in", site="door"), workers=2), {"in": FACTS})
    assert run.tree.links() == [("here.broker", "in.broker")]


def test_settings_of_this_machine_and_of_others() -> None:
    said = Hosts(path="/data", pythonpath=["/lib", "/more"], nice=5, tunnel=True, memory_per_worker="1G")
    run = assemble(request(spec("a", said, external_hostname="a.ext"), workers=2), {"a": FACTS})
    here, there = run.settings["here"], run.settings["a"]
    assert (here.path, here.directory, here.far_address) == (["/mine"], "/work", None)
    assert (here.grace, here.code) == (0.0, False)
    assert (here.has_door, there.has_door) == (True, False)
    assert (here.neighbours, there.neighbours) == ([["a.broker"]], [["here.broker"]])
    assert (there.path, there.directory, there.directory_needed) == (["/lib", "/more"], "/data", True)
    assert (there.far_address, there.code, there.nice, there.threads, there.seal) == ("10.0.0.1", True, 5, 2, b"s")
    assert there.grace > 0
    assert there.memory_per_worker == 1 << 30
    broker = run.tree.nodes["a.broker"]
    assert (broker.address, broker.tunnel) == ("a.ext", True)


def test_brokers_are_no_more_than_workers() -> None:
    run = assemble(request(spec("a"), workers=2, brokers=3), {"a": FACTS})
    assert (run.settings["a"].brokers, run.settings["here"].brokers) == (2, 1)
    assert run.settings["a"].dials == [[0, 1]]


def test_nobody_is_left() -> None:
    with pytest.raises(ValueError, match="no host is left"):
        assemble(request(spec("a"), workers=2), {})
    with pytest.raises(ValueError, match="no host is left"):
        assemble(request(spec("a")), {})


def test_a_request_travels() -> None:
    lists: dict[str, Any] = {
        "env": ["A=1"],
        "provision_modules": [],
        "preload": [],
        "stage_out": [],
    }  # tuples arrive as lists
    here = HostSpec("localhost", name="here", options=Hosts([], pythonpath=[], **lists))
    sent = request(spec("a", Hosts([], pythonpath=["/lib"], nice=0, **lists)), local=here, workers=2)
    sent.options = Hosts(["a"], ssh_config="c", pythonpath=[], env=[], provision_modules=[], preload=[], stage_out=[])
    (frame,) = FrameReader().feed(pack(BeginRun(asdict(sent))))
    assert isinstance(frame, BeginRun)
    assert request_from(frame.request) == sent


def test_a_host_that_comes_late_changes_nothing_for_the_others() -> None:
    asked = request(spec("a"), spec("b"), spec("c", count=9), workers=5)
    facts = {"a": FACTS, "b": FACTS}
    before, after = assemble(asked, facts), assemble(asked, facts | {"c": FACTS | {"late": 2}})
    assert {name: settings.workers for name, settings in after.settings.items()} == {"here": 0, "a": 3, "b": 2, "c": 2}
    assert (before.workers, after.workers, after.settings["c"].size) == (5, 7, 7)
    assert after.tree.links() == [*before.tree.links(), ("here.broker", "c.broker")]
    again = assemble(asked, facts | {"c": FACTS | {"late": 2}})
    assert again == after, "the next connector makes the same plan"


def test_late_hosts_stay_where_they_are_when_others_come() -> None:
    asked = request(*(spec(f"h{number}") for number in range(80)), workers=40)
    facts: dict[str, Any] = {f"h{number}": FACTS for number in range(40)}
    links: list[tuple[str, str]] = assemble(asked, facts).tree.links()
    for number in (79, 41, 60):
        facts[f"h{number}"] = FACTS | {"late": 1}
        found = assemble(asked, facts).tree.links()
        assert found[: len(links)] == links
        assert found[len(links) :][0][1] == f"h{number}.broker"
        links = found


def test_there_may_be_no_host_yet() -> None:
    local = HostSpec("localhost", name="here", count=0)
    with pytest.raises(ValueError, match="no host is left"):
        assemble(request(local=local), {})
    run = assemble(request(local=local, may_be_empty=True), {})
    assert (run.workers, list(run.settings)) == (0, ["here"])
    run = assemble(request(spec("a"), local=local), {"a": FACTS | {"late": 4}})
    assert (run.workers, run.settings["a"].workers) == (4, 4)


def test_names_of_one_machine_are_one_host() -> None:
    """It has the Workers that all of its names ask for; other hosts are no part of that."""
    facts = {name: FACTS | {"login": login} for name, login in (("h1", "a"), ("h2", "b"), ("alias", "a"))}
    for counts, workers, expected in (
        ([None, None, None], None, {"h1": 4, "h2": 4}),
        ([None, None, None], 6, {"h1": 3, "h2": 3}),
        ([2, None, 3], None, {"h1": 5, "h2": 4}),
        ([None, 1, 3], None, {"h1": 3, "h2": 1}),
        ([2, 2, 0], 4, {"h1": 2, "h2": 2}),
    ):
        hosts = [spec(name, count=count) for name, count in zip(facts, counts)]
        run = assemble(request(*hosts, workers=workers), facts)
        assert {name: settings.workers for name, settings in run.settings.items() if settings.workers} == expected
    run = assemble(request(spec("h1"), spec("alias"), spec("in", site="alias")), {**facts, "in": FACTS})
    assert run.settings["alias"].workers == 0, "others are behind it"
