"""How a Worker runs Futures: greenlets that run one after another until one has to wait.

A *runner* is a greenlet that takes the next Future, runs it, and takes the next. When user code waits for a Future,
its runner is switched out and another goes on; when that Future resolves, the runner is switched in again before
anything new is started, the last to wait first, so parents finish before more are opened. Runners are reused and are
all started by the hub, the thread's main greenlet, so none inherits the depth of another's stack.

Waiting for an own Future that nobody has started is a plain call: the waiting Future runs it right there, down to
:data:`INLINE_DEPTH` calls, then on another runner. A foreign thread that waits does the same in its own thread, so it
never waits for a loop that waits for it.

Arguments and results of own Futures that stay here go through pickle too, unless they are immutable: a Future sees
the same objects, and the same errors, wherever it runs.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import math
import os
import pickle
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures._base import PENDING, RUNNING
from typing import Any

import greenlet

from ..errors import ArgumentLoadError, FutureError, NoRoom, SealBroken, VariableNotCarried
from ..host.crash_cells import NUMBER, PIECE
from ..program.copying import isolated
from ..program.namespaces import Namespaces
from ..program.snapshots import MARKED, join, split
from ..wire import culprits, functions
from ..wire.copies import Copies
from ..wire.failures import dump_failure
from ..wire.messages import ERROR, VALUE
from . import events as rules
from . import failing
from . import slices as slices  # registers the wrappers that definitions may name
from .carried import call, parts_of
from .context import NOWHERE, Context, Ending, Packed
from .files import Files
from .future import Future
from .isolation import Isolation
from .locks import Locks
from .pace import CUT_SECONDS, HURRY_SECONDS, LOOK_SECONDS, PUMP_EVERY_SECONDS
from .plain import ATOMS
from .process_state import alarm_at, is_shallow
from .results import dump_result
from .threads import STILL_SECONDS, OtherThreads
from .waiters import GreenEvent, HelpfulEvent, Waiter
from .worker_node import WorkerNode
from .workload import HeldPiece, Recalls

INLINE_DEPTH = 12
LATE_HANDLERS = 10
IN_PLACE_SECONDS = 1.0
URGENT_PER_WORKER = 2
LOADED_FUNCTIONS_KEPT = 4096
FINISHED_BYTES_AT_MOST = 4 << 20
_NONE = pickle.dumps(None, 5)
_NOTHING_LOADED: Any = (None, None, b"", False)
_exception: Callable[[], BaseException | None] = getattr(sys, "exception", None) or (lambda: sys.exc_info()[1])


def _fetch_nothing(keys: Any) -> Any:
    raise VariableNotCarried("a variable of the program", "its value", "this process has no Origin to ask")


class Worker(WorkerNode):
    """A node that runs Futures in the thread that made it."""

    def __init__(self, *arguments: Any, cells: Any, control: int, max_tasks: int | None = None) -> None:
        super().__init__(*arguments)
        self.cells = cells
        self.control = control
        self.files = Files(self, arguments[1])
        self.preparing = False  # while the initializer runs: no Futures are asked for
        self._quiet_poller = self._make_poller()
        self._quiet_poller.unregister(self.main.fd)
        for poller in (self._poller, self._helper_poller, self._quiet_poller):
            poller.register(control, select.POLLIN)
        self.at_end: list[Callable[[], object]] = []
        self.local = Copies(self.payloads)  # of what stays here
        self.namespaces = Namespaces(_fetch_nothing, self.payloads.load_with)
        self.seen = b""  # the snapshot of the Future that runs; b"" for one that reaches nothing of the program
        self.plain: Any = None  # the function that was submitted last and that has captured nothing
        self.isolation = Isolation(self.local)
        self.state = self.isolation.state
        self.workload = self.machine.workload
        self.loaded: dict[bytes, Any] = {}
        self.ready: deque[Waiter] = deque()
        self.idle_runners: list[greenlet.greenlet] = []
        self.timers: list[tuple[float, int, Waiter]] = []
        self.context: Context | None = None  # of the Future that runs; None: not made yet
        self.others = OtherThreads(self)
        self.scopes: dict[Any, dict[str, Any]] = {}  # what Futures that are under way have named
        self.locks = Locks(self)
        self.recalls = Recalls()
        self.switches = 0
        self.depth = 0
        self.pump_at = 0.0
        self.max_tasks, self.tasks = max_tasks, 0
        self.stopping = False
        self._relief = threading.Thread()  # never started: not alive
        self._order = itertools.count()
        self._thread = threading.get_ident()
        self.hub = greenlet.getcurrent()
        self._actions[rules.Run] = self._run

    # -- the loop ----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Run Futures until told to stop (the main thread's main greenlet)."""
        while not self.stopping:
            runner = self.idle_runners.pop() if self.idle_runners else self._new_runner()
            runner.switch()

    def _new_runner(self) -> greenlet.greenlet:
        runner = greenlet.greenlet(self._runner, self.hub)
        runner.gr_context = self.isolation.fresh()
        return runner

    def _runner(self) -> None:
        workload = self.workload
        while not self.stopping:
            if self.ready:
                self._resume_ready()
            elif workload.has_priorities and self._is_fetched_first():
                self._run_fetched(workload.queue[0])
            elif (future := self._next_own()) is not None:
                self._run_own(future)
                future = None  # its result is let go now, not when the next one comes
                if time.monotonic() >= self.pump_at:
                    self.pump()
            elif workload.queue and not self.locks.locked_in:
                self._run_fetched(workload.queue[0])
            else:
                self._rest()

    def _is_fetched_first(self) -> bool:
        return not self.locks.locked_in and self.workload.goes_before(self._own_priority())

    def _resume_ready(self) -> None:
        waiter = self.ready.pop()
        self.idle_runners.append(greenlet.getcurrent())
        waiter.greenlet.switch()

    def _own_priority(self) -> float:
        """The priority of the own Future that would run next."""
        priority, level = self.own.highest()
        return priority if level else -math.inf

    def _next_own(self) -> Future | None:
        own = self.own
        while True:
            level = own.highest()[1] if own.levels else own.common
            try:
                future = level.pop()
            except IndexError:  # empty, or a helper or foreign thread was faster
                if not own.levels:
                    return None
            else:
                if self.claim(future):
                    return future

    def claim(self, future: Future) -> bool:
        """Make an own Future this thread's to run; False when it was cancelled, given, or started elsewhere."""
        self.lock.acquire()  # a third of what a with statement takes, on the way of each nested Future
        try:
            if future._call is None or future._number in self.futures or future._state != PENDING:
                return False
            future._state = RUNNING
            return True
        finally:
            self.lock.release()

    def _rest(self) -> None:
        """Nothing to run: send what has finished, and wait for something to arrive."""
        self.cells[PIECE], self.context = 0, None
        with self.lock:  # first of all, for somebody may be waiting for it
            self._send_results()
            self.flush()
        self.pump()
        if self.ready or self.own or (self.workload.queue and not self.locks.locked_in) or self.stopping:
            return
        if self.locks.locked_in:
            self._recall()
        if self.max_tasks is not None and self.tasks >= self.max_tasks and not self.locks.waits:
            self._leave()
            return
        if self._driver.acquire(blocking=False):
            self._driving = self._thread
            try:
                self.poll(self._poller, self.timers[0][0] if self.timers else None)
            finally:
                self.driven_at = time.monotonic()
                self._driver.release()
            self.take_in()
            if (self.machine.durations.last or 0.0) > HURRY_SECONDS:
                self.pump()  # ask for what is to run next while this one runs

    def poll(self, poller: select.poll, deadline: float | None) -> list[tuple[int, int]]:
        """Wait as every node does; end the process when the host process hangs up."""
        ready = super().poll(poller, deadline)
        if any(descriptor == self.control for descriptor, _ in ready):
            self.end()
        return ready

    def end(self) -> None:
        """End this process, from whichever thread."""
        for last_word in self.at_end:
            last_word()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(0)

    def pump(self) -> None:
        """Between Futures: drain the sockets, send results, say what is here."""
        self.driven_at = now = time.monotonic()
        self.pump_at = now + PUMP_EVERY_SECONDS
        self.service()
        if self.timers:
            self._wake_timers()

    def _wake_timers(self) -> None:
        now = time.monotonic()
        while self.timers and self.timers[0][0] <= now:
            self.wake_greenlets([heapq.heappop(self.timers)[2]])

    def _send_due(self) -> None:
        """Besides what every node sends: outcomes, unstarted Futures that others hunger for, and Demand."""
        self._send_results()
        stuck, machine, workload = self._stuck_seconds(), self.machine, self.workload
        last, locked_in = machine.durations.last, self.locks.locked_in > 0
        if workload.queue:
            for back in workload.surplus(stuck, machine.hunger, last, locked_in=locked_in):
                self.step(back)
        super()._send_due()
        if stuck:
            self._report_running(stuck)
        if stuck > STILL_SECONDS and self.own and not self._relief.is_alive():
            self._relief = threading.Thread(target=self.others.relieve, name="fedfutures-relief", daemon=True)
            self._relief.start()
        if (self.max_tasks is None or self.tasks < self.max_tasks) and not self.preparing:
            busy, one_by_one = bool(self.cells[PIECE]) or bool(self.ready), self.max_tasks is not None
            self.step(workload.load(stuck, len(self.own), busy, last, locked_in=locked_in, one_by_one=one_by_one))

    def _report_running(self, stuck: float) -> None:
        """What has been running for long can no longer be cancelled; of a slice, others take what is not started."""
        running = self.running()
        kept = slices.cut(running) if stuck > CUT_SECONDS else 0
        report = self.workload.report(stuck, running, kept)
        if report is not None:
            self.step(report)

    def _stuck_seconds(self) -> float:
        """How long one Future has kept the main thread; 0.0 when that is who asks."""
        return 0.0 if threading.get_ident() == self._thread else time.monotonic() - self.driven_at

    def helper_poller(self) -> select.poll:
        """Listen to the Main socket only while own Futures are out; what is to run later can wait for the main thread.

        Waking for each Batch that arrives while a Future runs would cost as much as all the rest of its journey.
        """
        return self._helper_poller if self.futures else self._quiet_poller

    def help_deadline(self) -> float | None:
        """When what waits behind the Future that runs is to be given back, or that Future to be reported."""
        running = self.running()
        if self.own and not self._relief.is_alive():
            return self.driven_at + STILL_SECONDS
        look_at = self.workload.look_again_at(
            self.driven_at, self.machine.durations.last, running, can_be_cut=slices.can_be_cut(running)
        )
        if look_at < math.inf:
            return look_at
        return time.monotonic() + LOOK_SECONDS if running[0] else None

    def running(self) -> tuple[int, int]:
        """Return which Future runs, or for which one an own Future runs: piece and number."""
        return int(self.cells[PIECE]), int(self.cells[NUMBER])

    def _send_results(self) -> None:
        found = self.workload.results()
        if found:
            self._flush_output()
            for finished in found:
                self.step(finished)

    def _flush_output(self) -> None:
        """What Futures printed goes out before their results do."""
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()

    def _recall(self) -> None:
        """Ask for the own Futures that were given, every so often: this Worker may run nothing else."""
        with self.lock:
            wanted = self.recalls.due(self.futures, time.monotonic())
            if wanted:
                self.step(rules.CancelGiven(wanted))
                self.flush()

    def offer(self) -> None:
        """Give own Futures; but what was recalled is for this Worker, which takes the next one itself."""
        if not self.locks.locked_in or self.cells[PIECE]:
            super().offer()

    def _resolve(self, action: rules.Resolve) -> None:
        if self.recalls.asked:
            back = self.recalls.come_back(action.ids, action.odd)
            if back:
                self._reclaim(rules.Reclaim(back))
                kept = [entry for entry in zip(action.ids, action.outcomes) if entry[0] not in back]
                action = rules.Resolve([n for n, _ in kept], [o for _, o in kept], action.odd)
        super()._resolve(action)

    def cancel_all(self, futures: list[Future]) -> int:
        """Cancel for good, also what is being recalled."""
        self.recalls.forget(future._number for future in futures)
        return super().cancel_all(futures)

    def _leave(self) -> None:
        with self.lock:
            self.step(rules.Leave("it has run max_tasks_per_child Futures"))
            self.flush()
        self.stopping = True
        self.hub.switch()

    # -- what others gave --------------------------------------------------------------------------------------------

    def _run(self, action: rules.Run) -> None:
        terms, seal = self.workload.pieces[action.piece].terms, self.payloads.seal
        function = self.loaded.get(terms.function)
        if function is None:
            function = functions.Unloaded(action.body, terms.function if seal is not None else None)
            while len(self.loaded) >= LOADED_FUNCTIONS_KEPT:
                oldest = next(iter(self.loaded))
                del self.loaded[oldest]
                self.machine.forget(oldest)
            self.loaded[terms.function] = function
        stamp = None if seal is None else seal.stamp(terms.function, terms.submitter)
        self.workload.enqueue(action.piece, function, stamp)

    def _run_fetched(self, piece: HeldPiece) -> None:
        """Run the Futures of a piece one after the other, as long as nothing else is more urgent."""
        function, call, seen, brings = _NOTHING_LOADED
        todo, finished, cells, load, dump = piece.todo, piece.finished, self.cells, self._load_call, dump_result
        clock, stamp, isolation, state = time.monotonic, piece.stamp, self.isolation, self.state
        began, size = clock(), 0
        while not self.stopping:
            try:
                number, payload = todo.popleft()
            except IndexError:
                with contextlib.suppress(ValueError):  # mostly the first, unless the helper thread has just put one
                    self.workload.queue.remove(piece)  # before it
                break
            cells[NUMBER], cells[PIECE] = number, piece.number
            self.context = None
            self.tasks += 1
            if not state.calm:
                self._settle_state()
            switches = self.switches
            kind = VALUE
            try:
                if stamp is not None:
                    payload = self._open(piece, number, payload)
                if payload[0] == MARKED:
                    payload = self._see(payload, piece.terms.root)
                    if function is None or brings or seen != self.seen:
                        function, seen, brings = self._function_of(piece)
                elif function is None or seen:
                    self.seen = b""
                    function, seen, brings = self._function_of(piece)
                args, kwargs = call = load(payload)
                run = isolation.fresh().run
                value = run(function, *args, **kwargs) if kwargs else run(function, *args)
                outcome = _NONE if value is None else dump(value, self.payloads, function, args)
            except BaseException as error:
                outcome, kind = self._failure(error, piece, function, call), ERROR
            if self.scopes:
                self._end_scope()
                self._end_scope(self._scope_of_threads())
            if not state.calm:  # at once: an alarm that the Future has left could go off
                self._settle_state()
            value = args = kwargs = call = None
            self.driven_at = now = clock()  # the helper thread sees that this thread gets on
            # What has waited has let others run: how long it took says nothing.
            finished.append((number, outcome, kind, now - began if self.switches == switches else 0.0))
            began = now
            size += len(outcome)
            if self.ready or now >= self.pump_at or size > FINISHED_BYTES_AT_MOST:
                break
        if todo or self.ready:
            self.pump()

    def _see(self, payload: bytes, origin: str) -> bytes:
        """Bring the program's modules to the snapshot in front of a payload; return the payload without it."""
        digest, payload = split(payload)
        self.seen = digest
        if digest != self.namespaces.current:
            self.namespaces.origin = origin
            self.namespaces.switch(digest)
        return payload

    def _function_of(self, piece: HeldPiece) -> tuple[Any, bytes, bool]:
        """Return the function of a piece as the snapshot now seen has it, that, and whether calls bring their own."""
        try:
            function = piece.definition.load(self.payloads, self.seen)
            if type(function) is functions.SnapshotCallable:
                return function.found(), self.seen, True
            return function, self.seen, False
        except SealBroken as error:
            raise SealBroken(*error.args) from error
        except FutureError:
            raise
        except BaseException as error:
            failure = ArgumentLoadError(f"the function cannot be loaded on Worker {self.name}: {error!r}")
            failure.of_function = True
            raise failure from error

    def _open(self, piece: HeldPiece, number: int, sealed: bytes) -> bytes:
        """Check the seal of a payload and take it off."""
        payload: bytes | None = piece.stamp.open(number, sealed)
        if payload is None:
            raise SealBroken(
                f"{piece.name}() came to Worker {self.name} with a seal that is not right: the task was altered on its "
                f"way from the submitter, by one of the Brokers in between. It was not run."
            )
        return payload

    def _load_call(self, payload: bytes) -> Any:
        try:
            return self.payloads.load(payload)
        except FutureError:
            raise
        except BaseException as error:
            raise ArgumentLoadError(f"the arguments cannot be loaded on Worker {self.name}: {error!r}") from error

    def _failure(self, error: BaseException, piece: HeldPiece, function: Any, arguments: Any) -> bytes:
        args, kwargs = arguments or (None, None)
        return dump_failure(error, self.payloads, failing.where(error, function, args, kwargs, piece.name))

    # -- own Futures -------------------------------------------------------------------------------------------------

    def submit(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], priority: int | None = None
    ) -> Future:
        """Submit one call; it stays here until somebody asks for it.

        It has the root of the Future that runs, sees what that sees of the program, and has its priority unless another
        is given.
        """
        if function is not self.plain:
            function = self._taken(function)
        for arg in args:
            if type(arg) not in ATOMS:
                args, kwargs = self._isolate(function, args, kwargs)
                break
        else:
            if kwargs:
                args, kwargs = self._isolate(function, args, kwargs)
        is_main = threading.get_ident() == self._thread
        context = self.context if is_main else self.others.context or self.context
        if context is None:
            context = self._make_context(keep=is_main)
        if priority is not None:
            context = context._replace(priority=priority)
        future = Future(self, next(self.numbers), (function, args, kwargs, context))
        if context.priority:
            self.workload.expect_priorities()
            future._priority = context.priority
            self.own.put(future, context.priority)
        else:
            self.own.common.append(future)
        if not is_main:
            self.wake()
            return future
        self.driven_at = now = time.monotonic()
        if now >= self.pump_at:
            self.pump()
        return future

    def submitter(self, function: Callable[..., Any], priority: int | None = None) -> slices.LocalSubmitter:
        """Return what submits many calls of one function."""
        if isinstance(function, functions.Wrapper):
            function = isolated(function, self._copy).bind(self.payloads)
            if isinstance(function, slices.Slice):
                function.is_whole = True  # where it runs here: others are told of what they gave
        return slices.LocalSubmitter(lambda args: self.submit(function, args, {}, priority))

    def _taken(self, function: Any) -> Any:
        """Return a callable as it stands; the last one that needed no copy is remembered."""
        if isinstance(function, functions.Wrapper):  # of a map: a copy already, which is bound
            return function if hasattr(function, "payloads") else isolated(function, self._copy).bind(self.payloads)
        taken = isolated(function, self._copy)
        if taken is function:
            self.plain = function
        return taken

    def _copy(self, value: Any) -> Any:
        return self.local.copy(value)

    def _isolate(self, function: Any, args: Any, kwargs: Any) -> Any:
        try:
            return self._copy((args, kwargs))
        except Exception as error:
            raise pickle.PicklingError(culprits.of_arguments(function, args, kwargs, error)) from None

    def _urgent(self) -> int:
        """Some for each other Worker, so that they leave less urgent work for it; the rest is done fastest here."""
        room = URGENT_PER_WORKER * (self.size - 1) - self.machine.given_count
        return max(0, min(room, self.machine.urgent()))

    def _pack_call(self, future: Future) -> tuple[Any, bytes, str]:
        """Make a local call ready to travel; it is given away. Runs under the lock."""
        if future._state != PENDING:
            return None, b"", ""
        function, args, kwargs, context = future._call
        try:
            if isinstance(function, Packed):
                definition, payload = function.definition, function.payload
            else:
                definition, payload = self._pack(function, args, kwargs)
        except Exception as error:
            refused = pickle.PicklingError(culprits.of_function(function, error))
            if future._settle(None, error if isinstance(error, NoRoom) else refused):
                self._callbacks.append(future)
            return None, b"", ""
        payload = join(context.snapshot, payload)
        future._call = (definition, payload, context.root)
        return definition, payload, context.root

    def _pack(self, function: Any, args: Any, kwargs: Any) -> tuple[functions.Definition, bytes]:
        try:
            return self.functions.define(function), self.payloads.dump((args, kwargs))
        except pickle.PicklingError:  # of a definition that is too large for one: its data travel as an argument
            return self.functions.define(call), self.payloads.dump(((parts_of(function), *args), kwargs))

    def _take_back(self, future: Future) -> None:
        """It may run here after all."""
        definition, payload, root = future._call
        snapshot, payload = split(payload)
        context = Context(0, 0, root, future._priority, snapshot)
        future._call = (Packed(self.payloads, definition, payload), (), {}, context)

    def _run_own(self, future: Future) -> None:
        """Run an own Future that the main thread has claimed."""
        context = future._call[3]
        if context is not self.context:
            self._enter(context)
        if not self.state.calm:
            self._settle_state()
        self.run_call(future)
        del future  # the traceback of an error may hold this frame
        if not self.state.calm:
            self._settle_state()

    def _settle_state(self) -> None:
        """Before and after a Future: wait for those that run in other threads, and bring the process to its base."""
        failures = 0
        while True:
            try:
                self.others.let_by()
                self.state.restore()
                if not self.others.wanted:
                    return
            except BaseException:  # of a handler that the Future has left
                failures += 1
                if failures > LATE_HANDLERS:
                    raise

    def run_call(self, future: Future, before_settling: Callable[[], object] | None = None) -> None:
        """Call what an own Future is to call, and settle it."""
        function, args, kwargs, _ = future._call
        future._call = value = failure = None
        try:
            run = self.isolation.fresh().run
            if kwargs:
                value = run(function, *args, **kwargs)
            elif len(args) == 1:  # half the price of unpacking
                value = run(function, args[0])
            else:
                value = run(function, *args)
            if type(value) not in ATOMS:
                value = self.local.load(dump_result(value, self.local.pickler, function, args, self.local.dump))
        except greenlet.GreenletExit:
            raise
        except BaseException as error:
            failure = error
            with contextlib.suppress(RecursionError):  # it may have been raised where hardly a frame was left
                failing.note(error, function, args, kwargs)
        if self.scopes:
            self._end_scope()
        if before_settling is not None:
            before_settling()
        self.lock.acquire()
        try:
            has_callbacks = future._settle(value, failure)
        finally:
            self.lock.release()
        if has_callbacks:
            future._invoke_callbacks()
        if failure is not None:  # whose traceback holds this frame: it is not to hold the Future
            del future, failure

    # -- on whose behalf ---------------------------------------------------------------------------------------------

    def _make_context(self, *, keep: bool = True) -> Context:
        """Make the context of the fetched Future that runs in the main thread; that one keeps it."""
        piece = self.workload.pieces.get(self.cells[PIECE])
        if piece is None:
            return NOWHERE
        context = Context(piece.number, self.cells[NUMBER], piece.terms.root, piece.terms.priority, self.seen)
        if keep:
            self.context = context
        return context

    def _enter(self, context: Context) -> None:
        """From now on the main thread runs something on this behalf; the host process can see it."""
        self.context = context
        self.cells[PIECE], self.cells[NUMBER] = context.piece, context.number
        self.seen = context.snapshot
        if context.snapshot and context.snapshot != self.namespaces.current:
            self.namespaces.origin = context.root
            self.namespaces.switch(context.snapshot)

    def scope(self) -> dict[str, Any]:
        """What the Future that runs has named; forgotten when it ends."""
        return self.scopes.setdefault(self._scope_key(), {})

    def _end_scope(self, key: Any = None) -> None:
        key = key or self._scope_key()
        for ending in list(self.scopes.get(key, {}).values()):
            if isinstance(ending, Ending):
                ending.end()
        self.scopes.pop(key, None)

    def _scope_key(self) -> Any:
        """Which of the Futures under way is asking: those of one greenlet or thread run inside each other."""
        if self.is_main_thread():
            return greenlet.getcurrent(), self.depth
        return (greenlet.getcurrent(), self.others.depth) if self.others.depth else self._scope_of_threads()

    def _scope_of_threads(self) -> Any:
        """Threads that a Future has made, and that run no Future: what they name is of the root that now runs."""
        return int(self.cells[PIECE]), int(self.cells[NUMBER])

    def _why_waiting(self) -> str:
        return "this Worker runs the youngest first, and gives the oldest away when others have nothing to run"

    # -- waiting -----------------------------------------------------------------------------------------------------

    def is_main_thread(self) -> bool:
        """Whether the thread that asks is the one in which Futures run."""
        return threading.get_ident() == self._thread

    def waits_in_place(self) -> bool:
        """Whether the main thread has been waiting for a second in a way that is not ours: for a thread or a loop."""
        frame = sys._current_frames().get(self._thread)
        is_waiting = frame is not None and os.path.basename(frame.f_code.co_filename) in (
            "threading.py",
            "selectors.py",
        )
        return is_waiting and time.monotonic() - self.driven_at > IN_PLACE_SECONDS

    def wait(self, future: Future, timeout: float | None) -> None:
        """Wait for a Future from user code, by running it, or by letting others run meanwhile."""
        if threading.get_ident() != self._thread:
            self.others.wait(future, timeout)
            return
        if (
            timeout is None
            and self.depth < INLINE_DEPTH
            # What runs inside of the Future that waits is to find nothing of that: no state, lock, error, or depth.
            and self.state.calm
            and not self.locks.held
            and _exception() is None
            and (sys._getframe(3).f_code in _CALLERS or is_shallow())  # mostly the first is so, and quicker to tell
            and self.claim(future)
        ):
            self._run_inside(future)
            return
        deadline = None if timeout is None else time.monotonic() + timeout
        while not future.done() and (deadline is None or time.monotonic() < deadline):
            waiter = Waiter()
            with self.lock:
                if future.done():
                    return
                if future._waiting is None:
                    future._waiting = []
                future._waiting.append(waiter)
            self.switch_out(
                waiter, deadline, future if timeout is None else None
            )  # returns early when a timer of the Future's is due

    def _run_inside(self, future: Future) -> None:
        """Run an own Future in the place of the one that waits for it."""
        outer, inner = self.context or self._make_context(), future._call[3]
        if inner is not outer:
            self._enter(inner)
        self.depth += 1
        try:
            self.run_call(future)
        finally:
            self.depth -= 1
        if not self.state.calm:
            self._settle_state()
        if self.context is not outer:
            self._enter(outer)

    def switch_out(self, waiter: Waiter, deadline: float | None, what: Any = None) -> None:
        """Let other greenlets run until this one is woken or its time is over; `what` is what it waits for."""
        if waiter.greenlet is self.hub:
            raise CancelledError  # the Worker is ending
        if deadline is not None:
            heapq.heappush(self.timers, (deadline, next(self._order), waiter))
        context = self.context or self._make_context()
        depth, self.depth = self.depth, 0
        if not self.state.calm:
            self.others.let_by()
        column, self.state.column = self.state.column, None
        values = self.state.suspend() if self.state.dirty else None
        if values is not None and (due := alarm_at(values)) is not None:
            heapq.heappush(self.timers, (due, next(self._order), waiter))
        self.switches += 1
        if context.snapshot:
            self.namespaces.suspend(context.snapshot)
        is_locked_in = self.locks.suspend(waiter.greenlet, what)
        while not waiter.woken:
            self.hub.switch()
        self.locks.resume(waiter.greenlet, is_locked_in)
        self.depth = depth
        if not self.state.calm:
            self.others.let_by()
        if context.snapshot:
            self.namespaces.origin = context.root
            self.namespaces.resume(context.snapshot)
        self._enter(context)
        self.state.column = column
        if values is not None:
            self.state.resume(values)

    def wake_greenlets(self, greenlets: list[Any]) -> None:
        """Put waiting greenlets among those to be switched in next."""
        for waiter in greenlets:
            if not waiter.woken:
                waiter.woken = True
                self.ready.append(waiter)
        if threading.get_ident() != self._thread:
            self.wake()

    def adapt(self, waiter: Any, future: Future) -> None:
        """Let the standard library's ``wait`` and ``as_completed`` switch greenlets instead of blocking the thread."""
        if not isinstance(getattr(waiter, "event", None), (GreenEvent, HelpfulEvent, type(None))):
            waiter.event = GreenEvent(self) if self.is_main_thread() else HelpfulEvent(self.others.help_until)
        if isinstance(getattr(waiter, "event", None), GreenEvent):
            waiter.event.futures.append(future)


_CALLERS = (Worker.run_call.__code__, Worker._run_fetched.__code__)
"""What the function of a Future is called by."""
