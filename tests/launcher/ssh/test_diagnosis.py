"""What OpenSSH clients say, and what it means."""

from __future__ import annotations

import pytest

from fedfutures_launcher.ssh.diagnosis import OWN, diagnose
from fedfutures_launcher.ssh.texts.failures import Place

PLACE = Place("h1", "10.0.0.1", 2222, "ann")
DOOR, MIDDLE = Place("door", "10.0.0.9"), Place("middle", "10.0.0.8")
ANSWERED = "debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2p1\n"
KEY = "debug1: Server host key: ssh-ed25519 SHA256:abc\n"
ECHO = "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535\n"
DROPPED = "kex_exchange_identification: read: Connection reset by peer\nConnection reset by 10.0.0.9 port 22\n"
DENIED = "ann@h1: Permission denied (publickey).\n"
OFFERED = "debug1: Offering public key: /k/one ED25519 SHA256:x explicit\n"
ACCEPTED = "debug1: Server accepts key: /k/a key ED25519 SHA256:x"
CHANGED = (
    "Offending ED25519 key in /home/a b/known_hosts:12\nHost key for [10.0.0.1]:2222 has changed and you have ...\n"
)
LET_IN = 'Authenticated to door ([10.0.0.9]:22) using "publickey".\n'


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("ssh: Could not resolve hostname h1: Name or service not known\n", "unresolved name", ""),
        ("ssh: connect to host 10.0.0.1 port 2222: Connection refused\n", "refused", "10.0.0.1 port 2222"),
        ("ssh: connect to host 10.0.0.1 port 2222: Connection timed out\n", "timeout", "9 s"),
        ("ssh: connect to host 10.0.0.1 port 2222: No route to host\n", "unreachable", "No route to host"),
        ("Connection timed out during banner exchange\n", "no banner", ""),
        (ANSWERED + KEY + "No ED25519 host key is known for h1 and you have requested strict checking.\n",
         "host key unknown", "ssh-ed25519 key SHA256:abc"),
        (ANSWERED + KEY + CHANGED, "host key changed", "/home/a b/known_hosts:12"),
        (ANSWERED + OFFERED + DENIED, "authentication failed", "/k/one"),
        (ANSWERED + DENIED, "authentication failed", "no key"),
        (ANSWERED + ACCEPTED + " explicit\n" + DENIED, "key encrypted", "/k/a key"),
        (ANSWERED + ACCEPTED + " agent\n" + DENIED, "authentication failed", ""),
        (ANSWERED + "Unable to negotiate with 10.0.0.1: no matching cipher found.\n", "protocol", "no matching cipher"),
        ("/x/config: line 3: Bad configuration option: foo\n", "ssh config", "line 3"),
        ("", "protocol", "it said nothing"),
    ],
)  # fmt: skip
def test_what_went_wrong(text: str, kind: str, said: str) -> None:
    failure = diagnose(text.replace("\n", "\r\n"), PLACE, [], 9.0, timed_out=False)
    assert failure is not None
    assert failure.kind == kind
    assert said in failure.text
    assert failure.text.startswith("h1")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("debug1: Connecting to 10.0.0.1 [10.0.0.1] port 22.\n", "timeout"),
        ("debug1: Connection established.\n", "no banner"),
        ("debug1: Connection established.\n" + ANSWERED, "timeout"),
    ],
)
def test_time_is_over(text: str, kind: str) -> None:
    failure = diagnose(text, PLACE, [], 9.0, timed_out=True)
    assert failure is not None
    assert failure.kind == kind


@pytest.mark.parametrize(
    ("text", "hops"),
    [
        (DROPPED, []),
        ("Exceeded MaxStartups\n", []),
        (ANSWERED + "Connection closed by 10.0.0.1 port 2222\n", []),
        (DROPPED + ECHO, [DOOR]),
        (LET_IN + ECHO, [DOOR]),
        (DROPPED + ECHO + ECHO, [DOOR, MIDDLE]),
    ],
)
def test_dropped(text: str, hops: list[Place]) -> None:
    assert diagnose(text, PLACE, hops, 9.0, timed_out=False) is None


@pytest.mark.parametrize(
    ("text", "hops", "said"),
    [
        ("ssh: connect to host 10.0.0.9 port 22: Connection refused\n" + ECHO, [DOOR], "h1: its jump host door failed"),
        ("a@10.0.0.9: Permission denied (publickey).\n" + ECHO * 2, [DOOR, MIDDLE], "h1: its jump host door failed"),
        (LET_IN + "a@10.0.0.8: Permission denied (publickey).\n" + ECHO, [DOOR, MIDDLE], "its jump host middle failed"),
        ("usage: ssh [-46AaCfGgKkMNnqsTtVvXxYy]\n" + ECHO, [DOOR], "its jump host door failed"),
    ],
)
def test_which_host_is_to_blame(text: str, hops: list[Place], said: str) -> None:
    failure = diagnose(text, PLACE, hops, 9.0, timed_out=False)
    assert failure is not None
    assert failure.kind == "jump host failed"
    assert said in failure.text


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("connect failed: Connection refused", "refused"),
        ("connect failed: Name or service not known", "unresolved name"),
        ("connect failed: Connection timed out", "timeout"),
        ("administratively prohibited: open failed", "not let through"),
    ],
)
def test_the_last_jump_host_cannot_reach_it(words: str, kind: str) -> None:
    text = f"{LET_IN}channel 0: open failed: {words}\nstdio forwarding failed\n{ECHO}"
    failure = diagnose(text, PLACE, [DOOR], 9.0, timed_out=False)
    assert failure is not None
    assert (failure.kind, failure.text[:2]) == (kind, "h1")


def test_own_lines() -> None:
    found = OWN.search(b"of the command: debug1: channel 0: free\r\n")
    assert found is not None
    assert found.start() == len(b"of the command: ")
    assert OWN.search(b"debug1: of the command\n") is None
    assert OWN.search(b"of the command\r\n") is None
