"""SCOOP's own command line, said in the words of ``python -m fedfutures``. Pure."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Sequence


def translated(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words of ``python -m fedfutures`` that do the same, and what is to be said of those without effect.

    Exits with code 2 for what SCOOP does not take.

    >>> translated(["--host", "a", "b", "-p", "/data", "--rsh", "-n", "4", "prog.py", "-x"])[0]
    ['--hosts', 'a', 'b', '--path', '/data', '-n', '4', '--launcher', 'rsh', '--as', 'scoop', 'prog.py', '-x']
    """
    given = parser().parse_args(list(words))
    hosts, program = list(given.hosts or ()), [word for word in (given.executable, *given.args) if word is not None]
    if not program:
        hosts, program = _cut(hosts)
    found = ["--hosts", *hosts] if hosts else []
    for flag, value in (
        ("--hostfile", given.hostfile), ("--path", given.path), ("--nice", given.nice), ("-n", given.n),
        ("--external-hostname", given.external_hostname), ("--python-interpreter", given.python_interpreter),
        ("--prolog", given.prolog), ("--ssh-executable", given.client),
    ):  # fmt: skip
        if value is not None:
            found += [flag, str(value)]
    for place in filter(None, (given.pythonpath or "").split(os.pathsep)):
        found += ["--pythonpath", place]
    if given.b is not None and given.b > 1:
        found += ["-b", str(math.ceil(given.b / max(1, len(set(hosts)))))]
    found += ["--launcher", "rsh"] if given.rsh else []
    found += ["-v"] * given.verbose
    found += ["-q"] if given.quiet else []
    found += [flag for flag, said in (("--tunnel", given.tunnel), ("--debug", given.debug)) if said]
    found += ["--profile", "profile"] if given.profile else []
    notes = ["--backend has no effect: all messages go through ZeroMQ"] if given.backend else []
    return [*found, "--as", "scoop", *program], notes


def _cut(words: list[str]) -> tuple[list[str], list[str]]:
    """Cut the program and its arguments off the hosts behind which they stand."""
    number = next((number for number, word in enumerate(words) if word.endswith(".py") or "/" in word), len(words))
    return words[:number], words[number:]


def parser() -> argparse.ArgumentParser:
    """Return the parser of SCOOP's options, by SCOOP's names and abbreviations."""
    found = argparse.ArgumentParser(
        "python -m fedfutures.compat.scoop",
        description="SCOOP's command line, for programs and scripts that use it; it runs python -m fedfutures.",
    )
    where = found.add_mutually_exclusive_group()
    where.add_argument("--hosts", "--host", nargs="*", metavar="Address", help="the hosts; the first runs the origin")
    where.add_argument("--hostfile", metavar="FileName", help="a file of hosts: host, or host worker=8")
    found.add_argument("-p", "--path", help="the working directory on the hosts; default: the one here")
    found.add_argument("--nice", type=int, metavar="NiceLevel", help="niceness of the Workers")
    found.add_argument("-v", "--verbose", action="count", default=0, help="say what happens; -vv: more")
    found.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")
    found.add_argument("-n", type=int, metavar="NumberOfWorkers", help="Workers in all, over all hosts")
    found.add_argument("-b", type=int, metavar="NumberOfBrokers", help="Brokers in all, over all hosts")
    found.add_argument("--rsh", action="store_true", help="start processes on the hosts by rsh")
    found.add_argument(
        "--ssh-executable", dest="client", metavar="SSHExecutable", help="the ssh client; default: the built-in one"
    )
    found.add_argument("-e", "--tunnel", action="store_true", help="have all links go through ssh")
    found.add_argument(
        "--external-hostname", "--broker-hostname", metavar="Address", help="this machine for others; not needed"
    )
    found.add_argument("--python-interpreter", metavar="Path", help="the interpreter of the Workers")
    found.add_argument("--pythonpath", help="what stands in front of sys.path, with colons")
    found.add_argument("--prolog", help="a shell script to source on each host first")
    found.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    found.add_argument("--profile", action="store_true", help="write profiles of the Workers to profile/")
    found.add_argument("--backend", choices=("ZMQ", "TCP"), help="accepted, without effect")
    found.add_argument("executable", nargs="?", help="the program")
    found.add_argument("args", nargs=argparse.REMAINDER, help="its arguments")
    return found
