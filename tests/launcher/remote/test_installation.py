"""What a host is given that has no fedfutures: the files that run here, and whether they can run there."""

from __future__ import annotations

import io
import sys
import zipfile
from dataclasses import replace

import pytest

from fedfutures_launcher.remote import installation
from fedfutures_launcher.remote.hello import HostHello
from fedfutures_launcher.remote.installation import archive_here, digest_here, digest_of, files_here, wanted, why_not

HERE = HostHello(sys.version_info[:3], system="Linux", machine="x86_64", libc="glibc 2.36")


def test_the_files_are_those_that_run_here() -> None:
    files = files_here()
    assert {"fedfutures/__init__.py", "fedfutures/host_process.py", "zmq/__init__.py"} <= files.keys()
    assert {path.partition("/")[0] for path in files} >= {"cloudpickle", "fedfutures", "greenlet", "msgpack", "zmq"}
    assert any(path.endswith(".so") for path in files)
    assert not [path for path in files if path.startswith(("/", "..")) or "__pycache__" in path]
    with open(sys.modules["fedfutures"].__file__ or "", "rb") as file:
        assert files["fedfutures/__init__.py"] == file.read()


def test_the_archive_has_them_all() -> None:
    with zipfile.ZipFile(io.BytesIO(archive_here())) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == files_here()
    assert digest_of(found) == digest_here() == wanted().split()[0]


@pytest.mark.parametrize(
    "changed", [{"a": b"1", "b": b"3"}, {"a": b"1"}, {"a": b"12", "b": b""}, {"a": b"1", "c": b"2"}]
)
def test_any_change_is_another_digest(changed: dict[str, bytes]) -> None:
    assert digest_of(changed) != digest_of({"a": b"1", "b": b"2"})


def test_where_compiled_packages_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_least_glibc", lambda ours: (2, 28))
    assert why_not(HERE, HERE) == why_not(replace(HERE, libc="glibc 2.28"), HERE) == ""
    for libc in ("glibc 2.17", ""):
        assert "the compiled packages of here need glibc 2.28" in why_not(replace(HERE, libc=libc), HERE)
    assert "Linux aarch64" in why_not(replace(HERE, machine="aarch64"), HERE)
    assert "Darwin x86_64" in why_not(replace(HERE, system="Darwin"), HERE)


def test_the_oldest_libc_is_that_of_the_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    tags = {
        "cloudpickle": "Tag: py3-none-any",
        "greenlet": "Tag: cp311-cp311-manylinux_2_24_x86_64\nTag: cp311-cp311-manylinux_2_28_x86_64",
        "msgpack": "Tag: cp311-cp311-manylinux2014_x86_64",
        "pyzmq": "Tag: cp311-cp311-linux_x86_64",
    }

    class Distribution:
        def __init__(self, name: str) -> None:
            self.name = name

        def read_text(self, name: str) -> str:
            return tags[self.name]

    monkeypatch.setattr(installation.importlib.metadata, "distribution", Distribution)
    assert "need glibc 2.36" in why_not(replace(HERE, libc="glibc 2.30"), HERE), "one was compiled here"
    tags["pyzmq"] = "Tag: cp311-cp311-manylinux_2_17_x86_64"
    assert why_not(replace(HERE, libc="glibc 2.24"), HERE) == ""
    assert "need glibc 2.24" in why_not(replace(HERE, libc="glibc 2.23"), HERE)
    assert why_not(replace(HERE, libc=""), replace(HERE, libc="")) == "", "nothing is known of another libc"
