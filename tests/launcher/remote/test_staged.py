"""Files that another host sends: an archive behind what its login has printed, taken below one directory alone."""

from __future__ import annotations

import io
import os
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedfutures_launcher.remote.staged import ArchiveReader, StagedFiles
from fedfutures_launcher.ssh.texts.command import STAGED


def archive(**files: bytes) -> bytes:
    """An archive of plain files; a name has / for __."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w|") as made:
        for name, content in files.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size, member.mtime = len(content), 1000
            made.addfile(member, io.BytesIO(content))
    return out.getvalue()


class Case:
    """What is said, and where it goes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.read, self.write = os.pipe()
        os.set_blocking(self.read, False)
        self.ends = [self.read, self.write]

    def take(self, said: bytes, seconds: float = 20.0, *, ends: bool = True) -> StagedFiles:
        def say() -> None:
            with open(self.write, "wb", closefd=ends) as file:
                file.write(said)

        thread = threading.Thread(target=say)
        thread.start()
        try:
            return ArchiveReader(self.read, str(self.directory), seconds).take()
        finally:
            thread.join()

    def found(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.directory)): path.read_bytes() for path in self.directory.rglob("*.*")}


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    made = Case(tmp_path / "h1")
    yield made
    os.close(made.read)


def test_files_come_behind_what_a_login_prints(case: Case) -> None:
    files = {"a.csv": b"1,2", "deep__b.bin": os.urandom(3 << 20)}
    assert case.take(b"Welcome!\n\x1efed" + STAGED + archive(**files)) == StagedFiles(2, (3 << 20) + 3)
    assert case.found() == {name.replace("__", "/"): content for name, content in files.items()}
    assert os.stat(case.directory / "a.csv").st_mtime == 1000


def test_nothing_is_written_anywhere_else(case: Case, tmp_path: Path) -> None:
    links = io.BytesIO()
    with tarfile.open(fileobj=links, mode="w|") as made:
        for name, kind in (
            ("link.csv", tarfile.SYMTYPE),
            ("hard.csv", tarfile.LNKTYPE),
            ("pipe.csv", tarfile.FIFOTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            made.addfile(member)
    assert case.take(STAGED + links.getvalue()) == StagedFiles(0, 0)
    assert not case.directory.exists()


@pytest.mark.parametrize("name", ["..__x.csv", "__x.csv", "a__..__..__x.csv", ".__x.csv"])
def test_no_name_leads_out_of_the_directory(case: Case, tmp_path: Path, name: str) -> None:
    assert case.take(STAGED + archive(**{name: b"1", "good.csv": b"2"})) == StagedFiles(1, 1)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["good.csv", "h1"]


def test_what_breaks_off_is_said(case: Case) -> None:
    whole = archive(**{"a.csv": b"1" * 2000, "b.csv": b"2" * 2000})
    staged = case.take(STAGED + whole[:3500])
    assert staged.files == 1
    assert staged.why.startswith("what it sent breaks off")


def test_a_login_that_ends_or_is_silent(case: Case) -> None:
    assert case.take(b"no such python\n", 0.2, ends=False) == StagedFiles(0, 0, "it was silent for 0 s")
    assert case.take(b"\n").why == "it ended before it sent any"
