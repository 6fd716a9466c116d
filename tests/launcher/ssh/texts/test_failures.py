"""Each failure names the host, has a remedy, and is given the facts that its wording has fields for."""

from __future__ import annotations

import ast
import string
import subprocess
from pathlib import Path
from typing import Any

import pytest

import fedfutures_launcher
from fedfutures_launcher.ssh.known_hosts import Line
from fedfutures_launcher.ssh.texts import failures
from fedfutures_launcher.ssh.texts.failures import Failure, Place, Wording

WORDINGS = {name: row for name, row in vars(failures).items() if isinstance(row, Wording)}
ALWAYS = {"at", "detail", "ssh", "way", "run"}
PLACE = Place("h1", "10.0.0.1", 2222, "ann", "/c")
FACTS: dict[str, Any] = {
    "seconds": 3.0, "tries": 3, "cause": Failure("timeout", "door: no answer", "ssh door"),
    "line": Line("/known", 3, "@revoked", "h1", "ssh-ed25519", b""),
}  # fmt: skip


def fields(row: Wording) -> set[str]:
    """The facts that a wording takes, those aside that it always has."""
    found = [name for part in row[1:4] for _, name, _, _ in string.Formatter().parse(str(part)) if name]
    return {name.partition(".")[0] for name in found} - ALWAYS


@pytest.mark.parametrize("name", WORDINGS)
def test_a_wording(name: str) -> None:
    row = WORDINGS[name]
    failure = row(PLACE, "why", **{field: FACTS.get(field, "something") for field in fields(row)})
    assert failure.kind == row.kind
    assert failure.text.startswith("h1")
    assert failure.remedy
    assert "\n" not in failure.text + failure.remedy
    assert str(failure) == f"{failure.text}; try: {failure.remedy}"


def test_whoever_makes_a_failure_gives_all_of_its_facts() -> None:
    """A fact that is missing would show only when a host fails in that way."""
    made = set()
    for path in Path(fedfutures_launcher.__path__[0]).rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            function = getattr(call, "func", None)
            name = getattr(function, "attr", None) or getattr(function, "id", None)
            if isinstance(call, ast.Call) and name in WORDINGS:
                made.add(name)
                given = {word.arg for word in call.keywords} - ALWAYS
                assert given == fields(WORDINGS[name]) or None in given, (path, call.lineno, name)
    assert made == set(WORDINGS)


def test_what_is_not_known_is_not_said() -> None:
    assert failures.LOST("h1").text == "h1: the ssh connection was lost"
    assert failures.LOST("h1", "reset").text == "h1: the ssh connection was lost: reset"
    assert failures.UNREACHABLE(Place("h1")).text == "h1: no way leads to h1"
    assert failures.UNREACHABLE(PLACE, "no route").text == "h1: no way leads to 10.0.0.1 (no route)"
    assert failures.UNRESOLVED(Place("h1")).text == "h1: no address is known for this name"
    assert failures.UNRESOLVED(PLACE).text.endswith("for this name (its HostName is 10.0.0.1)")


@pytest.mark.parametrize(
    ("place", "where", "ssh"),
    [
        (Place("h1"), "", "ssh h1 true"),
        (Place("h1", "10.0.0.1"), " (10.0.0.1 port 22)", "ssh h1 true"),
        (Place("h1", "h1", 2222), " (h1 port 2222)", "ssh -p 2222 h1 true"),
        (Place("h 1", user="ann", config_file="/c d"), "", "ssh -F '/c d' 'ann@h 1' true"),
    ],
)
def test_places(place: Place, where: str, ssh: str) -> None:
    assert (place.where, place.ssh) == (where, ssh)
    assert place.ssh_v == ssh.replace("ssh", "ssh -v", 1)
    assert place.ssh_copy_id == ssh.replace("ssh", "ssh-copy-id", 1).removesuffix(" true")


def test_keys_of_hosts() -> None:
    assert failures.host_key_unknown(PLACE, "", "").text.endswith("it shows the host key")
    assert failures.host_key_unknown(PLACE, "ed25519", "SHA256:x").text.endswith("it shows the ed25519 key SHA256:x")
    changed = failures.host_key_changed(PLACE, "[h1]:2222", "/a b:3", "ed25519", "")
    assert "shows another ed25519 key, which is not the one in /a b:3" in changed.text
    assert changed.remedy == "ssh-keygen -R '[h1]:2222' -f '/a b'"
    assert failures.host_key_changed(PLACE, "h1", "", "", "").remedy == "ssh-keygen -R h1"


def test_plain_commands_need_no_shell_of_a_launcher() -> None:
    srun = f"srun -w h1{failures.IN_A_SHELL}"
    assert failures.LOST("h1", ssh=srun, way="srun").remedy == "srun -w h1 uptime"
    python = failures.OTHER_PYTHON("h1", ssh=srun, executable="/py", theirs="3.10", ours="3.11", minor="3.11")
    assert python.remedy == """srun -w h1 sh -c 'eval "$*"' - command -v python3.11"""
    ls = failures.NO_PYTHON("h1", ssh=f"env{failures.IN_A_SHELL}", tried="python3").remedy
    assert subprocess.run(ls, shell=True, capture_output=True, timeout=10).stdout, "a shell has read the patterns"


def test_a_prolog_keeps_its_tilde() -> None:
    assert failures.prolog_missing("h1", "~/e v").remedy == "ssh h1 'cat > ~/'\"'\"'e v'\"'\"'' < ~/'e v'"


def test_what_a_host_said_last() -> None:
    early = failures.ended_early("h1", "one\n\n two \n", "greeting")
    assert early.text == "h1: the command on that host ended before it was ready; it said: one / two"
    assert early.detail == "one\n two "
    assert failures.ended_early("h1", "", "greeting").text.endswith("it said: greeting")
    assert failures.ended_early("h1", "").text.endswith("was ready without a word")
