"""The command line of ``python -m fedfutures``."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from typing import Any, NoReturn

from .splitting import BadLine, Splitter

USAGE = "python -m fedfutures [options] (program | -m module | -c code | -) [arguments ...]"
EPILOG = "For example: python -m fedfutures --hosts localhost tower rack1 -n 12 prog.py"
DESCRIPTION = "Run a Python program whose fedfutures spread over Workers, on this machine and on others."


@dataclass(slots=True)
class Options:
    """What the user asked for."""

    kind: str = ""  # "file", "module", "code" or "stdin"
    place: str = ""  # path, module name or code
    arguments: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)  # our own words, as they were written
    line: list[str] = field(default_factory=list)  # all words
    workers: int | None = None
    brokers: int = 1
    hosts: list[str] = field(default_factory=list)
    hostfile: str | None = None
    ssh_executable: str | None = None
    ssh_config: str | None = None
    host_key_policy: str = "reject"
    tunnel: bool = False
    external_hostname: str | None = None
    min_hosts: int = 1
    require_all: bool = False
    grace: float = 30.0
    allow_root: bool = False
    verbosity: int = 0
    quiet: bool = False
    prolog: str | None = None
    nice: int | None = None
    python: str | None = None
    pythonpath: list[str] = field(default_factory=list)
    path: str | None = None
    profile: str | None = None
    debug: bool = False
    dry_run: bool = False
    prefix: bool = True


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"fedfutures: {message}; see python -m fedfutures --help\n")


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not 1 <= value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 86400")
    return value


def _parser() -> argparse.ArgumentParser:
    from fedfutures import __version__

    parser = _Parser("fedfutures", usage=USAGE, description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False)
    add = parser.add_argument
    add(
        "-n",
        dest="workers",
        type=_positive,
        metavar="N",
        help="Workers in all; default: one for each processor that may be used",
    )
    add("-b", dest="brokers", type=_positive, default=1, metavar="N", help="Brokers on each host; default: 1")
    _add_hosts(parser)
    add("-v", dest="verbosity", action="count", default=0, help="say what happens; -vv: in detail")
    add("-q", "--quiet", action="store_true", help="say nothing but errors")
    add("--prolog", metavar="FILE", help="shell script to source before a host process starts, there on each host")
    add("--nice", type=int, metavar="N", help="niceness of the Workers")
    add("--python-interpreter", dest="python", metavar="PATH", help="interpreter of the host process and the Workers")
    add("--pythonpath", action="append", default=[], metavar="DIR", help="put DIR in front of sys.path (repeatable)")
    add("--path", metavar="DIR", help="working directory of the Workers")
    add(
        "--profile",
        nargs="?",
        const=".",
        metavar="DIR",
        help="write a cProfile of each Worker of this machine to DIR; default: here",
    )
    add("--debug", action="store_true", help="check every invariant at each step (slow)")
    add("--no-prefix", dest="prefix", action="store_false", help="print what Futures print without [host.worker]")
    add("--dry-run", action="store_true", help="print the plan and start nothing")
    add("--version", action="version", version=f"fedfutures {__version__}")
    return parser


def _add_hosts(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("other hosts").add_argument
    add(
        "--hosts",
        nargs="+",
        action="extend",
        default=[],
        metavar="HOST",
        help="[user@]host[:port] each, up to the next option or the program; named twice: two Workers; "
        "this machine is localhost",
    )
    add(
        "--hostfile",
        metavar="FILE",
        help="hosts from a file: plain lines, or TOML with sites and access hosts; "
        "without either, those of the batch scheduler's job (SLURM, PBS, SGE, LSF)",
    )
    add("--ssh-executable", "--rsh", metavar="PATH", help="OpenSSH client to use instead of the built-in one")
    add("--ssh-config", metavar="FILE", help="another ssh config file than ~/.ssh/config")
    add(
        "--host-key-policy",
        choices=("reject", "accept-new"),
        default="reject",
        help="what to do with a host whose key is not known; accept-new stores it",
    )
    add("-e", "--tunnel", action="store_true", help="have all links go through ssh from the start")
    add(
        "--external-hostname",
        "--broker-hostname",
        metavar="NAME",
        help="old name of this machine for others; accepted, but links are dialled outward and need none",
    )
    add("--min-hosts", type=_positive, default=1, metavar="N", help="begin when so many hosts can be used; default: 1")
    add(
        "--grace",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long a host goes on, and is looked for, when its ssh connection was lost; default: 30",
    )
    add("--require-all", action="store_true", help="end with code 2 when a host cannot be used")
    add("--allow-root", action="store_true", help="log in to other hosts although this is root's process")


def parse(arguments: list[str]) -> Options:
    """Return the options; on bad ones, say so in one line and exit with code 2, as argparse does."""
    parser = _parser()
    try:
        ours, kind, place, rest = Splitter(parser).cut(arguments)
    except BadLine as error:
        parser.error(str(error))
    options = Options(kind=kind, place=place, arguments=rest, given=ours, line=list(arguments))
    for name, value in vars(parser.parse_args(ours)).items():
        setattr(options, name, value)
    if not kind:
        parser.error("no program given")
    if options.hosts and options.hostfile is not None:
        parser.error("--hosts and --hostfile exclude each other")
    if options.brokers > 1 and not options.hosts and options.hostfile is None:
        _check_brokers(parser, options)
    return options


def _check_brokers(parser: argparse.ArgumentParser, options: Options) -> None:
    from fedfutures.host.system import processors

    workers = options.workers or processors()
    if options.brokers > workers:
        parser.error(f"-b {options.brokers}: more Brokers than Workers, of which there are {workers}")


def main(arguments: list[str] | None = None) -> None:
    """Run the launcher; ends as the program ends."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    from .launch import launch

    launch(options)


def plan_text(plan: list[tuple[str, Any]]) -> str:
    """Return a plan for people: a name and its value each; the lines of a long value stand below each other."""
    width = max(len(name) for name, _ in plan) + 1
    below = "\n" + " " * (width + 1)
    text = "\n".join(f"{name + ':':<{width}} {str(value).replace(chr(10), below)}" for name, value in plan)
    return text.encode("utf-8", "backslashreplace").decode()  # names of files need be no UTF-8
