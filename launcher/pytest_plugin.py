"""The options of pytest: ``--fed 8`` and ``--fed-hosts``.

Each run of pytest loads this module, so it imports no other until one of them is given.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fedfutures.host.hosts import Hosts

_PATH = [os.path.abspath(place) for place in sys.path]
"""``sys.path`` before pytest has put the directories of tests there."""
_HERE_ALONE = ("collectonly", "setuponly", "setupplan", "setupshow", "showfixtures", "show_fixtures_per_test")
"""Options with which nothing is run in Workers."""


class ElsewhereAction(argparse.Action):
    """Store an option, and tell plug-ins that measure (pytest-cov) that the tests run in other processes.

    They look for that before any hook of this plug-in is called, at the option of pytest-xdist.
    """

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        setattr(namespace, self.dest, values)
        namespace.dist = "fed"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("fedfutures", "tests in Workers (fedfutures)")
    group.addoption(
        "--fed", action=ElsewhereAction, metavar="N", default=None, type=_number,
        help="run the tests in N Workers; auto: one for each processor",
    )  # fmt: skip
    group.addoption(
        "--fed-hosts", action=ElsewhereAction, metavar="HOST", nargs="+", default=None,
        help="run the tests in Workers of these hosts, as ssh takes them; write them last, or as --fed-hosts=h1,h2",
    )  # fmt: skip
    group.addoption(
        "--fed-options", action=ElsewhereAction, metavar="OPTIONS", default=None,
        help="options of hosts in one word, as 'python -m fedfutures --help' has them: --fed-options='--hostfile f'",
    )  # fmt: skip


def _number(text: str) -> int:
    """Return how many Workers a text means; 0: auto."""
    if text != "auto" and not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of Workers: write one from 1 on, or auto")
    return 0 if text == "auto" else int(text)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Have the tests run in Workers, if that is wanted. Raises UsageError for what does not go together."""
    option = config.option
    if getattr(option, "dist", None) == "fed":
        option.dist = "no"  # pytest-xdist's own processes are not wanted
    is_elsewhere = any(given is not None for given in (option.fed, option.fed_hosts, option.fed_options))
    if not is_elsewhere or hasattr(config, "workerinput") or any(getattr(option, name, False) for name in _HERE_ALONE):
        return
    if option.usepdb or getattr(option, "trace", False):
        raise pytest.UsageError("--pdb and --trace debug tests in this process: leave out --fed and --fed-hosts")
    if getattr(option, "numprocesses", None):
        raise pytest.UsageError("both --fed and -n of pytest-xdist run tests in other processes: choose one")
    from fedfutures.pytest.distribution import Distribution

    hosts = _hosts(option.fed_hosts or (), option.fed_options or "")
    config.pluginmanager.register(Distribution(config, option.fed or None, hosts, _PATH, __name__), "fedfutures-run")


def _hosts(words: Sequence[str], options: str) -> Hosts | None:
    """Return the hosts that are to have Workers; None: this machine alone."""
    names = [name for word in words for name in word.split(",")]
    for name in names:
        if os.path.exists(name) or "/" in name or "::" in name:
            raise pytest.UsageError(f"--fed-hosts takes {name!r} as a host: write the hosts last, or --fed-hosts=h1,h2")
    if not names and not options:
        return None
    from .arguments.parser import Parser
    from .verbs.standing import add_host_options, hosts_of

    parser = Parser(prog="python -m fedfutures", add_help=False)
    add_host_options(parser, "hosts")
    return hosts_of(parser.parse_args([*(["--hosts", *names] if names else []), *shlex.split(options)]))


@pytest.fixture(scope="session")
def worker_id(request: pytest.FixtureRequest) -> str:
    """The name of the process that runs the test, as in pytest-xdist: ``gw0``...; or "master", the only one."""
    return str(getattr(request.config, "workerinput", {}).get("workerid", "master"))


@pytest.fixture(scope="session")
def testrun_uid(request: pytest.FixtureRequest) -> str:
    """What all processes of a run have in common, and no other run, as in pytest-xdist."""
    return str(getattr(request.config, "workerinput", {}).get("testrunuid", os.getpid()))
