"""``ppserver``."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from launching import Running, eventually

from fedfutures.compat import pp
from fedfutures.compat.pp.server import translated
from fedfutures.errors import StartFailed
from fedfutures.standing import places


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "up 60000 --foreground"),
        ("-p 35000 -w 4", "up 35000 --foreground -n 4"),
        ("-t 60 -a -s secret -k 9 -n 2 -r -d", "up 60000 --foreground --idle 60 --announce"),
    ],
)
def test_its_flags(line: str, words: str) -> None:
    assert translated(line.split())[0] == words.split()


def test_its_config_file(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(
        "[general]\nsecret = 'epo'\nworkers = 3\ndebug = False\n"
        "[network]\nautodiscovery = True\nport = 35000\ntimeout=7\n"
    )
    words, given = translated(["-c", str(path), "-w", "5"])
    assert words == ["up", "35000", "--foreground", "-n", "5", "--idle", "7", "--announce"]
    assert (given.secret, given.debug) == ("epo", False)


@pytest.mark.parametrize("text", [None, "no section", "[general]\nworkers = many\n"])
def test_a_bad_config_file(text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SystemExit) as caught:
        translated(["-c", str(path)])
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.host
def test_a_program_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    pid_file = tmp_path / "pid"
    words = ["-m", "fedfutures.compat.pp.server", "-p", "35000", "-w", "2", "-s", "secret", "-P", str(pid_file)]
    running = Running(words, env={"XDG_STATE_HOME": str(tmp_path)}, fedfutures=False)
    assert eventually(lambda: places.names() == ["35000"], 10.0)
    with pytest.warns(UserWarning, match="have no effect"):
        server = pp.Server(0, ppservers=("localhost:35000",), secret="secret")
    assert server.get_active_nodes() == {"local": 0, "localhost:35000": 2}
    jobs = [server.submit(pow, (number, 2)) for number in range(9)]
    assert [job() for job in jobs] == [number * number for number in range(9)]
    assert server.get_stats()["localhost:35000"].njobs == 9
    server.destroy()
    with pytest.raises(StartFailed, match="try: fedfutures up 35001"):
        pp.Server(0, ppservers=("localhost:35001",))
    everything = pp.Server(0, ppservers=("*",))
    assert everything.get_active_nodes() == {"local": 0, "localhost:35000": 2}
    everything.destroy()
    assert int(pid_file.read_text()) == running.process.pid
    os.kill(running.process.pid, signal.SIGTERM)
    ended = running.end()
    assert ended.code == 0
    assert "without effect: -s: ssh or a key lets programs in" in ended.err
    assert running.gone()
