"""What is printed for a host that cannot be used can be pasted, and works."""

from __future__ import annotations

import doctest
import io
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

from fedfutures import Hosts, __version__
from fedfutures.host.settings import Settings
from fedfutures_launcher import wheel
from fedfutures_launcher.connector import hints
from fedfutures_launcher.connector.access import by_hand
from fedfutures_launcher.connector.hints import hinted
from fedfutures_launcher.hosts.spec import HostSpec
from fedfutures_launcher.hosts.words import from_word
from fedfutures_launcher.layout.assemble import Request
from fedfutures_launcher.ssh.failures import Failure
from fedfutures_launcher.ssh.names import known_names

from .ground import Ground
from .test_ends import nothing_left

ROOT = Path(__file__).parents[2]
KNOWN_HOSTS = """\
tower.lab.org,10.0.0.7 ssh-ed25519 AAAA
[rack1]:2222 ssh-ed25519 AAAA
|1|dGVzdA==|dGVzdA== ssh-ed25519 AAAA
*.wild ssh-ed25519 AAAA
"""


def request_of(*words: str, **ssh: Any) -> Request:
    specs = [from_word(word) for word in words]
    for spec in specs:
        spec.name = spec.host
    return Request(HostSpec("localhost", name="here"), specs, Settings(host="here", workers=1, size=1), Hosts(**ssh))


# ------------------------------------------------------------------------------------------------------------- wheels


@pytest.mark.once
def test_the_wheel_has_all_files_and_says_what_it_needs() -> None:
    assert doctest.testmod(wheel).failed == 0
    name, data = wheel.build()
    assert name == f"fedfutures-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {entry: archive.read(entry) for entry in archive.namelist()}
    sources = {
        f"{package}/{path.relative_to(ROOT / folder)}": path.read_bytes()
        for package, folder in (("fedfutures", "fedfutures"), ("fedfutures_launcher", "launcher"))
        for path in (ROOT / folder).rglob("*.py")
    }
    sources["fedfutures/py.typed"] = b""
    info = f"fedfutures-{__version__}.dist-info"
    assert {entry: text for entry, text in files.items() if not entry.startswith(info)} == sources
    said = files[f"{info}/METADATA"].decode()
    for requirement in ("pyzmq>=26", "greenlet>=3.1", "msgpack>=1.0.8", "cloudpickle>=3.0", "paramiko>=3.4", "tomli>="):
        assert f"Requires-Dist: {requirement}" in said
    assert "extra" not in said
    assert [line.split(",")[0] for line in files[f"{info}/RECORD"].decode().splitlines()] == list(files)


@pytest.mark.once
@pytest.mark.host
def test_the_wheel_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fedfutures_launcher.wheel"]
    done = subprocess.run([*command, "."], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"./fedfutures-{__version__}-py3-none-any.whl\n"
    piped = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert piped.stdout == (tmp_path / done.stdout.strip()).read_bytes()
    nowhere = subprocess.run([*command, "no/where"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (nowhere.returncode, nowhere.stdout, nowhere.stderr.count("\n")) == (1, "", 1)


@pytest.mark.once
@pytest.mark.host
def test_a_host_without_fedfutures_has_it_after_the_command_that_is_printed(rootless, tmp_path) -> None:
    home = tmp_path / "bare"
    venv.create(home, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    needed = tmp_path / "needed"  # pip, and what an index would give, without fedfutures
    needed.mkdir()
    for place in Path(sysconfig.get_path("purelib")).iterdir():
        if "fedfutures" not in place.name and place.suffix != ".pth":
            (needed / place.name).symlink_to(place)
    (site / "needed.pth").write_text(f"{needed}\n")
    python = str(home / "bin" / "python")

    ground = Ground(rootless, ["h1"], str(tmp_path), "paramiko")
    prog = ground.write("prog.py", "from fedfutures import futures\nprint(futures.submit(abs, -3).result())\n")
    words = ["-n", "1", "--python-interpreter", python, prog]
    ended = ground.launch(*words)
    assert (ended.code, ended.out) == (2, "")
    assert f"{python} cannot import fedfutures" in ended.err
    (command,) = re.findall(r"^    (.*fedfutures_launcher\.wheel \| ssh .*)$", ended.err, re.MULTILINE)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ended = ground.launch(*words)
    assert (ended.code, ended.out) == (0, "3\n"), ended.err
    installed = [python, "-c", "import fedfutures; print(fedfutures.__file__)"]
    place = subprocess.run(installed, cwd="/", env=environment, capture_output=True, text=True, check=True).stdout
    assert place.startswith(str(home))
    nothing_left(ground)


def test_a_command_by_hand_goes_the_way_that_the_run_goes() -> None:
    request = request_of("ann@tower.lab.org:2222", "b", ssh_config="/c d")
    tower, b = request.hosts
    assert by_hand(tower, request) == "ssh -F '/c d' -p 2222 ann@tower.lab.org"
    b.site = "tower.lab.org"
    assert by_hand(b, request) == "ssh -F '/c d' -J ann@tower.lab.org:2222 b"
    assert by_hand(from_word("c"), request_of("c", ssh_executable="/opt/ssh")) == "/opt/ssh c"


# -------------------------------------------------------------------------------------------------------------- names


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "known").write_text(KNOWN_HOSTS)
    text = f"Host h1 h2 *.org !x\n  UserKnownHostsFile {tmp_path / 'known'}\n  User ann\n"
    (tmp_path / "config").write_text(text)
    return str(tmp_path / "config")


def test_the_names_that_ssh_knows(config: str) -> None:
    assert known_names(config) == {"h1", "h2", "tower.lab.org", "10.0.0.7", "rack1"}
    assert doctest.testmod(hints).failed == 0


@pytest.mark.parametrize(
    ("word", "hint"),
    [("hh2", ("did you mean h2?",)), ("towr.lab.org", ("did you mean tower.lab.org?",)), ("elsewhere", ())],
)
def test_a_slip_of_the_pen_in_a_host(word: str, hint: tuple[str, ...], config: str) -> None:
    request = request_of(word, ssh_config=config)
    assert hinted(Failure("unresolved name", word, ""), request.hosts[0], request).hints == hint
    assert hinted(Failure("refused", word, ""), request.hosts[0], request).hints == ()


def test_a_user_that_differs_from_the_others() -> None:
    request = request_of("ann@a", "bob@b", "ann@c")
    failure = hinted(Failure("authentication failed", "", ""), request.hosts[1], request)
    assert failure.hints == ("the other hosts are logged in to as ann", hints.OTHER_CLIENT)
    same = hinted(Failure("authentication failed", "", ""), request.hosts[0], request)
    assert same.hints == (hints.OTHER_CLIENT,)
    openssh = request_of("a", ssh_executable="ssh")
    assert hinted(Failure("authentication failed", "", ""), openssh.hosts[0], openssh).hints == ()


@pytest.mark.host
def test_what_is_printed_of_a_host_that_is_mistyped(rootless, tmp_path) -> None:
    ground = Ground(rootless, ["h1"], str(tmp_path), "paramiko")
    ended = ground.launch("-n", "1", ground.write("prog.py", "print('ran')"), hosts=["hh2", "h1"])
    assert (ended.code, ended.out) == (0, "ran\n")
    lines = ended.err.splitlines()
    at = lines.index("hh2: no address is known for this name")
    assert lines[at + 1] == "    getent hosts hh2"
    assert "    (did you mean h2?)" in lines[at:]
    assert max(map(len, lines[:3])) <= 80


def test_root_is_refused_in_a_line() -> None:
    from fedfutures import Hosts
    from fedfutures.errors import StartFailed
    from fedfutures_launcher.connector import start as federate

    if os.geteuid() != 0:
        pytest.skip("this is not root's process")
    with pytest.raises(StartFailed) as caught:
        federate.refuse_root(Hosts(["a", "b"]), [from_word("a"), from_word("b")])
    assert str(caught.value) == (
        "as root, Futures could do anything on the other hosts: run it as a user, or say --allow-root "
        "(for an Executor: hosts=fedfutures.Hosts(names, allow_root=True))"
    )
    assert caught.value.exit_code == 2
