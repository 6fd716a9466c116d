"""Plans tell by few comparisons whether the last definition of a callable, and its snapshot, still hold."""

from __future__ import annotations

import types
from typing import Any

from .modules import MISSING, Key, namespace
from .probes import Probe
from .reach import Reach
from .variables import Variable

EXACT_BYTES_A_SUBMIT = 1 << 20
OTHERS_A_LOOK = 4


class Plan:
    """The comparisons by which each submit of a callable sees whether its definition still holds."""

    __slots__ = (
        "_attributes", "_code", "_defaults", "_exact", "_has_more", "_keyword_defaults", "_modules", "_names",
        "_others", "_turn", "definition",
    )  # fmt: skip

    def __init__(
        self, function: Any, key: Key | None, definition: Any, variables: dict[Key, Variable], reach: Reach
    ) -> None:  # fmt: skip
        self.definition = definition
        self._code = self._defaults = self._keyword_defaults = None
        self._attributes = 0
        if type(function) is types.FunctionType:
            self._code, self._defaults = function.__code__, function.__defaults__
            self._keyword_defaults = function.__kwdefaults__
            self._attributes = len(vars(function))
        self._names: list[tuple[dict[str, Any], str, Any]] = []
        self._exact: list[Probe] = []
        self._others: list[Probe] = []
        self._turn = 0
        spaces = [namespace(module) for module in reach.modules | reach.whole]
        self._modules = [(names, _end_of(names)) for names in spaces if names is not None]
        left = EXACT_BYTES_A_SUBMIT
        if key is not None and key not in variables:
            self._add_name(key, function)
        for at, variable in variables.items():
            self._add_name(at, variable.value)
            if variable.probe is not None:
                left -= variable.bytes
                (self._exact if left >= 0 else self._others).append(variable.probe)
        self._has_more = bool(self._modules or self._exact or self._others)

    def _add_name(self, key: Key, value: Any) -> None:
        names = namespace(key[0])
        if names is not None and "." not in key[1]:  # members of classes are compared by the class
            self._names.append((names, key[1], value))

    def watch(self, probe: Probe) -> None:
        """Add a comparison."""
        self._exact.append(probe)
        self._has_more = True

    def is_current(self, function: Any) -> bool:
        """Whether the callable and what it reaches are unchanged, as far as one look can tell."""
        if self._code is not None and (
            function.__code__ is not self._code
            or function.__defaults__ is not self._defaults
            or function.__kwdefaults__ is not self._keyword_defaults
            or len(function.__dict__) != self._attributes
        ):
            return False
        for names, name, value in self._names:
            if names.get(name, MISSING) is not value:
                return False
        return not self._has_more or self._look_further()

    def _look_further(self) -> bool:
        for names, end in self._modules:
            if _end_of(names) != end:
                return False
        for probe in self._exact:
            if not probe():
                return False
        for _ in range(min(OTHERS_A_LOOK, len(self._others))):
            self._turn = (self._turn + 1) % len(self._others)
            if not self._others[self._turn]():
                return False
        return True


class JointPlan:
    """The plan of several callables with one definition: it holds while the plans of all hold."""

    __slots__ = ("_inner", "definition")

    def __init__(self, definition: Any, inner: list[tuple[Any, Plan]]) -> None:
        self.definition, self._inner = definition, inner

    def is_current(self, functions: list[Any]) -> bool:
        """Whether these are the same callables, and they and what they reach are unchanged."""
        return all(
            identity(known) == identity(function) and plan.is_current(function)
            for (known, plan), function in zip(self._inner, functions)
        )


def identity(function: Any) -> Any:
    """Return a value that is equal for the same callable, and for no other that lives at the same time."""
    if type(function) is types.MethodType:
        return types.MethodType, id(function.__self__), id(function.__func__)
    return id(function)


def _end_of(names: dict[str, Any]) -> tuple[int, str]:
    """Return the size and the last name, which change when a name comes or goes."""
    return len(names), next(reversed(names), "")
