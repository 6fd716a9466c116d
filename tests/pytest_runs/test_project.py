"""Which files go to a host that does not have them."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

import fedfutures.pytest.project as ours
from fedfutures.pytest.project import files_of, is_installed, pack, walked

FILES = (
    "pyproject.toml", "src/mine/__init__.py", "src/mine/data.txt", "src/mine/built.so", "tests/test_a.py",
    "ignored/large.bin", ".hidden/file", "env/pyvenv.cfg", "env/lib/x.py", "tests/__pycache__/test_a.pyc",
)  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    for name in FILES:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(name)
    (made / ".gitignore").write_text("ignored\n*.so\nenv\n__pycache__\n")
    return made


def names(root: Path, files: list[Path]) -> set[str]:
    return {file.relative_to(root).as_posix() for file in files}


def test_hidden_directories_and_environments_stay_here(root: Path) -> None:
    found = names(root, list(walked(root)))
    assert found == {name for name in FILES if not name.startswith((".", "env")) and "pycache" not in name} | {
        ".gitignore"
    }


def test_git_says_what_belongs_to_a_project(root: Path) -> None:
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    assert names(root, files_of(root, [])) == {
        ".gitignore", ".hidden/file", "pyproject.toml", "src/mine/__init__.py", "src/mine/data.txt", "tests/test_a.py",
    }  # fmt: skip
    assert "src/mine/built.so" in names(root, files_of(root, [root / "src/mine"]))


def test_a_project_is_packed_with_what_it_imports(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    (tmp_path / "outside.py").write_text("x = 1\n")
    modules = {"mine": root / "src/mine/__init__.py", "outside": tmp_path / "outside.py"}
    for name, path in modules.items():
        module = type(sys)(name)
        module.__file__ = str(path)
        monkeypatch.setitem(sys.modules, name, module)
    project = pack(root, [str(root / "tests"), sysconfig.get_path("purelib"), str(tmp_path)])
    with tarfile.open(project.archive) as archive:
        found = set(archive.getnames())
    Path(project.archive).unlink()
    assert {"0/src/mine/__init__.py", "0/tests/test_a.py", "1/outside.py"} <= found
    assert (project.path, project.root) == (["0/tests", "0/src", "1"], str(root))
    assert not any("site-packages" in name for name in found)


def test_a_project_that_is_too_large_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "AT_MOST_BYTES", 10)
    with pytest.raises(pytest.UsageError, match=r"would be sent to each host; the largest is .*List in \.gitignore"):
        pack(root, [])


def test_what_is_installed_is_not_the_projects() -> None:
    assert is_installed(Path(pytest.__file__))
    assert is_installed(Path(tarfile.__file__))
    assert not is_installed(Path(__file__))
