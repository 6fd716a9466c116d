"""Memory that is made to be passed on: whoever gets it sees what was passed, whatever is written afterwards."""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from fedfutures.errors import NotSupportedHere
from fedfutures.host.system import shared_memory_base
from fedfutures.wire import pages
from fedfutures.wire.payload import Payloads
from fedfutures.wire.seal import Seal
from fedfutures.wire.segments import SHARED_FROM_BYTES, Segments
from fedfutures.worker.blocks import Blocks, array_of

SIZE = 3 * mmap.PAGESIZE + 5
MUCH = SHARED_FROM_BYTES // 8


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory on the memory file system."""
    path = tempfile.mkdtemp(prefix="blocks-", dir=shared_memory_base())
    yield Path(path)
    shutil.rmtree(path)


@pytest.fixture(params=["pagemap", "compared"])
def told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How is it told what was written."""
    if request.param == "compared":
        monkeypatch.setattr(pages, "pagemap_tells", lambda: False)


class Two:
    """A process that has blocks, and one that gets them."""

    def __init__(self, place: Path) -> None:
        self.ours, self.theirs = Segments(str(place), "ours-1"), Segments(str(place), "theirs-1")
        self.blocks = Blocks()

    def make(self, *, is_live: bool = False) -> memoryview:
        descriptor = self.ours.create(SIZE)
        assert descriptor is not None
        return memoryview(self.blocks.make(descriptor, SIZE, is_live=is_live))

    def share(self, memory: memoryview, *, alone: bool = False) -> str:
        name = self.blocks.name_of(memory, self.ours, alone=alone)
        assert name is not None
        return name

    def share_in_the_next_federation(self, memory: memoryview, place: Path) -> str:
        """The one before has ended, and took its directory along."""
        shutil.rmtree(place)
        place.mkdir()
        name = self.blocks.name_of(memory, Segments(str(place), "another-1"), alone=False)
        assert name is not None
        return name


@pytest.fixture
def two(place: Path) -> Two:
    return Two(place)


def inode(place: Path, name: str) -> int:
    return os.stat(place / name).st_ino


def test_what_was_passed_is_seen_whatever_is_written_then(two: Two, place: Path, told: None) -> None:
    memory = two.make()
    memory[:3] = b"one"
    name = two.share(memory)
    memory[:3] = b"two"
    assert two.theirs.map(name)[:4] == b"one\0"
    other = two.share(memory)
    memory[-1:] = b"x"
    assert two.theirs.map(other)[:] == b"two" + bytes(SIZE - 3)
    assert two.theirs.map(name)[:4] == b"one\0"
    assert inode(place, name) != inode(place, other)


def test_once_nobody_needs_it_the_same_file_is_written_to(two: Two, place: Path, told: None) -> None:
    memory, files = two.make(), set()
    for number in range(3):
        memory[:1] = bytes([number])
        names = {two.share(memory) for _ in range(5)}
        assert len(names) == 1, "another host fetches it once"
        (name,) = names
        files.add(inode(place, name))
        assert two.theirs.map(name)[0] == number
        two.ours.release([name] * 5, reuse=True)
        assert not (place / name).exists(), "nobody finds what is written to now"
        memory[1:2] = b"w"
        (kept,) = os.listdir(place)
        assert (place / kept).read_bytes()[1] == ord("w"), "it is not copied page by page"
    assert len(files) == 1
    assert len(os.listdir(place)) == 1


def test_what_was_written_meanwhile_stays(two: Two, told: None) -> None:
    memory = two.make()
    name = two.share(memory)
    memory[:3] = b"one"
    two.ours.release([name])
    assert memory[:3] == b"one"
    assert two.theirs.map(two.share(memory))[:3] == b"one"


def test_who_has_it_mapped_needs_it(two: Two, place: Path, told: None) -> None:
    memory = two.make()
    memory[:3] = b"one"
    name = two.share(memory)
    mapped = two.theirs.map(name, private=True)
    before = inode(place, name)
    two.ours.release([name])
    memory[:3] = b"two"
    assert mapped[:3] == b"one"
    assert inode(place, two.share(memory)) != before


def test_what_goes_to_one_alone_has_a_name_of_its_own(two: Two, place: Path) -> None:
    memory = two.make()
    names = {two.share(memory, alone=True) for _ in range(3)}
    assert len(names) == 3
    assert len({inode(place, name) for name in names}) == 1
    for name in names:
        two.theirs.remove(name)
    memory[:1] = b"x"
    assert two.theirs.map(two.share(memory, alone=True))[0] == ord("x")


def test_memory_that_is_gone_leaves_what_payloads_need(two: Two, place: Path) -> None:
    memory = two.make()
    memory[:1] = b"x"
    name = two.share(memory)
    memory.release()
    assert two.theirs.map(name)[0] == ord("x")
    two.ours.release([name])
    assert os.listdir(place) == []


def test_memory_that_was_passed_leaves_no_file(two: Two, place: Path) -> None:
    memory = two.make()
    two.ours.release([two.share(memory)])
    assert len(os.listdir(place)) == 1
    memory.release()
    assert os.listdir(place) == []


def test_a_part_is_copied(two: Two) -> None:
    memory = two.make()
    assert two.blocks.name_of(memory[1:], two.ours, alone=False) is None
    assert two.blocks.name_of(memory[:-1], two.ours, alone=False) is None


def test_processes_that_fork_write_to_memory_of_their_own(two: Two) -> None:
    memory = two.make()
    memory[:3] = b"one"
    go, wait = os.pipe()[::-1]
    two.blocks.part()
    child = os.fork()
    if not child:
        two.blocks.clear()
        os.read(wait, 1)
        right = memory[:3] == b"one" and two.blocks.name_of(memory, two.ours, alone=False) is None
        memory[:3] = b"two"
        os._exit(0 if right else 1)
    for value in (b"six", b"ten"):
        two.ours.release([two.share(memory)])
        memory[:3] = value
    name = two.share(memory)
    os.write(go, b"x")
    assert os.waitpid(child, 0)[1] == 0
    assert memory[:3] == two.theirs.map(name)[:3] == b"ten"
    os.close(go)
    os.close(wait)


def test_what_was_written_before_a_fork_stays(two: Two) -> None:
    memory = two.make()
    two.share(memory)
    memory[:3] = b"one"
    two.blocks.part()
    assert memory[:3] == b"one"


def test_a_federation_that_has_ended_took_its_directory_along(two: Two, place: Path) -> None:
    memory = two.make()
    memory[:3] = b"one"
    two.share(memory)
    name = two.share_in_the_next_federation(memory, place)
    assert two.theirs.map(name)[:3] == b"one"


def test_where_files_cannot_be_named_it_moves(two: Two, place: Path, tmp_path: Path) -> None:
    """Into a file of the other file system; pytest's directory may be on another one, or on the same."""
    memory = two.make()
    memory[:3] = b"one"
    there = Segments(str(tmp_path), "there-1")
    name = two.blocks.name_of(memory, there, alone=False)
    if name is not None:  # that file system has files without a name
        assert there.map(name)[:3] == b"one"
    assert memory[:3] == b"one"


class Given(NamedTuple):
    name: str
    value: bytes
    alone: bool


class Writes(RuleBasedStateMachine):
    """Whatever is written, passed, mapped and released in whatever order: each sees what was passed."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="blocks-", dir=shared_memory_base()))
        self.two = Two(self.place)
        self.memory: memoryview = self.two.make()
        self.model = bytearray(SIZE)
        self.given: list[Given] = []
        self.maps: list[tuple[mmap.mmap, bytes]] = []

    @rule(at=st.sampled_from([0, 1, mmap.PAGESIZE, SIZE - 1]), value=st.binary(min_size=1, max_size=1))
    def write(self, at: int, value: bytes) -> None:
        self.memory[at : at + 1] = self.model[at : at + 1] = value

    @rule(alone=st.booleans())
    def share(self, alone: bool) -> None:
        self.given.append(Given(self.two.share(self.memory, alone=alone), bytes(self.model), alone))
        self.look()

    @precondition(lambda self: self.given)
    @rule(data=st.data(), private=st.booleans())
    def map(self, data: st.DataObject, private: bool) -> None:
        given = data.draw(st.sampled_from(self.given))
        self.maps.append((self.two.theirs.map(given.name, private=private), given.value))

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        given = self.given.pop(data.draw(st.integers(0, len(self.given) - 1)))
        if given.alone:
            self.two.theirs.remove(given.name)
        else:
            self.two.ours.release([given.name], reuse=True)
        self.look()

    @precondition(lambda self: self.maps)
    @rule(data=st.data())
    def let_go(self, data: st.DataObject) -> None:
        del self.maps[data.draw(st.integers(0, len(self.maps) - 1))]

    @rule()
    def fork(self) -> None:
        self.two.blocks.part()

    @rule()
    def look(self) -> None:
        assert self.memory == self.model
        for given in self.given:
            assert self.two.theirs.map(given.name)[:] == given.value
        for mapped, value in self.maps:
            assert mapped[:] == value

    def teardown(self) -> None:
        self.look()
        for given in self.given:
            (self.two.theirs.remove if given.alone else lambda name: self.two.ours.release([name]))(given.name)
        self.maps.clear()
        self.memory.release()
        left = os.listdir(self.place)
        shutil.rmtree(self.place)
        assert left == []


TestWrites = Writes.TestCase


# -- live ----------------------------------------------------------------------------------------------------------


def test_all_who_get_live_memory_write_to_it(two: Two) -> None:
    memory = two.make(is_live=True)
    mapped = two.theirs.map_live(two.share(memory))
    alone = two.theirs.map_live(two.share(memory, alone=True))
    memory[0], mapped[1], alone[2] = 1, 2, 3
    assert memory[:3] == mapped[:3] == alone[:3] == b"\1\2\3"
    two.blocks.part()
    mapped[0] = 4
    assert memory[0] == 4


def test_live_memory_outlives_a_federation(two: Two, place: Path) -> None:
    memory = two.make(is_live=True)
    memory[0] = 1
    two.share(memory)
    name = two.share_in_the_next_federation(memory, place)
    two.theirs.map_live(name)[1] = 2
    assert memory[:2] == b"\1\2"


def test_a_copy_of_another_host_is_not_live(two: Two, place: Path) -> None:
    name = two.share(two.make(is_live=True))
    os.chmod(place / name, 0o400)
    with pytest.raises(NotSupportedHere, match="own host only"):
        two.theirs.map_live(name)


# -- arrays --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [(MUCH, float), ((4, MUCH), "f8"), ((MUCH, 2), [("a", "i4"), ("b", "i4")]), ((1, MUCH), "M8[s]")],
)
def test_an_array_is_passed_without_a_copy(place: Path, shape: Any, dtype: Any) -> None:
    ours = Segments(str(place), "ours-1")
    payloads, array = Payloads(ours), array_of(shape, dtype, ours)
    assert not array.view("u1").any()
    payload = payloads.dump(array)
    assert len(os.listdir(place)) == 1
    found = Payloads(Segments(str(place), "theirs-1")).load(payload)
    assert found.dtype == array.dtype
    assert found.shape == np.zeros(shape, dtype).shape
    found.view("u1")[...] = 7
    assert not array.view("u1").any()
    payloads.release(payload)


@pytest.mark.parametrize("shape", [0, (3, 0), 10, ()])
def test_small_arrays_are_ordinary(place: Path, shape: Any) -> None:
    array = array_of(shape, float, Segments(str(place), "ours-1"))
    assert array.base is None
    assert array.shape == np.zeros(shape).shape


def test_arrays_that_cannot_be(place: Path) -> None:
    ours = Segments(str(place), "ours-1")
    with pytest.raises(TypeError, match="Python objects"):
        array_of(MUCH, object, ours)
    with pytest.raises(ValueError, match="negative"):
        array_of(-1, float, ours)


def test_without_a_federation(place: Path) -> None:
    array = array_of((2, MUCH), float, None)
    array[1] = 1.0
    payloads = Payloads(Segments(str(place), "ours-1"))
    assert payloads.load(payloads.dump(array)).sum() == MUCH


def test_where_no_file_is_without_a_name(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Segments(str(place), "ours-1")
    monkeypatch.setattr(ours, "create", lambda size: None)
    assert array_of(MUCH, float, ours).base is None
    with pytest.raises(NotSupportedHere, match="O_TMPFILE"):
        array_of(3, float, ours, is_live=True)


def test_live_arrays_go_to_no_other_host(place: Path) -> None:
    ours = Segments(str(place), "ours-1")
    array = array_of(3, int, ours, is_live=True)
    with pytest.raises(NotSupportedHere, match="own host only"):
        Payloads(ours, Seal(bytes(32))).dump(array)
    near = Payloads(Segments(str(place), "theirs-1"))
    found = near.load(Payloads(ours).dump(array))
    found[1] = 5
    assert array.tolist() == [0, 5, 0]
    again = Payloads(ours).load(near.dump(found, alone=True), take=True)
    again[2] = 6
    assert array.tolist() == [0, 5, 6]
