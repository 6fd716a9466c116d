"""A keeper's line to its connector: what it knows of hosts, and another connector when one has died."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedfutures.host import starting
from fedfutures.standing.connector_line import ConnectorLine
from fedfutures.wire.control import ControlFrame, Notice

pytestmark = pytest.mark.host
CONNECTOR = """
import os, sys
from fedfutures.wire.control import BeginRun, KeepNote, Notice, RunPlanned, EndRun
from fedfutures.wire.framing import FrameReader, pack

def say(frame): os.write(1, pack(frame))

def main():
    reader, first = FrameReader(), None
    while data := os.read(0, 1 << 16):
        for frame in reader.feed(data):
            if isinstance(frame, EndRun):
                raise SystemExit
            notes = frame.request["notes"]
            say(Notice(f"{os.getpid()} has {sorted(notes)}"))
            say(KeepNote("facts", {"a": {}, "b": {}}))
            say(KeepNote("slots", {"here": 1, "a": 2, "b": 3, "c": 4}))
            say(KeepNote("late c", {"name": "c"}))
            say(KeepNote("host c", {"directory": "/c", "away": True}))
            say(RunPlanned({}, []))
            say(KeepNote("host a", {"directory": "/a"}))
            say(KeepNote("host b", {"gone": True}))

if __name__ == "__main__":
    main()
"""


class Keeper:
    """Who has the line."""

    def __init__(self, directory: Path) -> None:
        self.poller = select.poll()
        self.shown: list[str] = []
        self.news = 0
        self.line = ConnectorLine({"hosts": [{"name": "a"}]}, str(directory), {}, self.poller, self.on_note, self.show)

    def on_note(self) -> None:
        self.news += 1

    def show(self, frame: ControlFrame) -> None:
        assert isinstance(frame, Notice)
        self.shown.append(frame.text)

    def until(self, count: int) -> None:
        """Serve until so many connectors have said all."""
        deadline = time.monotonic() + 20
        while len(self.shown) < count or not self.line.is_settled or self.news < 6 * count:
            assert time.monotonic() < deadline
            for descriptor, events in self.poller.poll(20):
                self.line.serve(descriptor, events)
            self.line.tick(time.monotonic())


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeper]:
    (tmp_path / "saying_connector.py").write_text(CONNECTOR)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
    monkeypatch.setattr(starting, "keeper_connector_module", "saying_connector")
    made = Keeper(tmp_path)
    yield made
    made.line.end()
    made.line.wait(5.0)
    while os.waitstatus_to_exitcode(os.wait()[1]):
        pass


def test_it_knows_the_slots_of_hosts_that_are_there(keeper: Keeper) -> None:
    keeper.until(1)
    assert keeper.line.slots == {"here": 1, "a": 2}
    assert keeper.line.away == ["c"]
    assert keeper.line.request == {"hosts": [{"name": "a"}, {"name": "c"}]}
    assert keeper.line.next_deadline() is None


def test_another_one_has_the_notes_of_one_that_was_killed(keeper: Keeper) -> None:
    keeper.until(1)
    os.kill(int(keeper.shown[0].split()[0]), signal.SIGKILL)
    keeper.until(2)
    assert keeper.shown[0].endswith("has []")
    assert keeper.shown[1].endswith("has ['facts', 'host a', 'host b', 'host c', 'late c', 'slots']")
