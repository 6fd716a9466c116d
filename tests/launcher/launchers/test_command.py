"""A launcher that is a command of the user's."""

from __future__ import annotations

import pytest

from fedfutures_launcher.launchers.command import Command


def test_the_host_stands_where_the_command_says_or_last_but_one() -> None:
    assert Command("run --on={host} --").words("n1", "c d", {}) == ["run", "--on=n1", "--", "c d"]
    assert Command("/opt/run 'a b'").words("n1", "c", {}) == ["/opt/run", "a b", "n1", "c"]
    assert (Command("/opt/run 'a b'").name, Command("/opt/run").executable) == ("run", "/opt/run")
    assert Command("/opt/run 'a b'").by_hand("n1") == "/opt/run 'a b' n1"


@pytest.mark.parametrize("text", ["", "  ", "'"])
def test_what_is_no_command(text: str) -> None:
    with pytest.raises(ValueError, match="launcher"):
        Command(text)
