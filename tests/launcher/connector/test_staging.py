"""Files of other hosts when a run has ended: by the first way that leads there, and what is said of those that stay."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fedfutures import Hosts
from fedfutures_launcher.connector.access import Ways
from fedfutures_launcher.connector.staging import DIRECTORY, Staging
from fedfutures_launcher.ssh.texts import failures
from fedfutures_launcher.ssh.texts.command import STAGED

from .far_hosts import FarHost, FarHosts
from .requests import request_of


def of_file(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w|") as made:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        made.addfile(member, io.BytesIO(content))
    return STAGED + out.getvalue()


class Case:
    """Hosts h1 and h2, that are reached by srun or by ssh; `says`: what each does, by launcher and host."""

    def __init__(self, directory: Path) -> None:
        self.far = FarHosts()
        request = request_of("h1", "h2")
        request.launchers, request.options = ["srun", "ssh"], Hosts(stage_out=["*.csv", "a b/*"])
        request.settings = replace(request.settings, directory=str(directory))
        clients = {name: self.far.called(name) for name in request.launchers}
        self.says: dict[str, bytes] = {}
        self.far.before = self._answer
        self.staging = Staging(request, Ways(request, clients), 7.0)

    def _answer(self, host: FarHost) -> None:
        name, way = host.target.host, self.far.by[self.far.sessions.index(host)]
        said = self.says.get(f"{way} {name}")
        if said:
            host.write(said)
        failure = failures.REFUSED(name) if said is None else None
        threading.Thread(target=host.end, args=(failure,)).start()


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    made = Case(tmp_path)
    yield made
    made.far.close()


def test_each_host_has_a_directory(case: Case, tmp_path: Path) -> None:
    case.says = {"ssh h1": of_file("x.csv", b"one"), "srun h2": of_file("x.csv", b"two")}
    assert case.staging.bring(["h1", "h2"]) == [f"2 files of other hosts (0.0 MiB): {tmp_path}/{DIRECTORY}"]
    assert [(tmp_path / DIRECTORY / host / "x.csv").read_bytes() for host in ("h1", "h2")] == [b"one", b"two"]
    command = case.far.last.target.command
    assert f'"7.0" "{tmp_path}" "$(printf "\\052.csv")" "$(printf "a b/\\052")"' in command


def test_what_is_not_brought_is_told(case: Case, tmp_path: Path) -> None:
    case.says = {"srun h1": of_file("x.csv", b"one")}
    told, summary = case.staging.bring(["h1", "h2"])
    assert told.startswith("h2: its files were not brought back, since no ssh server listens at h2 port 22; try: ssh")
    assert summary.startswith("1 file of other hosts")


def test_no_file_matches(case: Case) -> None:
    empty = io.BytesIO()
    tarfile.open(fileobj=empty, mode="w|").close()
    case.says = {"srun h1": STAGED + empty.getvalue()}
    assert case.staging.bring(["h1"]) == [
        "--stage-out: no file that was written on other hosts in this run matches *.csv a b/*"
    ]


def test_no_room_here(case: Case, tmp_path: Path) -> None:
    (tmp_path / DIRECTORY).write_text("in the way")
    case.says = {"srun h1": of_file("x.csv", b"one"), "ssh h1": of_file("x.csv", b"one")}
    (told,) = case.staging.bring(["h1"])
    assert f"{DIRECTORY}/h1: " in told
