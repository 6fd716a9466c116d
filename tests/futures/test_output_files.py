"""What Workers print goes to files, of bounded size, and a disk that does not take it ends nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from launching import launch

from fedfutures import Executor
from fedfutures.errors import StartFailed
from fedfutures.futures import output_files
from fedfutures.futures.output_files import FiledOutput

SECONDS = 20.0


def refuse() -> None:
    raise AssertionError("it was written")


def test_each_worker_has_a_file_below_its_host(tmp_path: Path) -> None:
    files = FiledOutput(tmp_path / "new" / "deep")
    for worker, data in (("a.lab.1", b"one\n"), ("a.lab.2", b"two\n"), ("b.1", b"\xff\n"), ("a.lab.1", b"more\n")):
        files.write(worker, data, refuse)
    found = {str(path.relative_to(files.directory)): path.read_bytes() for path in files.directory.rglob("*.out")}
    assert found == {"a.lab/a.lab.1.out": b"one\nmore\n", "a.lab/a.lab.2.out": b"two\n", "b/b.1.out": b"\xff\n"}


def test_the_files_of_an_earlier_run_are_begun_anew(tmp_path: Path) -> None:
    for text in (b"first\n", b"second\n"):
        FiledOutput(tmp_path).write("h.1", text, refuse)
    assert (tmp_path / "h" / "h.1.out").read_bytes() == b"second\n"


def test_who_takes_the_place_of_a_worker_goes_on_in_its_file(tmp_path: Path) -> None:
    files = FiledOutput(tmp_path)
    files.write("h.1", b"before\n", refuse)
    files.write("h.1+1", b"behind\n", refuse)
    files.write("h.1+1", b"more\n", refuse)
    said = (tmp_path / "h" / "h.1.out").read_text()
    assert said == "before\n[h.1+1 takes the place of h.1]\nbehind\nmore\n"


def test_the_newest_output_stays_and_the_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_files, "PART_BYTES", 100)
    files = FiledOutput(tmp_path)
    for number in range(60):
        files.write("h.1", b"line %04d\n" % number, refuse)
    newer, older = (tmp_path / "h" / name for name in ("h.1.out", "h.1.out.1"))
    assert newer.read_text().endswith("line 0059\n")
    lines = [line for path in (older, newer) for line in path.read_text().splitlines() if line.startswith("line")]
    first = int(lines[0].split()[1])
    assert lines == [f"line {number:04}" for number in range(first, 60)], "without a gap"
    assert newer.read_text().startswith("[... about ")
    assert sum(path.stat().st_size for path in (older, newer)) <= 2 * (100 + 80)
    assert len(list((tmp_path / "h").iterdir())) == 2


@pytest.mark.parametrize("worker", ["../../up.1", "/etc/x.1", "..1", "", "a/b\0.1", "." * 400])
def test_no_name_leads_out_of_the_directory(tmp_path: Path, worker: str) -> None:
    files = FiledOutput(tmp_path / "in")
    files.write(worker, b"x", refuse)
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(found) == 1
    assert found[0].is_relative_to(tmp_path / "in")


def test_a_place_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartFailed, match="cannot be written below"):
        FiledOutput(tmp_path / "file" / "in")
    with pytest.raises(StartFailed, match="cannot be written below"):
        Executor(1, output=tmp_path / "file")


def test_what_cannot_be_written_later_is_shown_and_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = FiledOutput(tmp_path)
    (tmp_path / "h").write_text("in the way")
    shown: list[int] = []
    for number in range(3):
        files.write("h.1", b"x", lambda number=number: shown.append(number))
    assert shown == [0, 1, 2]
    assert capsys.readouterr().err.count("fedfutures: ") == 1
    os.remove(tmp_path / "h")
    files.write("h.1", b"again\n", refuse)
    assert (tmp_path / "h" / "h.1.out").read_text() == "again\n", "the disk has room again"


@pytest.mark.host
def test_a_launched_program_writes_files_and_its_own_output_stays(tmp_path: Path) -> None:
    program = "from fedfutures import futures\nprint('own', futures.submit(print, 'hello').result())"
    ended = launch("-n", "1", "--output", "out", "-c", program, cwd=tmp_path)
    assert (ended.code, ended.out.split()) == (0, ["own", "None"])
    [path] = (tmp_path / "out").rglob("*.out")
    assert path.read_text() == "hello\n"
    (tmp_path / "file").write_text("")
    ended = launch("-n", "1", "--output", "file", "-c", "print('begun')", cwd=tmp_path)
    assert ended.code != 0
    assert ended.out == ""
    assert "cannot be written below" in ended.err


def say(text: str) -> None:
    print(text)
    print(text.upper(), file=sys.stderr)


@pytest.mark.host
def test_an_executor_writes_files_and_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Executor(1, output=tmp_path) as executor:
        future = executor.submit(say, "hello")
        future.result(SECONDS)
    assert future.host is not None
    text = (tmp_path / future.host / f"{future.worker}.out").read_text()
    assert sorted(text.split()) == ["HELLO", "hello"]
    assert "hello" not in "".join(capfd.readouterr()).lower()
