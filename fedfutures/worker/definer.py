"""The Origin's definitions: functions together with the snapshot that their calls see of the program."""

from __future__ import annotations

import contextlib
import sys
import threading
from types import FunctionType
from typing import Any

from ..program.callables import not_callable
from ..program.modules import Key
from ..program.pickling import dump_variable
from ..program.plans import JointPlan, Plan, identity
from ..program.postponing import pickles_for_program
from ..program.probes import is_plain, probe_for
from ..program.process import Counts, ProcessChanges, keys_of
from ..program.reach import Reach
from ..program.tokens import EXACT_BYTES, Named, examine, is_found_in, key_of_definition
from ..program.variables import SNAPSHOTS_KEPT, Snapshot, Variable, Variables, Version
from ..wire.captured import Captured
from ..wire.functions import (
    Definition,
    FunctionCache,
    Wrapper,
    is_of_package,
    is_plain_builtin,
    key_of,
    still_is,
)
from ..wire.manifest import MANIFEST
from ..wire.payload import Payloads

pickles_for_program(__name__)

PLANS_KEPT = 1024
JOINT_PLANS_KEPT = 16
"""So many are remembered of those that hold callables without a name, and what these hold: up to 64 KiB each."""
LOCK_SECONDS = 20.0
"""How long an answer waits for a thread that defines something; it may be waiting for the node in turn."""


class Definer:
    """Defines what the program submits; a definition is used again as long as nothing that it reaches has changed."""

    def __init__(self, payloads: Payloads, functions: FunctionCache, process: ProcessChanges) -> None:
        self._payloads, self._functions, self._process = payloads, functions, process
        self.variables = Variables(self._dump, payloads.release)
        self._captured = Captured(payloads)
        self._lock = threading.RLock()
        self._plans: dict[Any, Plan] = {}
        self._joint: dict[Any, JointPlan] = {}  # of wrappers, and of callables that come along
        self._changes: dict[str, Any] = {}
        self._extended: dict[tuple[Any, ...], tuple[list[Version], Snapshot]] = {}

    def statistics(self) -> dict[str, int]:
        """Return how many plans there are, joint plans and extended snapshots, and what the variables count."""
        counts = {"plans": len(self._plans), "joint plans": len(self._joint), "extended": len(self._extended)}
        return counts | self.variables.statistics()

    def define(self, function: Any) -> Definition:
        """Return the definition of a function as it is now, with what it sees. Raises what pickling raises."""
        process = self._process
        if Counts.changes != process.count or sys.path != process.path or (process.in_full and process.has_changed()):
            with self._lock:
                self._changes = process.current()
                self._plans.clear()
                self._joint.clear()
        is_function = type(function) is FunctionType
        try:
            plan = self._plans.get(function) if is_function or not isinstance(function, Wrapper) else None
        except TypeError:  # not hashable
            plan = None
        if plan is not None and plan.is_current(function):
            return plan.definition  # type: ignore[no-any-return]
        functions, key = ([function], id(function)) if is_function else _parts_of(function)
        joint = self._joint.get(key) if plan is None or not is_function else None
        if joint is not None and joint.is_current(functions):
            return joint.definition  # type: ignore[no-any-return]
        with self._lock:
            return self._define(function)

    def _define(self, function: Any) -> Definition:
        if not callable(function):
            raise not_callable("submit", function)
        reached, brought = Reach(), list[tuple[bytes, Reach]]()
        definition = self._defined(function, reached, brought)
        reached.reads.update(keys_of(self._changes))
        variables = self.variables.reached_from(reached)
        snapshot = None
        if variables or brought or self._changes:
            snapshot = self.variables.snapshot(variables, self._changes, brought, reach=reached)
            definition = definition._replace(snapshot=snapshot)
        if all(len(body) <= EXACT_BYTES and body[:1] != MANIFEST for body, _ in brought):
            self._plan(function, definition, variables, reached, bool(brought))
        return definition

    def _plan(
        self, function: Any, definition: Definition, variables: dict[Key, Variable], reached: Reach, is_brought: bool
    ) -> None:
        """Keep the definition, and what is to be compared to know that it is still right."""
        if not (is_brought or isinstance(function, Wrapper)):
            if len(self._plans) >= PLANS_KEPT:
                self._plans.clear()
            with contextlib.suppress(TypeError):  # not hashable
                self._plans[function] = self._plan_of(function, definition, variables, reached)
            return
        (first, *others), key = _parts_of(function)
        plans = [(first, self._plan_of(first, definition, variables, reached))]
        plans += [(each, self._plan_of(each, definition, {}, Reach())) for each in others]
        self._joint.pop(key, None)
        while len(self._joint) >= JOINT_PLANS_KEPT:
            del self._joint[next(iter(self._joint))]
        self._joint[key] = JointPlan(definition, plans)

    def _plan_of(self, function: Any, definition: Definition, variables: dict[Key, Variable], reached: Reach) -> Plan:
        key = key_of(function, Named())
        plan = Plan(function, key, definition, variables, reached)
        if type(function) is FunctionType:
            if not is_plain(function):
                plan.watch(still_is(function, key))
        elif key is None and not _goes_by_name(function):
            probe = probe_for(function, True, _never)
            if probe is not None:
                plan.watch(probe)
        return plan

    def _defined(self, function: Any, reached: Reach, brought: list[tuple[bytes, Reach]]) -> Definition:
        """Return a definition without a snapshot; add what it reaches, and the callables that have to come along."""
        if isinstance(function, Wrapper):
            bodies = [self._defined(inner, reached, brought).body for inner in function.inner]
            return self._functions.wrap(function, bodies)
        named = Named()
        key = key_of(function, named)
        if key is not None:
            found = examine(function, named, key)
            reached.add(found.reach)
            if found.reach.parts or type(function) is not FunctionType:
                reached.parts.add(key)  # the function itself differs with what it consists of
            return self._functions.define(function, key)
        if _goes_by_name(function):
            name = key_of_definition(function)
            if name is not None:
                reached.parts.add(name)
            return self._functions.define(function)
        body, inner = self._captured.dump(function)
        reached.add(inner)
        brought.append((body, inner))
        return self._functions.bring(function, len(brought) - 1)

    def with_arguments(self, definition: Definition, reached: Reach) -> Definition:
        """Return the definition of a call whose arguments reach more than its function does."""
        base: Snapshot | None = definition.snapshot
        if base is not None:
            if not (reached.reads or reached.modules or reached.whole) and reached.parts <= base.versions.keys():
                return definition
            reached.modules.update(base.reach.modules)
            reached.mentions.update(base.reach.mentions)
        with self._lock:
            variables = self.variables.reached_from(reached)
            versions = [variable.version for variable in variables.values() if variable.version is not None]
            at = (base.digest if base is not None else b"", *map(id, versions))
            known = self._extended.get(at)
            if known is None:
                made = self.variables.snapshot(variables, self._changes, (), base, reached)
                while len(self._extended) >= SNAPSHOTS_KEPT:
                    del self._extended[next(iter(self._extended))]
                known = versions, made
                if not made.has_large_callables:
                    self._extended[at] = known
            return definition._replace(snapshot=known[1])

    def _dump(self, value: Any, key: Key, named: Named) -> tuple[bytes, Reach]:
        dumped: tuple[bytes, Reach] = self._payloads.dump_with(lambda keep: dump_variable(value, key, named, keep))
        return dumped

    def body_of(self, kind: str, what: bytes) -> bytes | None:
        """Return what a Worker asks for of the program; None if it is not to be had (any more).

        Raises TimeoutError while another thread takes the program's variables down and does not come to an end.
        """
        if not self._lock.acquire(timeout=LOCK_SECONDS):
            raise TimeoutError(f"another thread has been reading the program's variables for {LOCK_SECONDS:g} s")
        try:
            if kind == "state":
                return self.variables.body_of_snapshot(what)
            if kind == "value":
                return self.variables.body_of_value(what)
            module, _, name = what.decode("utf-8", "surrogatepass").partition(":")
            return self.variables.body_of_missing(module, name)
        finally:
            self._lock.release()


def _never() -> bool:
    """What cannot be compared is taken to have changed."""
    return False


def _parts_of(function: Any) -> tuple[list[Any], Any]:
    """Return the callables that a definition consists of, and under what its plan is kept."""
    if not isinstance(function, Wrapper):
        return [function], identity(function)
    functions, kinds = function.parts()
    return functions, (*kinds, *map(identity, functions))


def _goes_by_name(function: Any) -> bool:
    """Whether a callable is found under its own name where it is defined: a class, or a function of a package."""
    if isinstance(function, type):
        return key_of_definition(function) is not None or is_found_in(function.__module__, function)
    return is_of_package(function) or is_plain_builtin(function)
