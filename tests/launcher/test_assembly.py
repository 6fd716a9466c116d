"""From hosts that answered to settings and a tree."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from fedfutures.host.settings import Settings
from fedfutures.wire.control import BeginRun
from fedfutures.wire.framing import FrameReader, pack
from fedfutures_launcher.assembly import Request, assemble, request_from
from fedfutures_launcher.hosts import HostSpec

HERE = HostSpec("localhost", name="here", count=0)


def spec(name, **more):
    return HostSpec(name, name=name, **more)


def request(*hosts, local=HERE, **more):
    return Request(local, list(hosts), Settings("x", 1, 1, path=["/mine"], directory="/work", seal=b"s"), **more)


FACTS = {"processors": 4, "address": "10.0.0.1"}


def test_workers_are_spread_over_the_hosts_that_answered():
    run = assemble(request(spec("a"), spec("b"), spec("c"), workers=6), {"a": FACTS, "c": FACTS})
    assert {name: settings.workers for name, settings in run.settings.items()} == {"here": 0, "a": 3, "c": 3}
    assert run.workers == 6
    assert all(settings.size == 6 for settings in run.settings.values())
    assert run.tree.links() == [("here.broker", "a.broker"), ("here.broker", "c.broker")]


def test_this_machine_may_be_one_of_them():
    local = HostSpec("localhost", name="here")
    run = assemble(request(spec("a"), local=local, workers=5), {"a": FACTS})
    assert [settings.workers for settings in run.settings.values()] == [3, 2]


def test_without_a_number_each_host_has_its_processors_or_its_count():
    local = HostSpec("localhost", name="here")
    run = assemble(request(spec("a"), spec("b", count=7), local=local, processors=2), {"a": FACTS, "b": FACTS})
    assert [settings.workers for settings in run.settings.values()] == [2, 4, 7]


def test_a_host_without_a_worker_is_left_out_but_not_a_door():
    run = assemble(request(spec("a"), spec("b"), workers=1), {"a": FACTS, "b": FACTS})
    assert list(run.settings) == ["here", "a"]
    door = request(spec("door", count=0), spec("in", site="door"), workers=2)
    run = assemble(door, {"door": FACTS, "in": FACTS})
    assert run.settings["door"].workers == 0
    assert run.tree.links() == [("here.broker", "door.broker"), ("door.broker", "in.broker")]


def test_what_is_behind_a_door_that_failed_hangs_below_the_root():
    run = assemble(request(spec("door"), spec("in", site="door"), workers=2), {"in": FACTS})
    assert run.tree.links() == [("here.broker", "in.broker")]


def test_settings_of_this_machine_and_of_others():
    far = spec("a", path="/data", pythonpath=["/lib"], nice=5, external_hostname="a.ext")
    run = assemble(request(far, workers=2, pythonpath=["/more"], tunnel=True), {"a": FACTS})
    here, there = run.settings["here"], run.settings["a"]
    assert (here.path, here.directory, here.far_address) == (["/mine"], "/work", None)
    assert (here.grace, here.code) == (0.0, False)
    assert (there.path, there.directory, there.directory_needed) == (["/lib", "/more"], "/data", True)
    assert (there.far_address, there.code, there.nice, there.threads, there.seal) == ("10.0.0.1", True, 5, 2, b"s")
    assert there.grace > 0
    assert (run.brokers["a.broker"].address, run.brokers["a.broker"].tunnel) == ("a.ext", True)


def test_brokers_are_no_more_than_workers():
    run = assemble(request(spec("a"), workers=2, brokers=3), {"a": FACTS})
    assert (run.settings["a"].brokers, run.settings["here"].brokers) == (2, 1)
    assert run.settings["a"].dials == [[0, 1]]


def test_nobody_is_left():
    with pytest.raises(ValueError, match="no host is left"):
        assemble(request(spec("a"), workers=2), {})
    with pytest.raises(ValueError, match="no host is left"):
        assemble(request(spec("a")), {})


def test_a_request_travels():
    sent = request(spec("a", pythonpath=["/lib"]), workers=2, ssh={"policy": "reject"})
    (frame,) = FrameReader().feed(pack(BeginRun(asdict(sent))))
    assert isinstance(frame, BeginRun)
    assert request_from(frame.request | {"local_descriptors": (-1, -1)}) == sent
