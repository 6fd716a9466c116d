"""What else may help with a host that cannot be used."""

from __future__ import annotations

import pytest

from fedfutures_launcher.connector.hints import hinted, with_printed
from fedfutures_launcher.ssh.texts.failures import Failure

from ..ssh.configs import config
from .requests import request_of

__all__ = ["config"]


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
    assert failure.hints == ("the other hosts are logged in to as ann",)
    same = hinted(Failure("authentication failed", "", ""), request.hosts[0], request)
    assert same.hints == ()
    openssh = request_of("a", ssh_executable="ssh")
    assert hinted(Failure("authentication failed", "", ""), openssh.hosts[0], openssh).hints == ()


def test_what_was_printed_is_added_where_the_failure_does_not_tell_it() -> None:
    failure = Failure("no Python", "h: none was found; it said: c", "", "d")
    assert with_printed(failure, "").hints == ()
    assert with_printed(failure, " c \n\n d\n").hints == ()
    assert with_printed(failure, "a\nb\nmodule: not found\n\nc\n").hints == ("it printed: b / module: not found",)
