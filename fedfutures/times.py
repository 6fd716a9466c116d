"""Times for people."""

from __future__ import annotations


def shown(seconds: float) -> str:
    """Return a time for people.

    >>> [shown(seconds) for seconds in (0.00002, 0.0021, 0.24, 3.52, 42.4, 750, 7300)]
    ['20 µs', '2.1 ms', '240 ms', '3.5 s', '42 s', '12.5 min', '2.0 h']
    """
    if 0 < seconds < 0.0009995:
        return f"{seconds * 1e6:.0f} µs"
    if 0 < seconds < 0.9995:
        return f"{seconds * 1000:.1f} ms" if seconds < 0.00995 else f"{seconds * 1000:.0f} ms"
    if seconds < 10 and round(seconds, 1) != round(seconds):
        return f"{seconds:.1f} s"
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
