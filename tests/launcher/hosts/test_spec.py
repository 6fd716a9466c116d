"""An option of hosts is declared once: in ``fedfutures.Hosts``. All else is made of that."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from fedfutures import Hosts
from fedfutures_launcher.cli.options import options_parser, parse
from fedfutures_launcher.hosts.hostfile import from_hostfile
from fedfutures_launcher.hosts.spec import OPTIONS, HostSpec, completed, is_said, spec_from

ROOT = Path(__file__).parents[3]
PRODUCT = [*(ROOT / "fedfutures").rglob("*.py"), *(ROOT / "launcher").rglob("*.py")]
OF_ONE_WORD = ["ssh_executable", "host_key_policy", "min_hosts", "require_all", "allow_root"]
"""Options whose names nothing else has."""


def files_that_name(option: str) -> set[str]:
    """The files in which it is an attribute, an argument or a text."""
    found = set()
    for path in PRODUCT:
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if option in text else ():
            names = {getattr(node, "attr", None), getattr(node, "arg", None), getattr(node, "value", None)}
            names.add(node.target.id if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else None)
            if option in {name for name in names if isinstance(name, str)}:
                found.add(str(path.relative_to(ROOT)))
    return found


@pytest.mark.parametrize("option", OF_ONE_WORD)
def test_an_option_passes_three_files_at_most(option: str) -> None:
    arguments_of_that_name = {"launcher/ssh/paramiko_client.py", "launcher/ssh/openssh_client.py"}
    there = files_that_name(option) - arguments_of_that_name
    assert "fedfutures/host/hosts.py" in there
    assert len(there) <= 3, there


@pytest.mark.parametrize("item", fields(Hosts), ids=lambda item: item.name)
def test_each_field_has_flags_and_a_text(item: Any) -> None:
    _, known = options_parser()
    (action,) = [action for action in known if action.dest == item.name]
    assert tuple(action.option_strings) == item.metadata["flags"]
    assert action.help
    assert list(action.default) == list(item.default) if item.default == () else action.default == item.default
    assert item.name in (Hosts.__doc__ or "")


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_what_may_be_said_of_one_host_goes_all_the_way(name: str) -> None:
    """From a line of a host file, and from the command line, to the host that it holds for."""
    flag = OPTIONS[name].metadata["flags"][-1]
    word = {"int | None": "5", "bool": "yes", "int | str | None": "2G"}.get(OPTIONS[name].type, "/some")
    (alone,) = from_hostfile(f"a {flag.strip('-')}={word}\n", "file")
    (other,) = from_hostfile("a\n", "file")
    options = parse([flag, *([] if word == "yes" else [word]), "prog.py"]).hosts
    said = getattr(completed(alone, Hosts()).options, name)
    assert said == getattr(completed(other, options).options, name)
    assert said not in (None, False, [], ())


def test_what_is_said_of_one_host_goes_before() -> None:
    spec = HostSpec("a", options=Hosts(nice=0, path="/own", pythonpath=["/own"]))
    found = completed(spec, Hosts(["a"], nice=7, path="/all", python="/py", pythonpath=("/all",), min_hosts=3)).options
    assert (found.nice, found.path, found.python, found.pythonpath) == (0, "/own", "/py", ["/own", "/all"])
    assert (found.names, found.min_hosts) == ((), None)  # these are the run's


def test_a_number_says_something_even_if_it_is_zero() -> None:
    assert is_said(0)
    assert not any(map(is_said, (None, "", False, (), [])))


def test_two_spellings_of_one_place() -> None:
    assert HostSpec("Node7.", "ann", 22).place == HostSpec("node7", "ann", 22).place == "ann@node7:22"
    assert HostSpec("::1", None, 22).word == "[::1]:22"
    assert spec_from({"host": "a", "options": {"nice": 3}}) == HostSpec("a", options=Hosts(nice=3))
