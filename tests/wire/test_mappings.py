"""Private maps of segments: what was not written to is known by its segment; without room they are read-only."""

from __future__ import annotations

import errno
import gc
import mmap
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from fedfutures.wire import mappings as module
from fedfutures.wire.mappings import Mappings
from fedfutures.wire.segments import Segments

SIZE = 5 * mmap.PAGESIZE


@pytest.fixture
def segments(tmp_path: Path) -> Segments:
    return Segments(str(tmp_path), "ours")


def never(name: str, buffer: memoryview) -> bool:
    raise AssertionError("the kernel knows")


def test_the_whole_of_a_map_is_known_until_it_is_written_to(segments: Segments) -> None:
    maps = Mappings()
    name = segments.write(bytes(SIZE))
    view = maps.add(name, segments.map(name, private=True))
    other = maps.add(name, segments.map(name, private=True))
    found = maps.unwritten(view, never)
    assert found is not None
    assert found.name == name
    assert maps.find(view[1:]) is maps.find(view[:-1]) is maps.find(memoryview(bytes(SIZE))) is None
    view[3] = 1
    assert maps.unwritten(view, never) is None
    assert other[3] == 0
    assert maps.unwritten(other, never) is not None


def test_a_map_that_is_gone_is_forgotten(segments: Segments) -> None:
    maps = Mappings()
    name = segments.write(bytes(SIZE))
    view = maps.add(name, segments.map(name, private=True))
    del view
    gc.collect()
    assert len(maps) == 0
    again = maps.add(name, segments.map(name, private=True))  # mostly at the same address
    assert maps.find(again) is not None


@pytest.mark.parametrize("change", [False, True])
def test_where_the_kernel_does_not_say(segments: Segments, monkeypatch: pytest.MonkeyPatch, change: bool) -> None:
    monkeypatch.setattr(module, "is_written", lambda address, size: None)
    maps = Mappings()
    name = segments.write(bytes(SIZE))
    view = maps.add(name, segments.map(name, private=True))
    view[0] = 1 if change else 0
    assert (maps.unwritten(view, segments.holds) is None) is change
    segments.remove(name)
    assert maps.unwritten(view, segments.holds) is None


LIMITED = """
    import resource, sys
    from fedfutures.wire.mappings import Mappings
    from fedfutures.wire.segments import Segments
    segments = Segments(sys.argv[1], sys.argv[4])
    name = segments.write(bytes(64 << 20))
    limit = getattr(resource, sys.argv[2])
    resource.setrlimit(limit, (int(sys.argv[3]), -1))
    for _ in range(2):
        mapped = segments.map(name, private=True)
        print(mapped[5], memoryview(mapped).readonly)
"""


def limited(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(LIMITED), str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts private maps on Linux")
def test_without_room_for_writing_maps_are_read_only_and_that_is_said_once(tmp_path: Path) -> None:
    for worker, said in (("h.1", 1), ("h.2", 0)):  # once on a host, whoever is the first
        ended = limited(tmp_path, "RLIMIT_DATA", "30000000", worker)
        assert ended.stdout == "0 True\n0 True\n"
        lines = ended.stderr.splitlines()
        assert len(lines) == said
        if said:
            assert lines[0].startswith(f"fedfutures: h.1 on {os.uname().nodename} may not have 67,108,864 bytes more")
            assert "large values on this host are read-only" in lines[0]
            assert "ulimit -d" in lines[0]


def test_without_any_room_the_error_says_so(tmp_path: Path) -> None:
    ended = limited(tmp_path, "RLIMIT_AS", "60000000", "h.1")
    assert ended.stdout == ""
    assert ended.stderr.splitlines()[-1] == (
        f"MemoryError: h.1 on {os.uname().nodename} has no room in its address space for a value of 67,108,864 bytes: "
        "ulimit -v (RLIMIT_AS) says how much it may have"
    )


def test_other_errors_are_not_hidden(segments: Segments, monkeypatch: pytest.MonkeyPatch) -> None:
    name = segments.write(bytes(SIZE))

    def fail(*arguments: Any, **more: Any) -> None:
        raise OSError(errno.EPERM, "not permitted")

    monkeypatch.setattr(mmap, "mmap", fail)
    with pytest.raises(PermissionError):
        segments.map(name, private=True)
