"""The load of the soak: ``load.py SECONDS SEED`` runs rounds of ordinary calls, and prints what was not right."""

import collections
import json
import random
import sys
import time
from concurrent.futures import CancelledError

import numpy

import fedfutures
from fedfutures import futures

DEPTH = 4
"""So many rounds are under way at a time: what one host holds up does not leave the others idle."""
LONG_SECONDS = 15.0
"""Of a Future that is not done after this, the soak says where it is."""
LIMIT_SECONDS = 120.0
"""A Future that is not done so long after its round began counts as lost."""


class Odd(Exception):
    """What some calls raise."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number


def same(value):
    return value


def nap(seconds):
    time.sleep(seconds)
    return seconds


def grown(array, number):
    return array + number


def made(count, number):
    return numpy.full(count, number)


def fails(number):
    raise Odd(number, f"odd {number}")


def family(count):
    return sum(future.result() for future in [futures.submit(same, number) for number in range(count)])


def grandparents(count):
    return sum(futures.map(family, [3] * count))


class Round:
    """Futures with what each must give; a done callback counts how often each was done."""

    def __init__(self, counts, dice):
        self.counts, self.dice = counts, dice
        self.open, self.calls = [], collections.Counter()
        self.items, self.mapped = 0, ()
        self.began = time.monotonic()

    def submit(self, kind, right, function, *args):
        future = futures.submit(function, *args)
        self.open.append((kind, future, right))
        future.add_done_callback(lambda future: self.calls.update([id(future)]))
        self.counts["futures"] += 1
        return future

    def fill(self):
        dice, submit = self.dice, self.submit
        for number in range(dice.randrange(10, 60)):
            submit("call", number, same, number)
        for _ in range(dice.randrange(5, 30)):
            seconds = dice.uniform(0.001, 0.05)
            submit("sleep", seconds, nap, seconds)
        for _ in range(dice.randrange(1, 4)):
            count, number = dice.randrange(1 << 17, 20 << 17), dice.randrange(100)  # 1 to 20 MB
            array = numpy.full(count, dice.randrange(100))
            submit("array", (count, int(array[0]) + number), grown, array, number)
            submit("array", (count, number), made, count, number)
        for _ in range(dice.randrange(1, 6)):
            count = dice.randrange(1, 12)
            submit("nested", count * (count - 1) // 2, family, count)
        submit("nested", 9, grandparents, 3)
        for number in range(dice.randrange(1, 6)):
            submit("error", Odd, fails, number)
        for _ in range(dice.randrange(1, 6)):
            number = dice.randrange(1000)
            submit("closure", number + 1, lambda more, number=number: number + more, 1)

        self.items = dice.randrange(50, 400)
        self.counts["items"] += self.items
        self.mapped = futures.map(same, range(self.items), timeout=LIMIT_SECONDS)

    def cancel(self):
        some = [self.submit("cancelled", 0.005, nap, 0.005) for _ in range(self.dice.randrange(5, 40))]
        for future in self.dice.sample(some, len(some) // 2):
            if future.cancel():
                self.counts["cancelled"] += 1

    def check(self):
        end = self.began + LIMIT_SECONDS
        for kind, future, right in self.open:
            try:
                if not futures.wait([future], timeout=max(0.1, self.began + LONG_SECONDS - time.monotonic())).done:
                    print(f"waits: {kind}: {fedfutures.explain(future)}", file=sys.stderr, flush=True)
                found = future.result(timeout=max(0.1, end - time.monotonic()))
            except TimeoutError:
                self.note("lost", kind, fedfutures.explain(future))
            except CancelledError:
                if kind != "cancelled":
                    self.note("wrong", kind, "cancelled")
            except Odd as error:
                if right is not Odd or error.args != (f"odd {error.number}",):
                    self.note("wrong", kind, repr(error))
            except Exception as error:
                self.note("lost", kind, f"{type(error).__name__}: {error}")
            else:
                if kind == "array":
                    found = (len(found), int(found[0])) if (found == found[0]).all() else "another array"
                if found != right:
                    self.note("wrong", kind, f"{found!r:.60} for {right!r:.60}")
        while len(self.calls) < len(self.open) and time.monotonic() < end:  # another thread may be calling them
            time.sleep(0.001)
        twice = [calls for calls in self.calls.values() if calls != 1]
        if twice or len(self.calls) != len(self.open):
            self.note("twice", "callbacks", f"{twice[:5]}, {len(self.calls)} of {len(self.open)}")
        self.open.clear()  # else it keeps the arrays until the garbage collector finds this round

        try:
            values = list(self.mapped)
        except Exception as error:
            self.note("lost", "map", f"{type(error).__name__}: {error}")
        else:
            if values != list(range(self.items)):
                self.note("wrong", "map", f"{len(values)} values of {self.items}")

    def note(self, what, kind, why):
        self.counts[what] += 1
        print(f"{what}: {kind}: {why}", file=sys.stderr, flush=True)


def main():
    end, dice = time.monotonic() + float(sys.argv[1]), random.Random(sys.argv[2])
    counts, slowest, rounds = collections.Counter(), 0.0, 0
    under_way = collections.deque()
    print("begun", flush=True)
    while under_way or time.monotonic() < end:
        if time.monotonic() < end:
            this = Round(counts, dice)
            this.fill()
            this.cancel()
            under_way.append(this)
        if len(under_way) == DEPTH or time.monotonic() >= end:
            oldest = under_way.popleft()
            oldest.check()
            rounds, slowest = rounds + 1, max(slowest, time.monotonic() - oldest.began)
    print(json.dumps({**counts, "rounds": rounds, "slowest round": round(slowest, 2)}), flush=True)


if __name__ == "__main__":
    main()
