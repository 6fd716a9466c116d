"""Values that shared memory has no room for go another way, and leave nothing behind that is half written."""

from __future__ import annotations

import os
import pickle
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedfutures.errors import NoRoom, RemoteException, ResultNotPicklable
from fedfutures.program.reach import Reach
from fedfutures.wire import payload, room
from fedfutures.wire.failures import dump_failure, load_failure
from fedfutures.wire.names import segment_name
from fedfutures.wire.payload import Payloads
from fedfutures.wire.segments import SHARED_FROM_BYTES, Segments
from fedfutures.worker.results import dump_result

MIB = 1 << 20


class Host:
    """A host whose directories can be taken away."""

    def __init__(self, path: Path) -> None:
        self.memory, self.disk = path / "memory", path / "disk"
        self.memory.mkdir()
        self.disk.mkdir()

    def segments(self, owner: str) -> Segments:
        return Segments(str(self.memory), owner, disk=str(self.disk), host="h4")

    def files(self) -> list[list[str]]:
        return [sorted(os.listdir(place)) if place.exists() else [] for place in (self.memory, self.disk)]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may be larger than 1 MiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_one_directory_cannot_hold_goes_to_the_other(host: Host) -> None:
    ours, theirs = host.segments("ours"), host.segments("theirs")
    before = ours.write(b"before")
    host.memory.rename(host.memory.with_name("away"))
    name = ours.write(b"abc")
    host.memory.with_name("away").rename(host.memory)
    assert host.files() == [[before], [name]]
    assert theirs.is_here(name)
    assert (theirs.map(name)[:], theirs.map(before)[:]) == (b"abc", b"before")
    ours.release([name, before], reuse=True)
    assert [[file[:5] for file in files] for files in host.files()] == [["free-"], []]
    assert not theirs.is_here(name)


def test_a_taken_segment_on_disk_is_gone_with_its_map(host: Host) -> None:
    shutil.rmtree(host.memory)
    name = host.segments("worker").write(b"abc")
    host.memory.mkdir()
    mapped = host.segments("origin").map(name, take=True)
    assert mapped[:] == b"abc"
    del mapped
    assert host.files() == [[], []]


@pytest.mark.usefixtures("small_files")
def test_what_is_half_written_is_removed(host: Host) -> None:
    ours = host.segments("ours")
    with pytest.raises(NoRoom) as caught:
        ours.write(bytes(3 * MIB))
    assert host.files() == [[], []]
    assert (caught.value.host, caught.value.needed) == ("h4", 3 * MIB)
    text = str(caught.value)
    assert "on host h4" in text
    assert "3,145,728 bytes" in text
    assert str(host.memory.parent) in text
    assert "File too large" in text
    assert "ulimit -f" in text
    assert str(pickle.loads(pickle.dumps(caught.value))) == text
    assert ours.map(ours.write(b"an ordinary one"))[:] == b"an ordinary one"


@pytest.mark.usefixtures("small_files")
def test_a_free_file_that_cannot_grow_is_removed(host: Host) -> None:
    ours = host.segments("ours")
    ours.release([ours.write(bytes(MIB))], reuse=True)
    with pytest.raises(NoRoom):
        ours.write(bytes(MIB + 1))
    assert host.files() == [[], []]


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("alone", [True, False])
def test_a_value_without_room_travels_in_the_message(host: Host, alone: bool) -> None:
    payloads, array = Payloads(host.segments("ours")), np.arange(MIB // 4)
    body = payloads.dump([np.ones(SHARED_FROM_BYTES // 8), array, lambda: 1], alone=alone)
    assert body[:1] == b"\x80"
    assert host.files() == [[], []]
    loaded = payloads.load(body)[1]
    loaded += 1  # it is writable, as every small array is
    np.testing.assert_array_equal(loaded, array + 1)


@pytest.mark.usefixtures("small_files")
def test_what_a_variable_holds_travels_in_the_message(host: Host) -> None:
    payloads, array = Payloads(host.segments("ours")), np.arange(MIB // 4)
    body, reached = payloads.dump_with(lambda keep: (pickle.dumps(array, 5, buffer_callback=keep), Reach()))
    np.testing.assert_array_equal(payloads.load(body), array)
    assert not reached
    assert host.files() == [[], []]


@pytest.mark.usefixtures("small_files")
def test_what_is_too_large_for_a_message_is_refused(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "MESSAGE_BYTES_AT_MOST", 4 * MIB)
    payloads = Payloads(host.segments("ours"))
    written = payload.Written()
    for value in (np.zeros(MIB), bytes(5 * MIB)):
        with pytest.raises(NoRoom):
            payloads.dump(value, written)
    assert host.files() == [[], []]


@pytest.mark.usefixtures("small_files")
def test_a_failure_without_room_is_described(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "MESSAGE_BYTES_AT_MOST", MIB)
    payloads = Payloads(host.segments("ours"))
    error = load_failure(dump_failure(ValueError(bytes(3 * MIB)), payloads), payloads)
    assert isinstance(error, ValueError)
    assert isinstance(error, RemoteException)
    assert host.files() == [[], []]


@pytest.mark.usefixtures("small_files")
def test_a_result_without_room_is_not_called_a_pickling_error(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "MESSAGE_BYTES_AT_MOST", MIB)
    payloads = Payloads(host.segments("ours"))
    with pytest.raises(NoRoom):
        dump_result(bytes(3 * MIB), payloads, bytes)
    with pytest.raises(ResultNotPicklable):
        dump_result(threading.Lock(), payloads, threading.Lock)


def test_an_error_that_is_no_lack_of_room_is_raised(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", bytes)
    name = segment_name("ours", bytes(8))
    (host.memory / name).touch()
    with pytest.raises(FileExistsError):
        host.segments("ours").write(b"abc")
    assert host.files() == [[name], []]


def test_space_is_reserved_before_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with path.open("wb") as file:
        room.reserve(file.fileno(), 3 * MIB)
        assert path.stat().st_blocks * 512 >= 3 * MIB
        room.reserve(file.fileno(), 0)
    assert path.stat().st_size == 0


# -- a file system that is really full ---------------------------------------------------------------------------------

SMALL = """
import gc, os, sys
import numpy as np
from fedfutures.errors import NoRoom, RemoteException
from fedfutures.broker import files
from fedfutures.broker_process.storage import Storage
from fedfutures.wire.failures import dump_failure, load_failure
from fedfutures.wire.payload import Payloads
from fedfutures.wire.segments import Segments

memory, disk, run = sys.argv[1:]
MIB = 1 << 20
segments = Segments(memory, "ours", disk=disk, host="h4")
payloads = Payloads(segments)

def files_of(place):
    return sorted(name for name in os.listdir(place) if not name.startswith("free-"))

free = [payloads.dump(np.ones(MIB // 8)) for _ in range(5)]
for body in free:
    payloads.release(body)
assert len(os.listdir(memory)) == 5
one = payloads.dump(np.ones(6 * MIB // 8))  # what was free has made room
assert len(os.listdir(memory)) == 1, os.listdir(memory)
two = payloads.dump(np.full(6 * MIB // 8, 2.0))
assert [len(files_of(place)) for place in (memory, disk)] == [1, 1]
assert Payloads(segments).load(two).sum() == 2 * 6 * MIB / 8  # which forgets its maps when it goes
gc.collect()
three = payloads.dump(np.full(6 * MIB // 8, 3.0))
assert three[:1] == b"\\x80" and payloads.load(three)[0] == 3.0
try:
    payloads.dump(np.ones(40 * MIB // 8))
except NoRoom as error:
    assert error.needed == 40 * MIB and len(error.places) == 2, error.places
    assert [free <= 4 * MIB for _, free, _ in error.places] == [True, True]
else:
    raise AssertionError("there was room for 40 MiB")
payloads.release(one)
payloads.release(two)
assert payloads.dump(np.ones(6 * MIB // 8))[:1] == b"\\x01"

storage = Storage(memory, run, "h4.broker", disk)
def do(action):
    return storage.do(action, lambda peer, frame, data: None)
name = "h1.1-1"
assert do(files.Begin(name, 5 * MIB)) is None
for offset in range(0, 5 * MIB, MIB):
    assert do(files.Write(name, offset, b"x" * MIB)) is None
assert do(files.Finish(name)) == files.Stored(name)
assert files_of(disk) == [name] and storage.size_of(name) == 5 * MIB
assert storage.read(name, 5 * MIB - 2, 5) == (5 * MIB, b"xx")
failed = do(files.Begin("h1.1-2", 30 * MIB))
assert type(failed) is files.Unwritable, failed
assert memory in failed.why and disk in failed.why and "31,457,280 bytes" in failed.why, failed.why
do(files.Remove([name]))
assert files_of(disk) == []
print("fine")
"""


def private_mounts() -> list[str]:
    """The command behind which file systems can be mounted."""
    for words in (["unshare", "-m"], ["unshare", "-rm"]):
        try:
            if subprocess.run([*words, "true"], capture_output=True).returncode == 0:
                return words
        except OSError:
            break
    pytest.skip("it takes unshare(1) and the right to mount a file system")


@pytest.mark.once
def test_small_file_systems(tmp_path: Path) -> None:
    words: list[Any] = private_mounts()
    places = [tmp_path / name for name in ("memory", "disk", "run")]
    for place in places:
        place.mkdir()
    mount = 'mount -t tmpfs -o size=8m tmpfs "$1" && mount -t tmpfs -o size=10m tmpfs "$2" && exec "$0" -c "$4" "$@"'
    script = mount.replace('"$@"', '"$1" "$2" "$3"')
    done = subprocess.run(
        [*words, "sh", "-c", script, sys.executable, *map(str, places), SMALL],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("fine\n", 0), done.stderr
