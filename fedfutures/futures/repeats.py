"""Random numbers that several Workers draw alike: found at the end of a run, and named in a warning.

The Origin asks its Workers which generators of the program their Futures have drawn from
(:mod:`fedfutures.program.generators`).
"""

from __future__ import annotations

import contextlib
import linecache
import re
import sys
import warnings
from collections import Counter
from typing import Any, NamedTuple

from ..errors import RepeatedRandomNumbers
from ..program.modules import Key, describe
from ..wire.codec import unpack_plain

ANSWER_SECONDS = 1.0
_ADVICE = "Give each item its own: futures.map(f, items, seed=42)"


class Repeated(NamedTuple):
    """What Futures have drawn from."""

    variables: dict[Key, str]  # generators, with their types
    global_ones: list[str]  # modules whose generators several Workers began alike


def found_at(origin: Any) -> Repeated:
    """Ask the Workers of an Origin, which are idle by now."""
    if origin is None or origin.closed or origin.lost is not None or origin.size < 2 or not origin.machine.own.made:
        return Repeated({}, [])
    answers, _ = origin.submissions.ask("generators", "", 0, ANSWER_SECONDS)
    variables: dict[Key, str] = {}
    began: Counter[tuple[str, bytes]] = Counter()
    for _, packed in answers:
        with contextlib.suppress(ValueError, TypeError, AttributeError):  # what it says makes no sense: it is no advice
            report = unpack_plain(packed) if packed else {}
            found = {(str(module), str(name)): str(kind) for module, name, kind in report.get("variables", ())}
            began.update(report.get("global", {}).items())
            variables |= found
    return Repeated(variables, sorted({name for (name, _), count in began.items() if count > 1}))


def warn(repeated: Repeated) -> None:
    """Name what was found, each generator once in the life of this process."""
    for key, kind in repeated.variables.items():
        name = describe(key)
        instead = "the functions of module random" if kind.startswith("random.") else "futures.rng()"
        text = (
            f"{name}, a {kind}, was made before the Futures that draw from it: each Worker has a copy, and all copies "
            f"give the same numbers. {_ADVICE}, and in f {instead} instead of {name}"
        )
        last = re.escape(key[1].rpartition(".")[2])
        _warn(text, key[0], rf"(^|[\s;]){last}\s*(:[^=]*)?=(?!=)")
    for module in repeated.global_ones:
        text = (
            f"{module}.seed() at the top of the program seeds all Workers alike, so their Futures draw the same "
            f"numbers. {_ADVICE}"
        )
        _warn(text, "__main__", r"(np|numpy)\.random\.seed\(" if "." in module else r"(^|[^.\w])random\.seed\(")


_said: set[str] = set()


def _warn(text: str, module: str, pattern: str) -> None:
    if text not in _said:
        _said.add(text)
        warnings.warn_explicit(text, RepeatedRandomNumbers, *_place(module, pattern))


def _place(module: str, pattern: str) -> tuple[str, int]:
    """Return the file of a module, and the first line that has this; line 1 if none does."""
    file = getattr(sys.modules.get(module), "__file__", None) or module
    for number, line in enumerate(linecache.getlines(file), 1):
        if re.search(pattern, line):
            return file, number
    return file, 1
