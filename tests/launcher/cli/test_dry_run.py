"""The plan that ``--dry-run`` prints."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from fedfutures import Hosts
from fedfutures.host.settings import Settings
from fedfutures_launcher.cli.dry_run import far_plan, plan_text, show
from fedfutures_launcher.cli.options import parse
from fedfutures_launcher.hosts.spec import HostSpec
from fedfutures_launcher.layout.assemble import Request


def test_a_plan_for_people() -> None:
    assert plan_text([("program", "a.py"), ("host", "h")]) == "program: a.py\nhost:    h"
    assert plan_text([("tree", "a\nb"), ("n", 1)]) == "tree: a\n      b\nn:    1"


def test_names_of_files_need_be_no_utf_8() -> None:
    assert plan_text([("program", "caf\udce9.py")]) == "program: caf\\udce9.py"


def test_what_is_shown_is_all_that_happens(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        show([("a", "b")])
    assert (ended.value.code, capsys.readouterr().out) == (0, "a: b\n")


def plan_of(*hosts: HostSpec, workers: int | None = None, words: Sequence[str] = ()) -> list[tuple[str, str]]:
    request = Request(
        HostSpec("localhost", name="here", count=0), list(hosts), Settings("here", 1, 1), Hosts(), workers
    )
    return far_plan(parse([*words, "prog.py", "a b"]), request, ["python3"])


def test_the_plan_of_several_hosts() -> None:
    options = Hosts(python="/py", prolog="~/env.sh", path="/data")
    door = HostSpec("door", name="door", count=0)
    behind = HostSpec("n1", "ann", 22, name="n1", site="door", options=options)
    plan = plan_of(door, behind, workers=2)
    assert [name for name, _ in plan] == ["program", *["host"] * 3, "brokers", "directory", "import", "commands"]
    assert dict(plan)["program"] == "prog.py 'a b'"
    assert [value for name, value in plan if name == "host"] == [
        "here: no Workers, this machine",
        "door: no Workers, by ssh to door",
        "n1: 2 Workers, by ssh to ann@n1:22 through door, with /py, after ~/env.sh, in /data",
    ]
    plan = plan_of(door, behind, workers=2, words=["-v"])
    assert [name for name, _ in plan][-3:] == ["command"] * 3
    assert plan[-1][1].startswith("n1: exec /bin/sh -c ")


def test_a_guess_is_called_one_and_a_host_without_a_worker_left_out() -> None:
    plan = plan_of(HostSpec("a", name="a"), HostSpec("b", name="b", count=0))
    assert ("host", "b: left out, since it would have no Worker") in plan
    assert plan[-1][0] == "note"
