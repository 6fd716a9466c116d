"""Which directory a batch system removes itself when a job ends, and whether values may be there."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedfutures.host import job_directory
from fedfutures.host.job_directory import directory_of_job, suits_shared_memory

GRID_ENGINE = {"SGE_ROOT": "/opt/sge"}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a short path, as sockets need it."""
    monkeypatch.chdir(tmp_path)
    return Path()


@pytest.mark.parametrize(
    ("name", "environ", "is_its_own"),
    [
        ("417.1.all.q", {**GRID_ENGINE, "JOB_ID": "417"}, True),
        ("417.3.all.q", {**GRID_ENGINE, "JOB_ID": "417"}, True),
        ("4170.1.all.q", {**GRID_ENGINE, "JOB_ID": "417"}, False),
        ("417.1.all.q", {"JOB_ID": "417"}, False),
        ("pbs.88.head.site.org", {"PBS_JOBID": "88.head.site.org"}, True),
        ("88.head", {"PBS_JOBID": "88.head"}, True),
        ("pbs.88[3].head", {"PBS_JOBID": "88[3].head"}, True),
        ("tmp", {"PBS_JOBID": "88.head"}, False),
        ("7", {"SLURM_JOB_ID": "7"}, False),
    ],
)
def test_it_is_named_after_the_job(name: str, environ: dict[str, str], is_its_own: bool, made: Path) -> None:
    place = made / name
    place.mkdir()
    assert directory_of_job({**environ, "TMPDIR": str(place)}) == (str(place) if is_its_own else None)


def test_it_is_there_and_short(made: Path) -> None:
    job = {**GRID_ENGINE, "JOB_ID": "417"}
    assert directory_of_job({**job, "TMPDIR": "/no/such/417.1.all.q"}) is None
    long = made / ("417." + "x" * 70)
    long.mkdir()
    assert directory_of_job({**job, "TMPDIR": str(long)}) is None
    assert directory_of_job(job) is None


def test_large_values_go_only_to_a_disk_of_this_host_with_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = str(tmp_path)
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr(job_directory, "_MOUNTS", str(mounts))
    assert suits_shared_memory(place, None)
    for kind, suits in [("ext4", True), ("tmpfs", True), ("nfs4", False), ("lustre", False)]:
        mounts.write_text(
            f"22 1 0:5 / /proc rw - proc proc rw\n"
            f"23 1 {device >> 8 & 0xFFF}:{device & 0xFF} / /x rw,relatime shared:1 - {kind} /dev/x rw\n"
        )
        assert suits_shared_memory(place, place) is suits
    mounts.write_text("")
    assert not suits_shared_memory(place, place)


def test_a_small_disk_is_not_used_in_place_of_much_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_directory, "_file_system", lambda path: "ext4")
    monkeypatch.setattr(job_directory, "_free", {"small": 10, "memory": 24, "enough": 12}.__getitem__)
    assert suits_shared_memory("enough", "memory")
    assert not suits_shared_memory("small", "memory")
