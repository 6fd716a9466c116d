"""``fedfutures join``: its command line. What it does is in tests/hosts/test_coming_hosts.py."""

from __future__ import annotations

import os
import signal

import pytest

from fedfutures_launcher.verbs.join import main


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["login"], 2, "login names no standing Federation of another machine; write [user@]host:NAME"),
        (["a b:lab"], 2, "is no host name"),
        (["login:lab", "-n", "many"], 2, "many is not a number from 1 to"),
        (["login:lab", "--hosts", "a"], 2, "--hosts"),
        ([], 2, "HOST:NAME"),
        (["nowhere.invalid:lab"], 3, "no address is known for this name"),
    ],
)
def test_bad_input(words: list[str], code: int, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        found = main([*words, "--allow-root", "--ssh-config", os.devnull][: 4 if words else 0])
    except SystemExit as end:
        found = int(end.code or 0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, "nothing of it is left"
    err = capsys.readouterr().err
    assert (found, why in err) == (code, True), err
