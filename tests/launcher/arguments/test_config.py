"""Files of options."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fedfutures.errors import StartFailed
from fedfutures_launcher.arguments import config

OPTIONS = {"workers": str, "idle": str, "quiet": bool, "hosts": list, "start-timeout": str}
pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.11 has a reader of TOML")


def words(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "lab.toml"
    path.write_text(text)
    return config.words_of(str(path), OPTIONS)


def test_each_key_is_a_long_option(tmp_path: Path) -> None:
    assert words(tmp_path, 'workers = 8\nidle = "30m"\nquiet = true\n') == ["--workers=8", "--idle=30m", "--quiet"]
    assert words(tmp_path, "quiet = false\n") == []
    assert words(tmp_path, 'hosts = ["a", "b:2"]\n') == ["--hosts=a", "--hosts=b:2"]
    assert words(tmp_path, 'hosts = "a"\nstart-timeout = 5\n') == ["--hosts=a", "--start-timeout=5"]
    assert words(tmp_path, "start_timeout = 5\n") == ["--start-timeout=5"], "as in Python"


def test_what_the_command_line_says_counts_alone(tmp_path: Path) -> None:
    path = tmp_path / "lab.toml"
    path.write_text('hosts = ["a"]\nworkers = 3\n')
    assert config.words_of(str(path), OPTIONS, ["hosts"]) == ["--workers=3"]
    path.write_text("hosts = true\n")
    with pytest.raises(StartFailed, match="not a text or a list of texts"):
        config.words_of(str(path), OPTIONS, ["hosts"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("wokers = 8", "has wokers, which is no option; did you mean workers"),
        ("x = 8", "has x, which is no option; there are: hosts, idle, quiet, start-timeout, workers"),
        ("workers = [8]", "which is not a number or a text"),
        ("workers = true", "which is not a number or a text"),
        ("quiet = 1", "which is not true or false"),
        ("workers 8", "is no TOML"),
    ],
)
def test_bad_input(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(StartFailed, match=why) as caught:
        words(tmp_path, text)
    assert caught.value.exit_code == 2


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="cannot be read: No such file"):
        config.words_of(str(tmp_path / "lab.toml"), OPTIONS)


def test_where_it_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/etc/me")
    assert config.usual_path("lab") == "/etc/me/fedfutures/lab.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", "not/absolute")
    monkeypatch.setenv("HOME", "/home/me")
    assert config.usual_path("lab") == "/home/me/.config/fedfutures/lab.toml"


def test_without_a_reader_of_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tomllib", "tomli"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(StartFailed, match=r"takes Python 3\.11, or a module: pip install tomli"):
        words(tmp_path, "workers = 8")
