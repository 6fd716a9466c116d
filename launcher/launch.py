"""From options to an ended program: plan, start the Federation, become the Origin, run, end."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from typing import Any, NoReturn

from fedfutures.errors import StartFailed
from fedfutures.host.handle import HostHandle
from fedfutures.host.here import settings_here
from fedfutures.host.system import processors

from . import program as programs
from .command_line import Options, plan_text
from .plan import HostPlan, Tree, plan


def launch(options: Options) -> NoReturn:
    """Run the program with a Federation under it, and exit as it does."""
    if not programs.SAFE_PATH:
        del sys.path[0]  # the launcher's own first entry, where the program's is to stand
    sys.path[:0] = map(os.path.abspath, options.pythonpath)
    program = programs.load(options)
    _check(options)
    if program.path0 is not None:
        sys.path.insert(0, program.path0)
    workers = options.workers or processors()
    settings = settings_here(
        workers, brokers=options.brokers, program=program.importable,
        argv=[program.argv0, *options.arguments], path=_absolute_path(),
        nice=options.nice, debug=options.debug, profile=options.profile and os.path.abspath(options.profile),
        directory=os.path.abspath(options.path) if options.path else os.getcwd(),
        verbosity=0 if options.quiet else options.verbosity,
    )  # fmt: skip
    tree = plan([HostPlan(settings.host, settings.workers, settings.brokers)])
    settings.dials = tree.dials(settings.host)
    command = _command(options)
    if options.dry_run:
        print(plan_text(_plan(options, settings, command, tree)))
        raise SystemExit(0)
    _run(options, program, settings, command)


def _check(options: Options) -> None:
    if options.path is not None and not os.path.isdir(options.path):
        programs.fail(f"--path {options.path!r} is not a directory")
    if options.prolog is not None and not os.access(options.prolog, os.R_OK):
        programs.fail(f"--prolog {options.prolog!r} cannot be read")
    if options.profile is not None:
        try:
            os.makedirs(options.profile, exist_ok=True)
        except OSError as error:
            programs.fail(f"--profile {options.profile!r} cannot be made: {error.strerror}")


def _absolute_path() -> list[str]:
    return [os.path.abspath(place) if place == "" else place for place in sys.path]


def _command(options: Options) -> list[str]:
    python = options.python or sys.executable
    if options.prolog is None:
        return [python]
    script = f'. {shlex.quote(os.path.abspath(options.prolog))} && exec {shlex.quote(python)} "$@"'
    return ["/bin/sh", "-c", script, "fedfutures"]


def _plan(options: Options, settings: Any, command: list[str], tree: Tree) -> list[tuple[str, Any]]:
    return [
        ("program", shlex.join([options.place, *options.arguments])),
        ("host", f"{settings.host}: {_count(settings)}"),
        ("brokers", tree.drawing()),
        ("start", shlex.join([*command, "-m", "fedfutures.host"])),
        ("threads", f"{settings.threads} for BLAS and OpenMP in each Worker, unless set"),
        ("directory", settings.directory),
        ("import", f"{settings.program[1]} by Workers, when needed" if settings.program else "never: no main guard"),
    ]


def _count(settings: Any) -> str:
    counts = ((settings.brokers, "Broker"), (settings.workers, "Worker"))
    return ", ".join(f"{count} {what}{'s' * (count > 1)}" for count, what in counts)


def _run(options: Options, program: programs.Program, settings: Any, command: list[str]) -> NoReturn:
    try:
        handle = HostHandle(settings, command)
        # Only now the rest is loaded, while the host process loads its own.
        from fedfutures.futures.federation import Federation
        from fedfutures.worker import current

        federation = Federation(handle, prefix=options.prefix)
        current.node = federation.origin
    except StartFailed as error:
        programs.fail(str(error), 1)
    if options.verbosity and not options.quiet:
        print(f"fedfutures: {_count(settings)} on {settings.host}", file=sys.stderr)
    code: Any = 0
    try:
        programs.run(program, options.arguments)
        federation.drain()
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt as error:
        _report(error)
        federation.close()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException as error:
        _report(error)
        code = 1
    federation.close()
    raise SystemExit(code)


def _report(error: BaseException) -> None:
    """Print the traceback as plain ``python`` does, without the launcher's frames."""
    error.__traceback__ = programs.own_frames_removed(error.__traceback__)
    sys.excepthook(type(error), error, error.__traceback__)
    sys.stderr.flush()
