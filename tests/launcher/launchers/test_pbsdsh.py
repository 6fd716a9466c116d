"""The launcher of PBS and Torque. tests/batch runs it against a stand-in, test_visit.py against a script."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fedfutures_launcher.launchers.pbsdsh import Pbsdsh, place_of
from fedfutures_launcher.ssh.configuration import Unusable

NODES = ["n1.hpc", "n1.hpc", "n10.hpc", "n2.hpc[0]", "n2.hpc[1]", "n3:ncpus=4", "n4.north", "n4.south"]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "nodes"
    path.write_text("".join(f"{node}\n" for node in NODES))
    return str(path)


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("n1.hpc", 0), ("n1", 0), ("n10", 2), ("n2", 3), ("n2.hpc", 3), ("n3", 5), ("n3.hpc", 5), ("n4", 6),
        ("n4.south", 7), ("n4.west", None), ("n5", None), ("n", None), ("hpc", None), ("", None),
    ],
)  # fmt: skip
def test_the_first_line_of_a_host_counts(host: str, place: int | None, file: str) -> None:
    assert place_of(host, NODES) == place
    if place is not None:
        words = Pbsdsh().words(host, "exec x", {"PBS_NODEFILE": file})
        assert words == ["pbsdsh", "-n", str(place), "--", "/bin/sh", "-c", "exec x"]
    else:
        with pytest.raises(Unusable) as caught:
            Pbsdsh().words(host, "exec x", {"PBS_NODEFILE": file})
        assert caught.value.failure.text == f"{host}: the job has no such host: {file} does not name it"
        assert caught.value.failure.remedy == f"cat {file}"


@pytest.mark.parametrize(("host", "place"), [("n1", "0"), ("n10", "2"), ("n2.hpc", "3"), ("n3", "5")])
def test_by_hand_the_shell_finds_the_same_line(host: str, place: str, file: str) -> None:
    line = Pbsdsh().by_hand(host)
    found = subprocess.run(
        ["/bin/sh", "-c", f"pbsdsh() {{ printf '%s ' \"$@\"; }}; {line} hostname"],
        capture_output=True, text=True, check=True, env={"PBS_NODEFILE": file, "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert found.stdout == f'-n {place} -- sh -c eval "$*" - hostname '


@pytest.mark.parametrize("words", ["hostname -s", "'echo \"a  b\" && echo $((1 + 2))'", "command -v sh", "echo '~/x'"])
def test_by_hand_a_shell_reads_the_words_as_with_ssh(words: str, file: str) -> None:
    def out(line: str) -> str:
        command = ["/bin/sh", "-c", f'pbsdsh() {{ shift 3; "$@" </dev/null; }}; {line}']
        variables = {"PBS_NODEFILE": file, "PATH": "/usr/bin:/bin", "HOME": "/home"}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=variables).stdout

    assert out(f"{Pbsdsh().by_hand('n1')} {words}") == out(f'ssh() {{ shift; sh -c "$*"; }}; ssh n1 {words}') != ""


def test_outside_of_a_job_it_is_no_launcher(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="pbsdsh starts nothing outside of a job of PBS: PBS_NODEFILE is not set"):
        Pbsdsh().words("n1", "exec x", {})
    with pytest.raises(Unusable, match=r"the file of the job's hosts cannot be read: .*No such file"):
        Pbsdsh().words("n1", "exec x", {"PBS_NODEFILE": str(tmp_path / "none")})


def test_it_is_no_more_than_a_stand_in_so_far() -> None:
    assert not Pbsdsh().is_tried
    assert not Pbsdsh().passes_streams
