"""What people are told of the hosts when a run begins."""

from __future__ import annotations

from dataclasses import replace

from fedfutures_launcher.connector.telling import table_of, warnings_of
from fedfutures_launcher.layout.assemble import assemble
from fedfutures_launcher.remote.preflight import local_versions

from .requests import request_of


def test_this_machine_stands_in_the_table_if_it_may_have_workers() -> None:
    request = request_of()
    found = table_of(request, local_versions(), {}, {"here": 2})
    assert not found.problems
    assert [line.split()[:3] for line in found.text.splitlines()[1:]] == [["here", "2", "ok"]]
    request.local.count = 0
    assert "here" not in table_of(request, local_versions(), {}, {}).text


def test_far_more_workers_than_processors_are_said() -> None:
    request = replace(request_of(), workers=64, processors=2)
    [said] = warnings_of(request, {}, assemble(request, {}))
    assert "64 Workers" in said
    few = replace(request, workers=2)
    assert warnings_of(few, {}, assemble(few, {})) == []
