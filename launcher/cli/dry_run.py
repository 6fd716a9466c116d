"""The plan of a run, for people: what would start where. It starts nothing and asks no host."""

from __future__ import annotations

import shlex
from typing import Any, NoReturn

from fedfutures.host.flags import shown
from fedfutures.host.handle import command_here
from fedfutures.host.settings import Settings
from fedfutures.host.walltime import walltime_here

from ..connector.access import remote_target
from ..hosts.local import counted
from ..hosts.spec import HostSpec
from ..launchers.table import SSH, launcher_of, ways_to
from ..layout.assemble import Assembly, Request, assemble
from ..layout.tree import Tree
from . import walltimes
from .options import Options

Lines = list[tuple[str, Any]]
"""(name, value)"""


def show(lines: Lines) -> NoReturn:
    """Print a plan, and end."""
    print(plan_text(lines))
    raise SystemExit(0)


def plan_text(lines: Lines) -> str:
    """Return a plan for people: a name and its value each; the lines of a long value stand below each other."""
    width = max(len(name) for name, _ in lines) + 1
    below = "\n" + " " * (width + 1)
    text = "\n".join(f"{name + ':':<{width}} {str(value).replace(chr(10), below)}" for name, value in lines)
    return text.encode("utf-8", "backslashreplace").decode()  # names of files need be no UTF-8


def local_plan(options: Options, settings: Settings, command: list[str], tree: Tree) -> Lines:
    """Return the plan of a run on this machine alone."""
    program, imported, *more = _head(options, settings)
    return [
        program,
        *more,
        ("host", f"{settings.host}: {counted(settings)}"),
        ("brokers", tree.drawing()),
        ("start", shown(command_here(settings, command))),
        ("threads", f"{settings.threads} for BLAS and OpenMP in each Worker, unless set"),
        ("directory", settings.directory),
        imported,
    ]


def far_plan(options: Options, request: Request, command: list[str]) -> Lines:
    """Return how each host is reached, and the tree of Brokers. No host was asked: some counts are guesses.

    With ``-v`` the commands are part of it.
    """
    assembly = assemble(request, {spec.name: {"processors": 1} for spec in request.hosts})
    program, imported, *more = _head(options, request.settings)
    local = request.local.name
    lines = [program, *more, ("host", f"{local}: {_workers(assembly.settings[local])}, this machine")]
    lines += [("host", _of_host(spec, request, assembly)) for spec in request.hosts]
    lines += [("brokers", assembly.tree.drawing()), ("directory", request.settings.directory), imported]
    if options.verbosity > 0:
        lines.append(("command", f"{local}: {shown(command_here(request.settings, command))}"))
        there = [spec for spec in request.hosts if spec.name in assembly.settings]
        lines += [("command", f"{spec.name}: {remote_target(spec, request).command}") for spec in there]
    else:
        lines.append(("commands", "fedfutures -v --dry-run ... prints them"))
    if request.workers is None and any(spec.count is None for spec in request.hosts):
        lines.append(("note", "a host without a count gets as many Workers as it has processors; here it counts one"))
    return lines


def _of_host(spec: HostSpec, request: Request, assembly: Assembly) -> str:
    """Return for people what is to be on a host, and how it is reached."""
    if spec.name not in assembly.settings:
        return f"{spec.name}: left out, since it would have no Worker"
    settings = assembly.settings[spec.name]
    by = ", else by ".join(launcher_of(one).name if one != SSH else SSH for one in ways_to(spec, request.launchers))
    said = f"{spec.name}: {_workers(settings)}, by {by} to {spec.word}{f' through {spec.site}' if spec.site else ''}"
    given = [
        (" with ", spec.options.python), (" after ", spec.options.prolog), (" in ", spec.options.path),
    ]  # fmt: skip
    return said + "".join(f",{what}{value}" for what, value in given if value)


def _workers(settings: Settings) -> str:
    return f"{settings.workers or 'no'} Worker{'s' * (settings.workers != 1)}"


def _head(options: Options, settings: Settings) -> Lines:
    return [
        ("program", shlex.join([options.place, *options.arguments])),
        ("import", f"{settings.program[1]} by Workers, when needed" if settings.program else "never: no main guard"),
        *walltimes.planned(walltime_here(options.walltime, options.walltime_margin, "--walltime")),
    ]
