"""The command line of ``python -m fedfutures``: its options, and what the user asks for with them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import Field, dataclass, fields
from typing import Any

from fedfutures.compat import STANDS_FOR
from fedfutures.host.hosts import Hosts
from fedfutures.host.walltime import checked_times
from fedfutures.sizes import size_of, size_of_worker

from ..arguments.parser import Parser
from ..arguments.splitting import BadLine, Splitter
from ..arguments.values import checked, seconds

USAGE = "python -m fedfutures [options] (program | -m module | -c code | -) [arguments ...]"
EPILOG = (
    "For example: python -m fedfutures --hosts localhost tower rack1 -n 12 prog.py. Instead of a program, a verb may "
    "follow: python -m fedfutures help lists them; python -m fedfutures error NAME explains an error."
)
DESCRIPTION = "Run a Python program whose fedfutures spread over Workers, on this machine and on others."


@dataclass(slots=True)
class Options:
    """What the user asks for."""

    kind: str  # of the program: "file", "module", "code" or "stdin"
    place: str  # path, module name or code
    arguments: list[str]  # the program's own
    given: list[str]  # our own words, as they were written
    line: list[str]  # all words
    hosts: Hosts
    workers: int | None
    brokers: int
    verbosity: int
    quiet: bool
    profile: str | None
    debug: bool
    prefix: bool
    progress: bool
    drain: float
    checkpoint: str | None
    stats: str | None
    trace: str | None
    log: str | None
    page: int | None  # the port; 0: any; None: no page
    page_control: bool
    hide_arguments: bool
    telemetry: bool
    walltime: float | None  # seconds; infinite: none
    walltime_margin: float | None
    output: str | None
    pending_bytes: int | None
    each: bool
    join: str | None
    dry_run: bool
    written_for: str | None


def options_parser() -> tuple[argparse.ArgumentParser, list[argparse.Action]]:
    """Return the parser of our options, without the program, and these options."""
    from fedfutures import __version__

    parser = Parser(
        "python -m fedfutures", usage=USAGE, description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False, add_help=False
    )
    of_hosts = parser.add_argument_group("other hosts")
    known: list[argparse.Action] = []

    def add(*flags: str, **more: Any) -> None:
        known.append(parser.add_argument(*flags, **more))

    add("-h", "--help", action="help", help="show this help message and exit")
    add("-n", dest="workers", type=_number(int, 1), metavar="N",
        help="Workers in all; default: one for each processor that may be used")  # fmt: skip
    add("-b", dest="brokers", type=_number(int, 1), default=1, metavar="N", help="Brokers on each host; default: 1")
    add("-v", dest="verbosity", action="count", default=0, help="say what happens; -vv: in detail")
    add("-q", "--quiet", action="store_true", help="say nothing but errors")
    for item in fields(Hosts):
        group = parser if item.metadata["here"] else of_hosts
        known.append(group.add_argument(*item.metadata["flags"], dest=item.name, **argument_of(item)))
    add("--profile", nargs="?", const=".", metavar="DIR",
        help="write a cProfile of each Worker of this machine to DIR; default: here")  # fmt: skip
    add("--debug", action="store_true", help="check every invariant at each step (slow)")
    add("--no-prefix", dest="prefix", action="store_false", help="print what Futures print without [host.worker]")
    add("--drain", type=_number(float, 0, 86_400), default=0.0, metavar="SECONDS",
        help="on SIGTERM or SIGHUP, wait so long for open Futures; default: 0")  # fmt: skip
    add("--checkpoint", metavar="FILE", help="keep results in FILE; what it has is not computed again in the next run")
    _add_views(add)
    add("--walltime", type=_time, metavar="TIME",
        help="how long the run may take: 90 (seconds), 30m, 1:30:00, 2-00:00:00, or none; default: as the batch job "
             "has left, where its scheduler says so")  # fmt: skip
    add("--walltime-margin", type=_time, metavar="TIME",
        help="what of the walltime is left for saving when Futures raise WalltimeReached; default: a twentieth, "
             "1 s to 60 s")  # fmt: skip
    add("--output", metavar="DIR", help="write what Futures print to DIR/HOST/WORKER.out instead of printing it")
    add("--pending-bytes", type=_bytes, metavar="N",
        help="how much memory Futures that wait may hold in the program (4G, 500M): above that submit waits until "
             "some are done; default: a quarter of it")  # fmt: skip
    add("--join", metavar="NAME",
        help="run on the standing Federation of this name, which `fedfutures up NAME` has started; of another machine: "
             "[user@]host:NAME; -n: at most so many of its Workers")  # fmt: skip
    add("--as", dest="written_for", choices=sorted(STANDS_FOR), metavar="NAME",
        help=f"the program was written for {', '.join(STANDS_FOR)}: NAME is fedfutures.compat.NAME to it")  # fmt: skip
    add("--each", action="store_true",
        help="where srun, mpiexec or the like has started several copies of this command: a run of its own in each, on "
             "the processors of that copy alone")  # fmt: skip
    add("--dry-run", action="store_true", help="print the plan and start nothing")
    add("--version", action="version", version=f"fedfutures {__version__}")
    return parser, known


def _add_views(add: Callable[..., None]) -> None:
    """Add the options by which a run says what goes on."""
    what = "show on standard error how far what takes more than a second is: each map and wait, and the rest"
    add("--progress", action="store_true", help=what)
    add("--log", metavar="FILE", help="write to FILE what happens in the run, one JSON object a line")
    add("--stats", metavar="FILE", help="when the run ends, say what it has computed, and write that to FILE as JSON")
    add("--trace", metavar="FILE", help="write to FILE what ran where and when, for Perfetto and `fedfutures report`")
    add("--page", nargs="?", type=_number(int, 0, 65535), const=0, metavar="PORT",
        help="serve a page that shows the run, for a browser on this machine; default: any free port")  # fmt: skip
    add(
        "--telemetry", action="store_true", help="send a span for each Future, by OpenTelemetry: as OTEL_ variables say"
    )
    add("--hide-arguments", action="store_true", help="name calls without their arguments, in errors and in all views")
    add("--page-control", action="store_true", help="let the page end Futures; without it, it only shows")


def argument_of(item: Field[Any]) -> dict[str, Any]:
    """Return the arguments of ``add_argument`` for an option of hosts."""
    more = dict(item.metadata["argument"])
    if isinstance(item.default, bool):
        return {"action": "store_true", **more}
    more["default"] = item.default if item.default != () else []
    if item.type in ("float", "float | None"):
        more["type"] = _number(float, *more.pop("between"))
    elif item.type in ("int", "int | None"):
        more["type"] = _number(int, *more.pop("between"))
    elif item.type == "int | str | None":
        more["type"] = _size
    elif item.name == "launcher":
        more["type"] = _launcher
    return more


def _launcher(text: str) -> str:
    """Check the name of a launcher, or a command."""
    from ..launchers.table import launcher_of  # with what leads to other hosts: most runs have none

    checked(lambda: launcher_of(text))
    return text


def _size(text: str) -> int:
    """Read how many bytes each Worker may use."""
    return checked(lambda: size_of_worker(text))


def _number(kind: type[int] | type[float], least: int, most: int | None = None) -> Callable[[str], float]:
    """Return a function that reads a number between bounds; `most`: None is no bound."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if most is not None and not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not between {least} and {most}")
        if value < least:
            raise argparse.ArgumentTypeError(f"{text} is not at least {least}")
        return value

    return read


def _bytes(text: str) -> int:
    return checked(lambda: size_of(text, "it"))


def _time(text: str) -> float:
    return 0.0 if text == "0" else seconds(text)


def parse(arguments: list[str]) -> Options:
    """Return the options; on bad ones, say so in one line and exit with code 2, as argparse does."""
    parser, known = options_parser()
    try:
        cut = Splitter(known).cut(arguments)
    except BadLine as error:
        parser.error(str(error))
    found = vars(parser.parse_args(cut.ours))
    try:
        hosts = Hosts(**{item.name: found.pop(item.name) for item in fields(Hosts)})
    except ValueError as error:
        parser.error(str(error))
    options = Options(cut.kind, cut.place, cut.rest, cut.ours, list(arguments), hosts, **found)
    if not options.kind:
        parser.error("no program given")
    if hosts.names and hosts.file is not None:
        parser.error("--hosts and --hostfile exclude each other")
    if options.join is not None and (hosts.names or hosts.file is not None or options.each):
        parser.error("--join means the hosts of a standing Federation, so it excludes --hosts, --hostfile and --each")
    if options.join is not None and options.dry_run:
        parser.error("--dry-run shows the plan of a run of its own, so it excludes --join")
    if options.each and (hosts.names or hosts.file is not None):
        parser.error("--each means the processors of this copy, so it excludes --hosts and --hostfile")
    try:
        checked_times(options.walltime, options.walltime_margin)
    except ValueError as error:
        parser.error(f"--walltime: {error}")
    if options.brokers > 1 and not hosts.names and hosts.file is None:
        _check_brokers(parser, options)
    return options


def _check_brokers(parser: argparse.ArgumentParser, options: Options) -> None:
    from fedfutures.host.system import processors

    workers = options.workers or processors()
    if options.brokers > workers:
        parser.error(f"-b {options.brokers}: more Brokers than Workers, of which there are {workers}")
