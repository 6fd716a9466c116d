"""From options to an ended program: plan, start the Federation, become the Origin, run, end."""

from __future__ import annotations

import linecache
import os
import shlex
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from fedfutures.errors import StartFailed
from fedfutures.host import room
from fedfutures.host.flags import shown
from fedfutures.host.handle import HostHandle, command_here
from fedfutures.host.here import settings_here
from fedfutures.host.settings import Settings
from fedfutures.host.system import processors

from . import copies, suggestions
from . import program as programs
from .command_line import Options, plan_text
from .ending import end_by_interrupt, run_to_end
from .home import BATCH_VARIABLES, at_home
from .plan import HostPlan, Tree, plan


def launch(options: Options) -> NoReturn:
    """Run the program with a Federation under it, and exit as it does."""
    if not programs.SAFE_PATH:
        del sys.path[0]  # the launcher's own first entry, where the program's is to stand
    sys.path[:0] = map(os.path.abspath, options.pythonpath)
    refuse_copies(options)
    program = programs.load(options)
    point_out(options, program)
    if options.hosts or options.hostfile is not None or any(name in os.environ for name in BATCH_VARIABLES):
        from .launch_far import launch_far

        launch_far(options, program)
    check(options)
    settings = settings_for(options, program, options.workers or processors())
    settings, command = at_home(
        settings, python=options.python, prolog=options.prolog, path=options.path, nice=options.nice
    )
    launch_here(options, program, settings, command)


def launch_here(options: Options, program: programs.Program, settings: Settings, command: list[str]) -> NoReturn:
    """Run the program with Workers on this machine alone."""
    if why := room.refusal(settings.workers, room.available_memory(), settings.host):
        programs.fail(why)
    tree = plan([HostPlan(settings.host, settings.workers, settings.brokers)])
    settings.dials = tree.dials(settings.host)
    if options.dry_run:
        print(plan_text(_plan(options, settings, command, tree)))
        raise SystemExit(0)
    many = room.warning(settings.workers, processors(), settings.host)
    if many and not options.quiet:
        print(f"fedfutures: {many}", file=sys.stderr)
    run(options, program, settings, lambda: HostHandle(settings, python=command))


def refuse_copies(options: Options) -> None:
    """End with code 2 when ``srun`` or its like has started this command several times, and nothing else is meant."""
    found = copies.copies(os.environ, sys.stdin is not None and sys.stdin.isatty())
    if found is None or set(options.hosts) == {"localhost"}:
        return
    if found.first:
        programs.fail(copies.refusal(found, options.line))
    raise SystemExit(2)  # one line is enough


def point_out(options: Options, program: programs.Program) -> None:
    """Say which options of ours stand behind the program, which gets them."""
    if options.quiet or options.kind != "file" or not options.arguments:
        return
    text = "".join(linecache.getlines(program.file)) if program.file else ""
    found = suggestions.behind_the_program(options.arguments, {word.partition("=")[0] for word in options.given}, text)
    if found:
        stand = "stands" if len(found) == 1 else "stand"
        print(
            f"fedfutures: {', '.join(found)} {stand} behind {options.place}, so {options.place} gets "
            f"{'it' if len(found) == 1 else 'them'}; options of fedfutures stand in front",
            file=sys.stderr,
        )


def settings_for(options: Options, program: programs.Program, workers: int) -> Settings:
    """Return what the command line says to every host."""
    path = [*([program.path0] if program.path0 is not None else []), *sys.path]
    path = [os.path.abspath(place) if place == "" else place for place in path]
    return settings_here(
        workers, brokers=options.brokers, program=program.importable, argv=[program.argv0, *options.arguments],
        path=path, debug=options.debug, profile=options.profile and os.path.abspath(options.profile),
        directory=os.getcwd(), verbosity=-1 if options.quiet else options.verbosity,
    )  # fmt: skip


def check(options: Options, *, alone: bool = True) -> None:
    """See that what is named is there, on this machine if that is the only one."""
    if alone and options.path is not None and not os.path.isdir(options.path):
        programs.fail(f"--path {options.path!r} is not a directory")
    if alone and options.prolog is not None and not os.access(options.prolog, os.R_OK):
        programs.fail(f"--prolog {options.prolog!r} cannot be read")
    if options.profile is not None:
        try:
            os.makedirs(options.profile, exist_ok=True)
        except OSError as error:
            programs.fail(f"--profile {options.profile!r} cannot be made: {error.strerror}")


def plan_head(options: Options, settings: Settings) -> list[tuple[str, Any]]:
    return [
        ("program", shlex.join([options.place, *options.arguments])),
        ("import", f"{settings.program[1]} by Workers, when needed" if settings.program else "never: no main guard"),
    ]


def _plan(options: Options, settings: Settings, command: list[str], tree: Tree) -> list[tuple[str, Any]]:
    program, imported = plan_head(options, settings)
    return [
        program,
        ("host", f"{settings.host}: {_count(settings)}"),
        ("brokers", tree.drawing()),
        ("start", shown(command_here(settings, command))),
        ("threads", f"{settings.threads} for BLAS and OpenMP in each Worker, unless set"),
        ("directory", settings.directory),
        imported,
    ]


def _count(settings: Settings) -> str:
    counts = ((settings.brokers, "Broker"), (settings.workers, "Worker"))
    return ", ".join(f"{count} {what}{'s' * (count > 1)}" for count, what in counts)


def run(
    options: Options, program: programs.Program, settings: Settings, start_hosts: Callable[[], HostHandle]
) -> NoReturn:  # fmt: skip
    try:
        handle = start_hosts()
        # Only now the rest is loaded, while the host process loads its own.
        from fedfutures.futures import patience
        from fedfutures.futures.federation import Federation
        from fedfutures.worker import current

        patience.quiet = options.quiet
        programs.enter(program)
        federation = Federation(handle, prefix=options.prefix)
        current.node = federation.origin
    except StartFailed as error:
        programs.fail(error.summary, error.exit_code)
    except KeyboardInterrupt:
        print("fedfutures: interrupted before the program has begun", file=sys.stderr)
        end_by_interrupt()
    if settings.verbosity > 0 and not handle.facts.get("size"):
        print(f"fedfutures: {_count(settings)} on {settings.host}", file=sys.stderr)
    run_to_end(federation, lambda: programs.run(program, options.arguments))
