"""Where hosts come to: real sockets. Strangers are no trouble, and nothing is left."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedfutures.host.invitation import WELCOME, Invitation
from fedfutures.host.secure_line import SecureLine
from fedfutures_launcher.launchers import meeting as module
from fedfutures_launcher.launchers.meeting import VISITORS_AT_MOST, Meeting, new_place

SECONDS = 5.0


@pytest.fixture
def meeting(tmp_path: Path) -> Iterator[Meeting]:
    descriptors = len(os.listdir("/proc/self/fd"))
    with Meeting(str(tmp_path / "new" / "folder" / "meeting")) as made:
        yield made
    assert not os.listdir(tmp_path / "new" / "folder")
    assert len(os.listdir("/proc/self/fd")) == descriptors


class Caller:
    """Somebody who has read the file."""

    def __init__(self, meeting: Meeting) -> None:
        self.meeting, self.invitation = meeting, Invitation.read(str(meeting.path))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=self.invitation.certificate)
        self.line = SecureLine(dialled(self.invitation), context, listens=False)

    def say(self, secret: str) -> tuple[SecureLine | None, bytes]:
        """Say a secret; return the line that the meeting gives, and its answer."""
        deadline = time.monotonic() + SECONDS
        found, said, answer = None, False, b""
        while not self.line.ended and not answer and time.monotonic() < deadline:
            found = self.meeting.wait(0.01)[0] or found
            answer = self.line.receive()
            if self.line.shaken and not said:
                self.line.send(secret.encode())
                said = True
        return found, answer


def dialled(invitation: Invitation) -> socket.socket:
    return socket.create_connection(("127.0.0.1", invitation.port), SECONDS)


def comes(meeting: Meeting) -> bool:
    """Whether the host can come."""
    caller = Caller(meeting)
    found, answer = caller.say(caller.invitation.secret)
    caller.line.close()
    if found is not None:
        found.close()
    return (found is not None, answer) == (True, WELCOME)


def test_the_file_is_this_users_alone_and_has_no_key(meeting: Meeting) -> None:
    assert meeting.path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(meeting.path.parent) == ["meeting"], "and no draft"
    assert "PRIVATE" not in meeting.path.read_text()
    invitation = Invitation.read(str(meeting.path))
    assert len(invitation.secret) == 64
    assert socket.gethostname() in invitation.names


def test_who_knows_the_secret_comes(meeting: Meeting) -> None:
    assert comes(meeting)


@pytest.mark.parametrize(
    "change", [lambda secret: secret[:-1] + "x", lambda secret: secret + "0", lambda secret: "x" * 64]
)
def test_the_wrong_secret_closes_and_the_right_one_still_counts(meeting: Meeting, change) -> None:  # type: ignore[no-untyped-def]
    caller = Caller(meeting)
    assert caller.say(change(caller.invitation.secret)) == (None, b"")
    assert caller.line.ended
    caller.line.close()
    assert comes(meeting)


def test_the_secret_may_come_in_parts(meeting: Meeting) -> None:
    caller = Caller(meeting)
    first, second = caller.invitation.secret[:10], caller.invitation.secret[10:]
    deadline = time.monotonic() + SECONDS
    while not caller.line.shaken and time.monotonic() < deadline:
        caller.line.receive()
        meeting.wait(0.01)
    caller.line.send(first.encode())
    for _ in range(5):
        assert meeting.wait(0.01)[0] is None
    found, answer = caller.say(second)
    assert (found is not None, answer) == (True, WELCOME)
    caller.line.close()
    if found is not None:
        found.close()


def test_many_who_say_nothing_do_not_keep_the_host_away(meeting: Meeting) -> None:
    invitation = Invitation.read(str(meeting.path))
    silent = []
    for _ in range(3 * VISITORS_AT_MOST):
        silent.append(dialled(invitation))
        meeting.wait(0.0)
    assert len(os.listdir("/proc/self/fd")) < 100 + 5 * VISITORS_AT_MOST
    assert comes(meeting)
    for one in silent:
        one.close()


def test_who_says_nothing_is_sent_away(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VISITOR_SECONDS", 0.05)
    with dialled(Invitation.read(str(meeting.path))) as silent:
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            meeting.wait(0.05)
        silent.settimeout(SECONDS)
        assert silent.recv(10) == b""


def test_what_the_host_writes_behind_the_invitation_is_heard(meeting: Meeting) -> None:
    assert meeting.words() == b""
    with open(meeting.path, "a") as file:
        file.write("no way")
    assert meeting.words() == b"no way"
    meeting.close()
    assert meeting.words() == b""


def test_others_that_can_be_read_are_named(meeting: Meeting) -> None:
    read, write = os.pipe()
    assert meeting.wait(0.0, read) == (None, [])
    os.close(write)
    assert meeting.wait(SECONDS, read) == (None, [read])
    os.close(read)


def test_what_a_killed_connector_has_left_is_removed_in_the_end(tmp_path: Path) -> None:
    for name, age in (("meeting-1", 2), (".meeting-2", 2), ("meeting-3", 0.5), ("other", 2)):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (time.time() - age * module.OLD_SECONDS,) * 2)
    with Meeting(str(tmp_path / "meeting-4")):
        assert sorted(os.listdir(tmp_path)) == ["meeting-3", "meeting-4", "other"]
    assert sorted(os.listdir(tmp_path)) == ["meeting-3", "other"]


def test_a_folder_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    descriptors = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="file"):
        Meeting(str(tmp_path / "file" / "meeting"))
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_no_two_files_have_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert new_place() != new_place()
    assert new_place().startswith("~/.cache/fedfutures/meeting-")
