"""How large a piece to give, and how much to ask for. Pure arithmetic on measured durations."""

from __future__ import annotations

HORIZON_SECONDS = 0.025
"""A queue should hold about this much work: enough to hide a round trip and to fill messages, for each costs as much as
half a millisecond of computing on a busy host; what is queued stays movable (unmet demand, overdue Futures)."""

LONG_HORIZON_SECONDS = 0.075
"""The same while much is left: a message serves three times as many Futures, and a Worker says what has finished while
enough waits behind it."""

MUCH_SECONDS = 0.5
"""Much is left where each Worker has so much to do, besides what it holds."""

SMALLEST_PIECE_SECONDS = 0.0005
"""Pieces of very short Futures are not cut smaller than this, whatever the balance: messages cost more."""

SHORT_SECONDS = 0.002
"""What is left and takes each Worker no longer is given out at once, in even parts: waiting for the next part to come
would take a good part of that."""

MOVE_SECONDS = 0.005
"""What it takes to move a Future to a neighbour, besides the way itself: two Brokers have to get to it."""

STUCK_SECONDS = 0.010
"""What waits behind one Future that takes so long, at least, is given back."""

MOST_IN_A_PIECE = 4096
CUSHION_AT_MOST = 16384
QUEUE_BYTES_AT_MOST = 64 << 20
SMOOTHING = 0.5


class Durations:
    """The running mean duration of each function, in seconds; unknown until something was measured."""

    __slots__ = ("_means", "last")

    def __init__(self) -> None:
        self._means: dict[bytes, float] = {}
        self.last: float | None = None  # of the function heard of last

    def learn(self, function: bytes, seconds: float, count: int) -> None:
        """Take in that `count` Futures of `function` took `seconds` together."""
        if count:
            mean = seconds / count
            known = self._means.pop(function, mean)
            if len(self._means) > 10_000:
                del self._means[next(iter(self._means))]
            self.last = self._means[function] = known + SMOOTHING * (mean - known)

    def latest(self, most: int) -> dict[str, float]:
        """Return the means of so many functions at most, those heard of last; their digests are hexadecimal.

        >>> durations = Durations()
        >>> durations.learn(b"f", 1.0, 4)
        >>> durations.latest(9)
        {'66': 0.25}
        """
        return {function.hex(): mean for function, mean in list(self._means.items())[-most:]}

    def of(self, function: bytes) -> float | None:
        """Return the mean, or None."""
        return self._means.get(function)


def futures_in(seconds: float, mean: float | None) -> int:
    """How many Futures of this mean duration fill `seconds`: at least one, and one only when nothing is known.

    >>> futures_in(0.01, 0.001), futures_in(0.01, 5.0), futures_in(0.01, None)
    (10, 1, 1)
    """
    if mean is None:
        return 1
    return max(1, min(MOST_IN_A_PIECE, int(seconds / max(mean, 1e-7))))


def horizon(mean: float | None, backlog: int, workers: int, queued: int) -> float:
    """Return how many seconds of work a Worker is to hold; it is more while much is left.

    That is the `backlog`. So much has to be `queued` at the Broker that each of its `workers` can have as much.

    >>> horizon(0.01, 100, 2, 15), horizon(0.01, 100, 2, 14), horizon(0.01, 99, 2, 99)
    (0.075, 0.025, 0.025)
    """
    if mean is None or backlog * mean < workers * MUCH_SECONDS or queued * mean < workers * LONG_HORIZON_SECONDS:
        return HORIZON_SECONDS
    return LONG_HORIZON_SECONDS


def portion(
    mean: float | None, room: int, backlog: int, workers: int, waits: int = 0, seconds: float = HORIZON_SECONDS
) -> tuple[int, bool]:  # fmt: skip
    """Return how many Futures to give a Worker, and whether it was the duration that limited them.

    Near the end of the backlog pieces shrink (guided self-scheduling, Polychronopoulos and Kuck 1987), and a Worker
    where as many Futures wait as would be its share gets none: `waits` is how many it holds besides the one it runs.
    So all Workers finish together, and the last Futures do not wait behind others while the backlog lasts. `seconds`
    are of :func:`horizon`: where they are more than a Worker reckons with, it is given more than it has asked for. Not
    if it has asked for one alone: nothing may wait there.
    """
    by_duration = futures_in(seconds, mean)
    if room > 1 and seconds > HORIZON_SECONDS:
        room = max(room, by_duration)
    workers = max(1, workers)
    parts = workers if mean is not None and backlog * mean <= workers * SHORT_SECONDS else 2 * workers
    fair = max(-(-backlog // parts), 1 if mean is None else futures_in(SMALLEST_PIECE_SECONDS, mean))
    count = min(room, by_duration, max(0, fair - waits))
    return count, count == by_duration and by_duration < room


def share(mean: float | None, held: int, backlog: int, workers: int, total: int, seconds: float) -> int:
    """Return how many Futures to give a neighbour that holds `held` and behind which `workers` of `total` Workers are.

    As much as they run in `seconds`, besides one running on each; near the end half their share of what is left.

    >>> share(0.01, 8, 1_000_000, 8, 16, 0.025), share(0.01, 8, 12, 8, 16, 0.025), share(None, 0, 99, 8, 16, 0.025)
    (16, 3, 16)
    """
    started = min(held, workers)
    fair = -(-backlog * workers // (2 * max(1, total)))
    queue = min(workers * futures_in(seconds, mean), fair)
    count = workers - started + queue - (held - started)
    return count if count >= max(1, queue // 4) else 0


def soon(mean: float | None, workers: int, round_trip: float) -> int:
    """Return how many queued Futures the Workers here start before they could be started elsewhere.

    >>> soon(0.001, 8, 0.0005), soon(1.0, 8, 0.0005), soon(None, 8, 0.0005)
    (48, 0, 0)
    """
    return 0 if mean is None else int(workers * (MOVE_SECONDS + 2 * round_trip) / max(mean, 1e-7))


def overdue_seconds(last: float | None) -> float:
    """How long one Future may run before others start what waits behind it; `last`: what one took lately."""
    return max(STUCK_SECONDS, 2 * (last or 0.0))


def cushion(mean: float | None, workers: int, seconds: float = 2 * LONG_HORIZON_SECONDS) -> int:
    """How many Futures a Broker keeps queued beyond its Workers' Demand, to hide the way to the submitter."""
    if mean is None:
        return 2 * workers
    return max(2 * workers, min(CUSHION_AT_MOST, workers * futures_in(seconds, mean)))
