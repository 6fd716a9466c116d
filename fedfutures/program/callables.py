"""The error for a call whose first argument is no function: names the value, and what the user probably meant."""

from __future__ import annotations

import inspect
from typing import Any


def not_callable(name: str, value: Any) -> TypeError:
    """Return the error for a `value` given to our function `name` in place of a function.

    >>> not_callable("submit", 4)
    TypeError('submit() takes a function first, got int 4; did you mean submit(f, 3) instead of submit(f(3))?')
    """
    meant = _MEANT.get(name, f"{name}(f, ...) instead of {name}(f(...), ...)")
    advice = f"did you mean {meant}?"
    if inspect.iscoroutine(value):
        value.close()  # else Python warns that it was never awaited
        advice = "submit a plain function that calls asyncio.run(f())"
    return TypeError(f"{name}() takes a function first, got {shown(value)}; {advice}")


_MEANT = {
    "submit": "submit(f, 3) instead of submit(f(3))",
    "map": "map(f, items) instead of map(f(3), items)",
    "starmap": "starmap(f, items) instead of starmap(f(3), items)",
}


def shown(value: Any) -> str:
    """Return the type and value, short enough for one line.

    >>> shown(None), shown([1, 2]), len(shown("x" * 1000)) < 80
    ('None', 'list [1, 2]', True)
    """
    if value is None:
        return "None"
    try:
        text = repr(value)
    except Exception:
        return type(value).__qualname__
    text = " ".join(text.split())
    return f"{type(value).__qualname__} {text if len(text) <= 60 else text[:57] + '...'}"
