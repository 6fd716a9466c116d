"""A Worker's process, from the fork to the loop."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import sys
import threading
from typing import Any

from ..host import devices
from ..host.crash_cells import READY, READY_BYTES, CrashCells
from ..host.host_report import write_stack_to
from ..host.memory_use import used_by
from ..host.settings import Settings
from ..host.system import name_process
from ..node import events
from ..program import code_objects, stand_ins
from ..program.process import adopt_authkey
from ..program.shadows import make_room
from ..sockets.sockets import context
from ..wire.calls import show_arguments
from ..wire.messages import RAN
from ..wire.payload import Payloads
from ..wire.seal import Seal
from ..wire.segments import Segments
from . import capture, children, current, failing, forked, inheriting, slices
from .ground import Ground
from .output import Spool, open_streams
from .preparing import Preparation
from .worker import Worker

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS",
)  # fmt: skip


def main(settings: Settings, facts: dict[str, Any], name: str, control: int, box: CrashCells, dump: int) -> None:
    """Run a Worker in this, just forked, process."""
    faulthandler.enable(dump, all_threads=False)
    write_stack_to(dump)
    _give_devices(facts["slot"], settings.workers)
    prepare(settings, box)
    run(settings, facts, name, control, box, Ground())


def run(
    settings: Settings, facts: dict[str, Any], name: str, control: int, box: CrashCells, ground: Ground
) -> None:  # fmt: skip
    """Run a Worker in this process, which is prepared."""
    name_process(f"fedfut-{name}"[-15:] if len(name) > 8 else f"fedfut-{name}")
    current.be_worker(name, settings.host, has_files=not settings.code)
    show_arguments(not settings.hides_arguments)
    capture.share(box.captures)
    segments = Segments(facts["shared"], name, disk=facts["disk"], host=settings.host)
    payloads = Payloads(segments, None if settings.seal is None else Seal(settings.seal))
    owner = context()
    worker = Worker(
        owner, facts, name, payloads, settings.size,
        cells=box.cells, control=control, max_tasks=settings.max_tasks_per_child, ground=ground,
    )  # fmt: skip
    worker.submissions.retrier.other_hosts.know(settings.hosts)
    slices.OfItems.run_among(settings.hosts)
    was_imported = ground.has_program
    Preparation(settings, worker, ground).run()
    if settings.memory_per_worker:
        box.cells[READY_BYTES] = used_by(os.getpid())
        worker.surroundings.show_waits()
    children.attend(settings, worker)
    forked.attend(worker)
    current.become(worker)
    worker.driver.handle(events.Linked, lambda action: box.cells.__setitem__(READY, 1))
    if worker.machine.linked:
        box.cells[READY] = 1
    if settings.records:
        worker.sights.report(RAN)
    if settings.profile:
        _profile(worker, settings.profile, name)
    if not was_imported:
        gc.unfreeze()
    gc.freeze()
    if not settings.code:
        worker.start()
    worker.run()
    with contextlib.suppress(OSError):  # the guard keeps the last descriptors, and the process ends anyway
        worker.close()
    owner.term()  # what was sent last goes out
    worker.end()


def _give_devices(slot: int, workers: int) -> None:
    """Leave the environment those GPUs of the job that this Worker is to use."""
    if any(name in os.environ for name in devices.VARIABLES):
        amd = os.path.exists(devices.AMD_DRIVER)
        os.environ.update(devices.environment_of(os.environ, slot, workers, amd=amd))


def prepare(settings: Settings, box: CrashCells) -> Spool | None:
    """Make this process one in which the program can be imported; return what is below its standard output."""
    os.environ.update(settings.environment)
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, str(settings.threads))
    if settings.directory is not None:
        try:
            os.chdir(settings.directory)
        except OSError as error:
            if settings.directory_needed:  # elsewhere the files that Futures name would be others
                print(f"fedfutures: cannot change to {settings.directory}: {error}", file=sys.stderr, flush=True)
                raise SystemExit(1) from None
    if settings.nice:
        try:
            os.nice(settings.nice)
        except OSError as error:
            print(f"fedfutures: cannot change the niceness by {settings.nice}: {error}", file=sys.stderr)
    if settings.code:
        sys.path[:] = [*settings.path, *(place for place in sys.path if place)]
    else:
        sys.path[:] = settings.path or sys.path
    make_room(settings.shadowed)
    stand_ins.install(settings.stand_ins)
    sys.argv[:] = settings.argv or [""]
    spool = open_streams(settings.unbuffered, box)
    threading.current_thread().name = "MainThread"
    code_objects.reads_no_files = settings.code
    failing.replace_breakpoint()
    adopt_authkey(settings.authkey)
    inheriting.attend()
    return spool


def _profile(worker: Worker, directory: str, name: str) -> None:
    import cProfile

    profile = cProfile.Profile()
    worker.loop.profile(profile.runcall)

    def write() -> None:
        profile.create_stats()
        if profile.stats:  # pstats cannot read a profile of nothing
            profile.dump_stats(os.path.join(directory, f"{name}.prof"))

    worker.at_end.append(write)
