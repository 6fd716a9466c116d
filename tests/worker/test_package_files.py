"""Data files of packages: read at the Origin, and put into a directory that the Workers of a host share."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from fedfutures.wire.modules import Module
from fedfutures.worker import package_files
from fedfutures.worker.package_files import PackageFiles, has_data, read_files

FILES = {"__init__.py": b"", "sub/part.py": b"x = 1", "sub/table.txt": b"42"}
PACK = Module(True, "/o/pack/__init__.py", b"", has_data=True)


def write(directory: Path, files: dict[str, bytes]) -> str:
    for path, content in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(content)
    return str(directory)


def test_what_nobody_would_open_does_not_travel(tmp_path: Path) -> None:
    place = write(tmp_path, {"a.py": b"", "__pycache__/a.pyc": b"", ".git/config": b"", "b.so": b"", "c.pyc": b""})
    assert not has_data(place)
    write(tmp_path, FILES)
    (tmp_path / "dead").symlink_to("nowhere")
    assert has_data(place)
    assert read_files(place) == {"a.py": b""} | FILES


def test_large_packages_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = write(tmp_path, FILES)
    for name, most in (("BYTES_AT_MOST", 6), ("FILES_AT_MOST", 2)):
        with monkeypatch.context() as patch:
            patch.setattr(package_files, name, most)
            with pytest.raises(ValueError, match="its files are more than"):
                read_files(place)


def test_modules_are_where_the_files_are(tmp_path: Path) -> None:
    asked: list[str] = []
    files = PackageFiles(str(tmp_path), lambda name: asked.append(name) or FILES)  # type: ignore[func-returns-value]
    here = f"{tmp_path}/packages/pack"
    assert files.place_of("pack", PACK) == f"{here}/__init__.py"
    assert read_files(here) == FILES
    sub = Module(True, "/o/pack/sub/__init__.py", b"", has_data=True)
    assert files.place_of("pack.sub", sub) == f"{here}/sub/__init__.py"
    assert files.place_of("pack.sub.part", Module(False, "/o/pack/sub/part.py", b"")) == f"{here}/sub/part.py"
    assert files.place_of("other", Module(False, "/o/package.py", b"")) == "/o/package.py"
    assert files.place_of("spread", Module(True, "", b"")) == ""
    assert PackageFiles(str(tmp_path), lambda name: None).place_of("pack", PACK) == f"{here}/__init__.py", "shared"
    assert asked == ["pack"]


def test_what_is_not_to_be_had_is_at_the_origin(tmp_path: Path) -> None:
    assert PackageFiles(str(tmp_path), lambda name: None).place_of("pack", PACK) == PACK.file
    (tmp_path / "packages").write_text("no directory can be made here")
    assert PackageFiles(str(tmp_path), lambda name: FILES).place_of("pack", PACK) == PACK.file
    assert os.listdir(tmp_path) == ["packages"]


def test_several_workers_at_once(tmp_path: Path) -> None:
    gate = threading.Barrier(2)

    def fetch(name: str) -> dict[str, bytes]:
        gate.wait(20)
        return FILES

    found: list[str] = []
    roots = [PackageFiles(str(tmp_path), fetch) for _ in range(2)]
    threads = [threading.Thread(target=lambda one=one: found.append(one.place_of("pack", PACK))) for one in roots]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [f"{tmp_path}/packages/pack/__init__.py"] * 2
    assert os.listdir(tmp_path / "packages") == ["pack"]
