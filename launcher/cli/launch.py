"""From options to an ended program: plan, start the Federation, become the Origin, run, end."""

from __future__ import annotations

import gc
import linecache
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

from fedfutures.compat import STANDS_FOR
from fedfutures.errors import ABOUT, CheckpointRefused, StartFailed
from fedfutures.host import room
from fedfutures.host.batch import scheduler_of
from fedfutures.host.handle import HostHandle
from fedfutures.host.here import settings_here
from fedfutures.host.settings import Settings
from fedfutures.host.starting import LoadingModules
from fedfutures.host.system import processors
from fedfutures.host.walltime import hold_program_to, walltime_here
from fedfutures.program import stand_ins
from fedfutures.wire.calls import show_arguments

from ..arguments import copies, suggestions
from ..arguments.splitting import BadLine
from ..hosts.local import at_home, counted, on_terminal, processors_of_machine, threads_of, with_environment
from ..layout.tree import HostPlan, plan
from ..verbs import table
from . import program as programs, walltimes
from .ending import end_by_interrupt, run_to_end
from .explaining import explain_on_signal
from .options import Options, parse

FIRST_SPEAKS_SECONDS = 1.0
"""How long a copy waits for the first one to speak: mpiexec kills all of them when one has ended with an error."""


def main(arguments: list[str] | None = None) -> None:
    """Run the launcher; it ends as the program ends. Or run the verb that is the first word."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        verb = table.verb_of(words)
    except BadLine as error:
        programs.fail(str(error))
    if verb is not None:
        raise SystemExit(table.run(verb, words[1:]))
    launch(parse(words))


def launch(options: Options) -> NoReturn:
    """Run the program with a Federation under it, and exit as it does."""
    try:
        options = replace(options, hosts=with_environment(options.hosts))
    except ValueError as error:
        programs.fail(str(error))
    hosts = options.hosts
    if not programs.SAFE_PATH:
        del sys.path[0]  # the launcher's own first entry, where the program's is to stand
    sys.path[:0] = map(os.path.abspath, hosts.pythonpath)
    if options.written_for is not None:
        stand_ins.install([(options.written_for, STANDS_FOR[options.written_for])])
    own = refuse_copies(options)
    program = programs.load(options)
    point_out(options, program)
    if options.join is not None:
        launch_joined(options, program, options.join)
    named = hosts.names or hosts.file is not None
    if named or (own is None and scheduler_of(os.environ) is not None):
        launch_far(options, program)
    check(options)
    own = own or processors()
    settings = settings_for(options, program, options.workers or own)
    settings, command = at_home(replace(settings, threads=threads_of(None, None, settings.workers, own)), hosts)
    launch_here(options, program, settings, command)


def launch_here(options: Options, program: programs.Program, settings: Settings, command: list[str]) -> NoReturn:
    """Run the program with Workers on this machine alone."""
    if why := room.refusal(settings.workers, room.available_memory(), settings.host):
        programs.fail(why)
    settings = replace(settings, brokers=min(settings.brokers, settings.workers))
    tree = plan([HostPlan(settings.host, settings.workers, settings.brokers)])
    settings = replace(settings, dials=tree.dials(settings.host))
    if options.dry_run:
        from . import dry_run

        dry_run.show(dry_run.local_plan(options, settings, command, tree))
    facts = {"processors": processors(), "memory": room.available_memory()}
    for text in () if options.quiet else room.warnings_of(settings, facts):
        print(f"fedfutures: {text}", file=sys.stderr)
    run(options, program, settings, lambda: HostHandle(settings, python=command))


def launch_joined(options: Options, program: programs.Program, name: str) -> NoReturn:
    """Run the program on a standing Federation."""
    from fedfutures.standing.joining import joined_handle

    check(options)
    settings, command = at_home(settings_for(options, program, options.workers or 1), options.hosts)
    run(options, program, settings, lambda: joined_handle(name, settings, options.workers, command, options.hosts))


def launch_far(options: Options, program: programs.Program) -> NoReturn:
    """Run the program with Workers on other hosts, too, unless this machine is the only host."""
    from ..connector import start  # what other hosts take is loaded only for them
    from ..connector.handle import ConnectorHandle
    from ..hosts.resolve import allocation, wanted
    from ..hosts.spec import BadHosts

    hosts = options.hosts
    try:
        given = allocation(hosts)
        specs = wanted(hosts, given)
    except BadHosts as error:
        programs.fail(str(error))
    alone = len(specs) == 1
    check(options, alone=alone)
    workers = options.workers or specs[0].count or processors()
    threads = given.threads if given is not None else None
    settings = replace(
        settings_for(options, program, workers), threads=threads_of(threads, specs[0].count, workers, processors())
    )
    settings, command = at_home(settings, specs[0].options)
    for line in () if options.quiet else start.remarks(given, specs, options.workers):
        print(f"fedfutures: {line}", file=sys.stderr)
    if alone:
        launch_here(options, program, settings, command)
    try:
        request = start.request_for(hosts, specs, settings, options.workers, options.brokers, threads)
    except BadHosts as error:
        programs.fail(str(error))
    if options.dry_run:
        from . import dry_run

        dry_run.show(dry_run.far_plan(options, request, command))
    try:
        start.refuse_root(hosts, specs)
    except StartFailed as error:
        programs.fail_to_start(error)
    if hosts.external_hostname and options.verbosity:
        print("fedfutures: --external-hostname is not needed: links are dialled from here", file=sys.stderr)
    run(options, program, request.settings, lambda: ConnectorHandle(request, command))


def refuse_copies(options: Options) -> int | None:
    """End with code 2 when ``srun`` or the like has started copies of this command, unless each is to be a run.

    Return how many processors this copy has for its run; None: it has those of its host, or its job.
    """
    found = copies.copies(os.environ, on_terminal())
    if options.each:
        return copies.share(os.environ, found, processors(), processors_of_machine())
    if found is None or set(options.hosts.names) == {"localhost"}:
        return None
    if found.first:
        programs.fail(copies.refusal(found, options.line))
    time.sleep(FIRST_SPEAKS_SECONDS)
    raise SystemExit(copies.exit_code(os.environ, found))  # one line is enough


def point_out(options: Options, program: programs.Program) -> None:
    """Print which of our options stand behind the program, so that the program gets them."""
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
    """Return the settings that the command line gives for every host."""
    path = [*([program.path0] if program.path0 is not None else []), *sys.path]
    path = [os.path.abspath(place) if place == "" else place for place in path]
    return settings_here(
        workers, brokers=options.brokers, program=program.importable, argv=[program.argv0, *options.arguments],
        path=path, debug=options.debug, profile=options.profile and os.path.abspath(options.profile),
        departure=options.hosts.grace, hides_arguments=options.hide_arguments,
        records=options.trace is not None,
        directory=os.getcwd(), verbosity=-1 if options.quiet else options.verbosity,
    )  # fmt: skip


def check(options: Options, *, alone: bool = True) -> None:
    """End with code 2 if a named file or directory is missing; `alone`: this machine is the only host."""
    path, prolog = options.hosts.path, options.hosts.prolog
    if alone and path is not None and not os.path.isdir(path):
        programs.fail(f"--path {path!r} is not a directory")
    if alone and prolog is not None and not os.access(prolog, os.R_OK):
        programs.fail(f"--prolog {prolog!r} cannot be read")
    for option, file in (("--stats", options.stats), ("--log", options.log), ("--trace", options.trace)):
        if file is not None and not os.path.isdir(place := os.path.dirname(os.path.abspath(file))):
            programs.fail(f"{option} {file!r} cannot be written: there is no directory {place}")
    if options.telemetry:
        from fedfutures.futures.telemetry import problem

        if why := problem():
            programs.fail(f"--telemetry {why}")
    if options.profile is not None:
        try:
            os.makedirs(options.profile, exist_ok=True)
        except OSError as error:
            programs.fail(f"--profile {options.profile!r} cannot be made: {error.strerror}")


def _output_files(options: Options) -> Any:
    """Return what takes the output of Workers, where that is not to be printed."""
    if options.output is None:
        return None
    from fedfutures.futures.output_files import FiledOutput

    return FiledOutput(options.output)


def _write_down(federation: Any, options: Options, program: programs.Program) -> None:
    """Have the run say what goes on, as far as the user wants that."""
    from fedfutures.futures.statistics_file import LastLine

    if options.log is not None:
        from fedfutures.futures.run_log import RunLog

        RunLog(federation, options.log, program.argv0)
    if options.trace is not None:
        from fedfutures.futures.tracing import RunTrace

        RunTrace(federation, options.trace, program.argv0)
    if options.progress and not options.quiet:
        from fedfutures.futures.run_progress import RunProgressWatch

        RunProgressWatch(federation)
    if options.telemetry:
        from fedfutures.futures.telemetry import FutureSpans

        FutureSpans(federation, program.argv0)
    if options.page is not None:
        from .paging import serve_page

        serve_page(federation, options.page, controls=options.page_control)
    always = options.stats is not None or options.verbosity > 0
    LastLine(federation, options.stats, says=not options.quiet, always=always)


def run(
    options: Options, program: programs.Program, settings: Settings, start_hosts: Callable[[], HostHandle]
) -> NoReturn:
    """Start the hosts, become the Origin, and run the program to its end."""
    walltime = walltime_here(options.walltime, options.walltime_margin, "--walltime")
    hold_program_to(walltime)
    explain_on_signal()
    show_arguments(not settings.hides_arguments)
    try:
        output = _output_files(options)
        handle = start_hosts()
        # Load the rest only now, while the host process loads its modules.
        with LoadingModules():
            from fedfutures.futures import patience, progress
            from fedfutures.futures.federation import Federation
            from fedfutures.worker import current

        patience.be_quiet(options.quiet)
        progress.show_everywhere(options.progress and not options.quiet)
        programs.enter(program)
        federation = Federation(
            handle, prefix=options.prefix, walltime=walltime, output=output, pending_bytes=options.pending_bytes
        )  # fmt: skip
        current.become(federation.origin)
        current.resize_by(federation.resize)
        _write_down(federation, options, program)
        if options.checkpoint is not None:
            from fedfutures.futures import keeping

            keeping.keep_run(options.checkpoint)
    except StartFailed as error:
        programs.fail_to_start(error)
    except CheckpointRefused as error:
        federation.cut_off(str(error))
        programs.fail(f"{error}\n{ABOUT}{type(error).__name__}")
    except KeyboardInterrupt:
        print("fedfutures: interrupted before the program has begun", file=sys.stderr)
        end_by_interrupt()
    if settings.verbosity > 0 and not handle.facts.get("size"):
        print(f"fedfutures: {counted(settings)} on {settings.host}", file=sys.stderr)
    if options.drain:
        from .draining import drain_on_signals

        drain_on_signals(federation, options.drain)
    gc.freeze()  # what there is stays: the program's collections, and the last one, need not look at it
    run_to_end(
        federation, lambda: programs.run(program, options.arguments),
        lambda: walltimes.how_to_go_on(options.line, options.checkpoint, options.place),
    )  # fmt: skip
