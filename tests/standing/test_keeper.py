"""A Federation stands on this machine, and programs join it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from launching import GONE_WITHIN_SECONDS, eventually
from standing import PROGRAM, begun, listed, run, standing

from fedfutures.standing.joining import status_of

pytestmark = pytest.mark.host


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "prog.py"
    path.write_text(PROGRAM)
    return path


def test_programs_join_one_after_the_other(state: Path, program: Path, tmp_path: Path) -> None:
    with standing("lab", state, "-n", "2"):
        for colour in ("red", "blue"):
            ended = run("--join", "lab", program, "3", state=state, env={"COLOUR": colour}, cwd=tmp_path)
            assert ended.err == ""
            assert ended.out.splitlines() == [*(f"{i} {tmp_path} {colour}" for i in range(3)), "size 2"]
        assert eventually(lambda: not status_of("lab").runs, 10.0)
        in_list = listed(state)
        assert in_list.startswith("lab: 2 Workers on ")
        shown = run("status", "lab", state=state).out
        assert shown.rpartition(", for ")[0] == in_list.rpartition(", for ")[0]
        [told] = [one for one in json.loads(run("list", "--json", state=state).out) if "name" in one]
        assert told == json.loads(run("status", "lab", "--json", state=state).out)
        assert (told["name"], sum(told["hosts"].values()), told["runs"]) == ("lab", 2, [])
        logged = run("logs", "lab", state=state).out
        assert (logged.count("has joined"), logged.count("has left")) == (2, 2)


def test_options_come_from_a_file(state: Path, tmp_path: Path) -> None:
    pytest.importorskip("tomllib", reason="Python 3.11 has a reader of TOML")
    folder = tmp_path / "config" / "fedfutures"
    folder.mkdir(parents=True)
    (folder / "lab.toml").write_text('workers = 3\nidle = "30m"\n')
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    with standing("lab", state, env=env):
        assert (sum(status_of("lab").hosts.values()), status_of("lab").idle) == (3, 1800.0)
    with standing("lab", state, "-n", "1", env=env):
        assert (sum(status_of("lab").hosts.values()), status_of("lab").idle) == (1, 1800.0)
    (tmp_path / "other.toml").write_text("wokers = 3\n")
    refused = run("up", "lab", "--config", tmp_path / "other.toml", state=state)
    assert (refused.code, "did you mean workers?" in refused.err) == (2, True)


def test_what_a_process_reads_as_it_begins_is_the_programs(state: Path, tmp_path: Path) -> None:
    text = "import fedfutures, sys, os\nfrom fedfutures import futures\n" \
        "def f():\n    return hash('a'), sys.flags.optimize, os.environ['PYTHONHASHSEED']\n" \
        "if __name__ == '__main__':\n    print(futures.submit(f).result() == f())\n"  # fmt: skip
    (tmp_path / "p.py").write_text(text)
    with standing("lab", state, "-n", "1"):
        for seed in ("1", "2"):
            ended = run("--join", "lab", tmp_path / "p.py", state=state, env={"PYTHONHASHSEED": seed}, flags=["-O"])
            assert (ended.err, ended.out) == ("", "True\n")


def test_the_name_is_taken_and_unknown(state: Path, program: Path) -> None:
    with standing("lab", state, "-n", "1"):
        taken = run("up", "lab", state=state)
        assert taken.code == 2
        assert "lab stands already: its keeper has the pid" in taken.err
    for words in (("status", "lab"), ("down", "lab"), ("--join", "lab", program, "1")):
        unknown = run(*words, state=state)
        assert unknown.code == 2
        assert "no Federation named lab stands on this machine; try: fedfutures up lab" in unknown.err
    assert run("up", "../x", state=state).code == 2
    for words in (["--dry-run"], ["--each"], ["--hosts", "h1"]):
        refused = run(*words, "--join", "lab", program, "1", state=state)
        assert (refused.code, refused.out) == (2, "")
        assert "excludes" in refused.err


def test_a_program_loses_its_workers_when_the_federation_is_taken_down(state: Path, tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text(
        "import time\nfrom fedfutures import futures, errors\n"
        "if __name__ == '__main__':\n    future = futures.submit(time.sleep, 60)\n    print('begun', flush=True)\n"
        "    try:\n        future.result()\n    except errors.FederationLost as error:\n        print(error)\n"
    )
    with standing("lab", state, "-n", "1"):
        joined = begun(tmp_path / "p.py", "lab", state)
        assert eventually(lambda: len(status_of("lab").runs) == 1, 10.0)
        pids = [status_of("lab").pid, int(status_of("lab").runs[0]["pid"])]
        down = run("down", "lab", state=state)
        assert down.code == 0
        assert "p.py has lost its Workers" in down.err
        ended_at = time.monotonic()
        assert "the standing Federation lab has ended: it was taken down" in joined.end().out
        assert eventually(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in pids), 10.0)
        assert time.monotonic() < ended_at + GONE_WITHIN_SECONDS + 3


def test_it_ends_when_it_was_idle_for_long(state: Path) -> None:
    with standing("lab", state, "-n", "1", "--idle", "1"):
        pid = status_of("lab").pid
        assert eventually(lambda: not os.path.exists(f"/proc/{pid}/exe"), 10.0)
        assert listed(state) == ""
