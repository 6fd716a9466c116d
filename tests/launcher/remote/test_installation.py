"""What a host is given that has no fedfutures: the files that run here, and whether they can run there."""

from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from fedfutures.version import __version__
from fedfutures.wire.messages import PROTOCOL
from fedfutures_launcher.hosts.spec import BadHosts
from fedfutures_launcher.remote.hello import HostHello
from fedfutures_launcher.remote.installation import Installation, digest_of

HERE = HostHello(sys.version_info[:3], system="Linux", machine="x86_64", libc="glibc 2.36")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "fedfutures"


def contents(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_the_files_are_those_that_run_here() -> None:
    files = Installation().files
    assert {"fedfutures/__init__.py", "fedfutures/host_process.py", "zmq/__init__.py"} <= files.keys()
    assert {path.partition("/")[0] for path in files} >= {"cloudpickle", "fedfutures", "greenlet", "msgpack", "zmq"}
    assert any(path.endswith(".so") for path in files)
    assert not [path for path in files if path.startswith(("/", "..")) or "__pycache__" in path]
    assert files["fedfutures/__init__.py"] == sys.modules["fedfutures"].__file__


def test_the_archive_has_them_all(cache: Path) -> None:
    made = Installation()
    found = contents(made.archive)
    assert found == {path: Path(place).read_bytes() for path, place in made.files.items()}
    assert made.wanted == f"{digest_of(found)} {__version__} {PROTOCOL}"


def test_the_digest_is_computed_once_and_again_for_other_files(cache: Path) -> None:
    made = Installation(["iniconfig"])
    digest = made.digest
    (known,) = cache.iterdir()
    written = json.loads(known.read_text()) | {"digest": "it was remembered"}
    known.write_text(json.dumps(written))
    assert Installation(["iniconfig"]).digest == "it was remembered"
    assert Installation().digest not in (digest, "it was remembered")
    assert Installation(["iniconfig"]).digest == digest, "one is remembered, that of the last run"


@pytest.mark.parametrize("damage", ["no JSON", "{}", "[]", '{"stamp": 3}'])
def test_what_is_remembered_may_be_damaged(cache: Path, damage: str) -> None:
    cache.mkdir()
    (cache / "installed.json").write_text(damage)
    assert Installation().digest == Installation().digest != damage


def test_a_cache_that_cannot_be_written_is_none(cache: Path) -> None:
    cache.write_text("no directory")
    assert len(Installation().digest) == 64


def test_a_package_comes_with_what_it_needs() -> None:
    made = Installation(["hypothesis.strategies"])
    assert made.versions == {"hypothesis": version("hypothesis")}
    assert {"hypothesis/__init__.py", "sortedcontainers/__init__.py"} <= made.files.keys()
    assert made.wanted.endswith(f" {PROTOCOL} hypothesis=={version('hypothesis')}")
    assert "pytest/__init__.py" not in made.files, "that is for an extra"


def test_a_module_whose_package_has_another_name() -> None:
    assert Installation(["_pytest"]).versions == {"pytest": version("pytest")}


@pytest.mark.parametrize(
    ("module", "says"),
    [
        ("no_such_module_anywhere", "no installed package of here has this name, or this module"),
        ("json", "no installed package of here has this name, or this module"),
        ("tests", "(modules of your own travel with the program)"),
    ],
)
def test_modules_that_cannot_be_sent(module: str, says: str) -> None:
    with pytest.raises(BadHosts) as caught:
        Installation([module])
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"--provision-modules {module}: ")


def test_a_package_whose_files_nobody_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one of Debian, or an editable one."""
    (tmp_path / "listless-1.0.egg-info").mkdir()
    (tmp_path / "listless-1.0.egg-info" / "PKG-INFO").write_text(
        "Metadata-Version: 2.1\nName: listless\nVersion: 1.0\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BadHosts, match="nothing here says which files listless has brought"):
        Installation(["listless"])


@pytest.mark.parametrize(
    "changed", [{"a": b"1", "b": b"3"}, {"a": b"1"}, {"a": b"12", "b": b""}, {"a": b"1", "c": b"2"}]
)
def test_any_change_is_another_digest(changed: dict[str, bytes]) -> None:
    assert digest_of(changed) != digest_of({"a": b"1", "b": b"2"})


def package(place: Path, name: str, tags: str = "Tag: py3-none-any", *, compiled: bool = False) -> None:
    """Write what pip writes of a package."""
    file = f"{name}{'.cpython-3.so' if compiled else '.py'}"
    (place / file).write_text("")
    info = place / f"{name}-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "WHEEL").write_text(tags)
    (info / "RECORD").write_text(f"{file},,\n")


def test_another_platform_gets_nothing_and_is_told_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "quick", "Tag: cp3-cp3-manylinux_2_5_x86_64", compiled=True)
    package(tmp_path, "plain")
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Installation(["quick", "plain"])
    assert made.why_not(HERE, HERE) == ""
    for change, says in (
        ({"machine": "aarch64"}, "it is Linux aarch64,"),
        ({"system": "Darwin"}, "it is Darwin x86_64,"),
    ):
        why = made.why_not(replace(HERE, **change), HERE)
        assert why.startswith(says)
        compiled = why.removesuffix(" are compiled").rpartition("for which ")[2].split(", ")
        assert "quick" in compiled
        assert "plain" not in compiled


@pytest.mark.parametrize(
    ("tags", "least"),
    [
        ("Tag: cp311-cp311-manylinux_2_94_x86_64\nTag: cp311-cp311-manylinux_2_98_x86_64", "2.94"),
        ("Tag: cp311-cp311-linux_x86_64", "2.96"),
    ],
)
def test_the_oldest_libc_is_that_of_the_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tags: str, least: str
) -> None:  # fmt: skip
    """One that was compiled here needs the libc of here."""
    ours = replace(HERE, libc="glibc 2.96")
    package(tmp_path, "quick", tags, compiled=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Installation(["quick"])
    assert made.why_not(ours, ours) == made.why_not(replace(HERE, libc=f"glibc {least}"), ours) == ""
    for libc in ("glibc 2.93", ""):
        assert made.why_not(replace(HERE, libc=libc), ours).endswith(
            f"quick, as it is installed here, needs glibc {least}"
        )
    assert made.why_not(replace(HERE, libc=""), replace(HERE, libc="")) == "", "nothing is known of another libc"


def test_nothing_is_written_but_into_the_cache(cache: Path) -> None:
    assert Installation().wanted
    assert os.listdir(cache) == ["installed.json"]
    assert cache.stat().st_mode & 0o77 == 0
