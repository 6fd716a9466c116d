"""Which launchers a run tries, and what each would run."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedfutures import Hosts
from fedfutures_launcher.hosts.spec import HostSpec
from fedfutures_launcher.launchers.table import LAUNCHERS, launcher_of, launchers_for, ways_to


def test_each_launcher_gives_the_command_line_as_its_last_word(tmp_path: Path) -> None:
    nodes = tmp_path / "nodes"
    nodes.write_text("n1\n")
    for name, launcher in LAUNCHERS.items():
        words = launcher.words("n1", "exec /bin/sh -c 'x'", {"PBS_NODEFILE": str(nodes)})
        assert words[0] == name
        assert words[-1].endswith("'x'")


@pytest.mark.parametrize("name", LAUNCHERS)
def test_each_launcher_can_be_tried_by_hand(name: str) -> None:
    launcher = launcher_of(name)
    assert launcher is LAUNCHERS[name]
    assert launcher.by_hand("n1").split()[0] == launcher.executable == name
    assert "n1" in launcher.by_hand("n1")


def test_what_is_no_name_is_a_command() -> None:
    assert launcher_of("./mine -x").words("n1", "c", {}) == ["./mine", "-x", "n1", "c"]
    for text in ("", "  ", "'"):
        with pytest.raises(ValueError, match="launcher"):
            launcher_of(text)


@pytest.mark.parametrize("name", ["pbs_tmrsh"])
def test_commands_of_pbs_without_streams_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"launcher {name}: it passes on no standard input"):
        launcher_of(name)
    with pytest.raises(ValueError, match=name):
        launchers_for(Hosts(launcher=name), "PBS", lambda program: True)


@pytest.mark.parametrize("scheduler", ["Slurm", "Grid Engine", "LSF", "PBS", None])
def test_what_the_user_says_goes_before_the_scheduler(scheduler: str | None) -> None:
    for hosts, found in (
        (Hosts(launcher="mpiexec"), ["mpiexec"]),
        (Hosts(launcher="ssh"), ["ssh"]),
    ):
        assert launchers_for(hosts, scheduler, lambda program: True) == found


def test_a_user_or_a_port_is_a_matter_of_ssh() -> None:
    for spec in (HostSpec("n1", user="ann"), HostSpec("n1", port=22), HostSpec("n1", site="door")):
        assert ways_to(spec, ["srun", "ssh"]) == ["ssh"]
        assert ways_to(spec, ["srun"]) == ["srun"], "the user says so"
    assert ways_to(HostSpec("n1"), ["srun", "ssh"]) == ["srun", "ssh"]
