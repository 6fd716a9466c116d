"""Calls: how a Worker runs one Future, and what it makes of the outcome. Here is the hot loop.

Arguments and results of own Futures that stay here go through pickle too, unless they are immutable: a Future sees
the same objects, and the same errors, wherever it runs.
"""

from __future__ import annotations

import contextlib
import functools
import pickle
from collections.abc import Callable
from time import monotonic
from typing import Any

import greenlet

from ..errors import ArgumentLoadError, FutureError, SealBroken
from ..host.crash_cells import NESTED
from ..node import events as rules
from ..node.workload import HeldPiece
from ..program.snapshots import MARKED
from ..wire import functions
from ..wire.copies import Copies
from ..wire.failures import dump_failure
from ..wire.messages import ERROR, VALUE
from ..wire.names import host_of_node
from ..wire.payload import Payloads
from ..wire.seal import proof_of
from . import (
    failing,
    slices as slices,  # registers the wrappers that definitions may name
)
from .capture import CapturedCall
from .driver import DRIVEN, PUMP_DUE, Driver
from .future import Future, invoke_callbacks, settle
from .future_fields import home_of
from .interrupts import calls_futures
from .plain import ATOMS
from .results import dump_result
from .runners import Pump, Runners
from .surroundings import Surroundings

LOADED_FUNCTIONS_KEPT = 4096
FINISHED_AT_MOST = 4 << 20  # bytes
_NONE = pickle.dumps(None, 5)
_NOTHING_LOADED: Any = (None, None, b"", False, b"")
_LOADING: Any = ()
"""Stands for the arguments of a call that are being loaded."""


class Calls:
    """Calls the functions of Futures in the main thread, and those of own Futures in any."""

    __slots__ = (
        "_driver", "_dump_near", "_host", "_loaded", "_local", "_lock", "_name", "_payloads", "_pump", "_runners",
        "_surroundings", "_was_told", "_workload", "leaving", "most_tasks", "tasks",
    )  # fmt: skip

    def __init__(
        self, driver: Driver, payloads: Payloads, local: Copies, surroundings: Surroundings, runners: Runners,
        pump: Pump, most_tasks: int | None,
    ) -> None:  # fmt: skip
        self._driver, self._lock, self._name = driver, driver.lock, driver.name
        self._payloads, self._local, self._host = payloads, local, host_of_node(driver.name)
        self._dump_near = functools.partial(payloads.dump, near=True)
        self._surroundings, self._runners, self._workload = surroundings, runners, driver.machine.workload
        self._loaded: dict[bytes, Any] = {}  # functions of others
        self._pump = pump
        self.leaving = self._was_told = False  # whether this Worker is to end; whether it was told so for good
        self.tasks, self.most_tasks = 0, most_tasks  # Futures of others: run, and to be run at most (None: any number)

    @property
    def has_enough(self) -> bool:
        """Whether this Worker has run as many Futures of others as it may, or was told to end."""
        return self.leaving or (self.most_tasks is not None and self.tasks >= self.most_tasks)

    def leave(self) -> None:
        """Run no more Futures of others, from now on."""
        self.leaving = self._was_told = True

    def withdraw(self, *, stays: bool) -> None:
        """Run no more Futures of others: this Worker is one too many. `stays`: it is no longer."""
        self.leaving = self._was_told or not stays

    def on_run(self, action: rules.Run) -> None:
        """A piece and its function are here: put it into the queue. The lock is held."""
        terms, seal = self._workload.pieces[action.piece].terms, self._payloads.seal
        function = self._loaded.get(terms.function)
        if function is None:
            function = functions.Unloaded(action.body, terms.function if seal is not None else None)
            while len(self._loaded) >= LOADED_FUNCTIONS_KEPT:
                oldest = next(iter(self._loaded))
                del self._loaded[oldest]
                self._driver.machine.forget(oldest)
            self._loaded[terms.function] = function
        stamp = None if seal is None else seal.stamp(terms.function, terms.submitter)
        self._workload.enqueue(action.piece, function, stamp)

    # -- Futures of others -------------------------------------------------------------------------------------------

    @calls_futures
    def run_fetched(self, piece: HeldPiece) -> None:
        """Run the Futures of a piece one after the other, as long as nothing else is more urgent."""
        (function, call, seen, brings, task), value_kind = _NOTHING_LOADED, piece.value_kind
        todo, finished, payloads, runners = piece.todo, piece.finished, self._payloads, self._runners
        surroundings, stamp, times = self._surroundings, piece.stamp, self._driver.times
        begin, load, isolation, state = surroundings.begin, payloads.load, surroundings.isolation, surroundings.state
        began, size, limit, dump = monotonic(), 0, piece.limit_alone, stamp and self._dump_for(piece.terms.submitter)
        while True:
            try:
                number, payload = todo.popleft()
            except IndexError:
                with contextlib.suppress(ValueError):  # mostly the first, unless the helper thread has just put one
                    self._workload.queue.remove(piece)  # before it
                break
            begin(piece.number, number, limit)
            self.tasks += 1
            switches, kind = runners.switches, value_kind
            try:
                if stamp is not None:
                    task = proof_of(payload)
                    payload = self._open(piece, number, payload)
                if payload[0] == MARKED:
                    payload = surroundings.see(payload, piece.terms.root)
                    if function is None or brings or seen != surroundings.seen:
                        function, seen, brings = self._function_of(piece)
                elif function is None or seen:
                    surroundings.see_nothing()
                    function, seen, brings = self._function_of(piece)
                call = _LOADING
                args, kwargs = call = load(payload)
                run = isolation.call_in().run
                value = run(function, *args, **kwargs) if kwargs else run(function, *args)
                outcome = _NONE if value is None else dump_result(value, payloads, function, args, dump)
            except BaseException as error:
                outcome, kind = self._failure(error, piece, function, call), ERROR
            if stamp is not None:
                outcome = self._sealed(task, kind, outcome)
            if limit or surroundings.scopes:
                surroundings.end_fetched()
            if not state.calm:  # at once: an alarm that the Future has left could go off
                surroundings.settle()
            value = args = kwargs = call = None
            times[DRIVEN] = now = monotonic()  # the helper thread sees that this thread gets on
            # What has waited has let others run: how long it took says nothing of the function, and is negative.
            finished.append((number, outcome, kind, now - began if runners.switches == switches else began - now))
            began = now
            size += len(outcome)
            if runners.ready or now >= times[PUMP_DUE] or size > FINISHED_AT_MOST or (limit and runners.suspended):
                break
        if todo or runners.ready:
            self._pump()

    def _dump_for(self, submitter: str) -> Callable[..., bytes] | None:
        """Return what writes the results that go to a submitter, where that is on this host: it needs no digests.

        Nobody on the way can make a far submitter look near: its name is under the seal of each task. And what comes
        from another host without digests, no submitter uses.
        """
        return self._dump_near if self._host and host_of_node(submitter) == self._host else None

    def _function_of(self, piece: HeldPiece) -> tuple[Any, bytes, bool]:
        """Return the function of a piece as the snapshot now seen has it, that, and whether calls bring their own."""
        seen = self._surroundings.seen
        try:
            function, brings = piece.definition.load(self._payloads, seen), False
            if type(function) is functions.SnapshotCallable:
                function, brings = function.found(), True
            if piece.value_kind != VALUE:
                function = CapturedCall(function).in_worker(self._payloads, self._surroundings.running)
            return function, seen, brings
        except SealBroken as error:
            raise SealBroken(*error.args) from error
        except FutureError:
            raise
        except BaseException as error:
            reason = f"the function cannot be loaded on Worker {self._name}: {error!r}"
            raise ArgumentLoadError(reason, of_function=True) from error

    def _open(self, piece: HeldPiece, number: int, sealed: bytes) -> bytes:
        """Check the seal of a payload and take it off."""
        payload: bytes | None = piece.stamp.open(number, sealed)
        if payload is None:
            raise SealBroken(
                f"Worker {self._name} did not run {piece.name}(), because the seal is wrong: the task was altered on "
                f"its way from the submitter, by one of the Brokers in between."
            )
        return payload

    def _sealed(self, task: bytes, kind: int, outcome: bytes) -> bytes:
        """Return an outcome with the seal behind it that shows its submitter that it is this task's."""
        seal = self._payloads.seal
        assert seal is not None
        return seal.outcomes.seal(task, kind, outcome)

    def _failure(self, error: BaseException, piece: HeldPiece, function: Any, call: Any) -> bytes:
        """Return the outcome of a Future that has raised; `call`: its arguments, if it came so far."""
        if call is _LOADING and isinstance(error, SealBroken):
            error = SealBroken(f"Worker {self._name} did not run {piece.name}(): {error}.")
        if call is _LOADING and not isinstance(error, FutureError):
            try:
                raise ArgumentLoadError(f"the arguments cannot be loaded on Worker {self._name}: {error!r}") from error
            except ArgumentLoadError as failure:
                error = failure
        args, kwargs = call or (None, None)
        return dump_failure(error, self._payloads, failing.where(error, function, args, kwargs, piece.name))

    # -- own Futures -------------------------------------------------------------------------------------------------

    def run_own(self, future: Future[Any], call: Any) -> None:
        """Run an own Future that the main thread has claimed, with the call that it has got by that."""
        surroundings = self._surroundings
        context = call[3]
        if context is not surroundings.context:
            surroundings.enter(context)
        if not surroundings.state.calm:
            surroundings.settle()
        surroundings.cells[NESTED] = 1
        self.run_call(future, call)
        surroundings.cells[NESTED] = 0
        del future, call  # the traceback of an error may hold this frame
        if not surroundings.state.calm:
            surroundings.settle()

    @calls_futures
    def run_call(self, future: Future[Any], call: Any, before_settling: Callable[[], object] | None = None) -> None:
        """Make the call of an own Future that was claimed, and settle it."""
        function, args, kwargs, _ = call
        call = value = failure = None
        surroundings = self._surroundings
        try:
            run = surroundings.isolation.call_in().run
            if kwargs:
                value = run(function, *args, **kwargs)
            elif len(args) == 1:  # half the price of unpacking
                value = run(function, args[0])
            else:
                value = run(function, *args)
            if type(value) not in ATOMS:
                local = self._local
                value = local.load(dump_result(value, local.pickler, function, args, local.dump))
        except greenlet.GreenletExit:
            raise
        except BaseException as error:
            failure = error
            with contextlib.suppress(RecursionError):  # it may have been raised where hardly a frame was left
                failing.note(error, function, args, kwargs)
        if surroundings.scopes:
            surroundings.end_scope()
        if before_settling is not None:
            before_settling()
        again = None if failure is None or future.tries is None else future.tries.remade()
        self._lock.acquire()
        try:
            if again is not None and failure is not None:
                failure = home_of(future).retrier.failed(future, failure, again, failing.where_of(failure))
                has_callbacks = failure is not None and settle(future, None, failure)
            else:
                has_callbacks = settle(future, value, failure)
        finally:
            self._lock.release()
        if has_callbacks:
            invoke_callbacks(future)
        if failure is not None:  # whose traceback holds this frame: it is not to hold the Future
            del future, failure


RUN_CALL, RUN_FETCHED = CALLERS = (Calls.run_call.__code__, Calls.run_fetched.__code__)
"""The code that calls the functions of Futures; who looks at a stack finds its frames by it."""
