"""Where the secret keys of Brokers are: in their memory, and nowhere else."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from attacked import Pair
from zmq.utils import z85

pytestmark = pytest.mark.host

TELLS = "FEDFUTURES_TEST_TELLS"
TELLING_HOST = f"""
import os, sys, zmq
made = zmq.curve_keypair
def tell():
    public, secret = made()
    with open(os.path.join(os.environ["{TELLS}"], "secrets"), "ab") as file:
        file.write(secret)
    return public, secret
zmq.curve_keypair = tell
os.dup2(os.open(os.path.join(os.environ["{TELLS}"], "errors"), os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
from fedfutures.host_process import main
main()
"""
"""A host process that writes down the keys that its Brokers make, and what they print."""


@pytest.fixture
def telling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    monkeypatch.setenv(TELLS, str(tmp_path))
    made = Pair([sys.executable, "-c", TELLING_HOST])
    yield made
    made.end()


def below(pid: int) -> list[int]:
    """The pids of a process and of all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in children for found in below(int(child)))]


def test_secret_keys_are_in_no_argument_environment_file_or_message(telling: Pair, tmp_path: Path) -> None:
    assert telling.serves()
    secrets = (tmp_path / "secrets").read_bytes()
    keys = [secrets[start : start + 40] for start in range(0, len(secrets), 40)]
    assert len(keys) >= 2
    forms = [form for key in keys for form in forms_of(key)]
    places: dict[str, bytes] = {"errors": (tmp_path / "errors").read_bytes()}
    for host in (telling.up, telling.down):
        places[f"frames of {host.name}"] = repr(host.said).encode() + repr(host.handle.facts).encode()
        for pid in below(host.handle.facts["pid"]):
            for name in ("cmdline", "environ"):
                places[f"{name} of {pid}"] = Path(f"/proc/{pid}/{name}").read_bytes()
        for directory in (host.handle.facts["run"], host.handle.facts["shared"]):
            assert os.stat(directory).st_mode & 0o077 == 0
            for file in Path(directory).iterdir():
                if file.is_file():
                    places[str(file)] = file.read_bytes()
    assert len(places) > 10
    assert telling.down.places["key"].encode() in places["frames of h1"], "the search finds nothing at all"
    assert [place for place, text in places.items() if any(form in text for form in forms)] == []


def forms_of(key: bytes) -> list[bytes]:
    raw = z85.decode(key)
    return [key, raw, raw.hex().encode(), base64.b64encode(raw), base64.urlsafe_b64encode(raw)]


def test_a_broker_leaves_no_core(pair: Pair) -> None:
    limits = Path(f"/proc/{pair.down.pid}/limits").read_text().splitlines()
    (core,) = [line.split() for line in limits if line.startswith("Max core file size")]
    assert core[4] == "0"
