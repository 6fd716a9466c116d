"""A program whose Futures hold locks while they wait; it prints a line for each case, as ``apart.py`` does."""

from __future__ import annotations

import asyncio
import concurrent.futures
import multiprocessing
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed, wait

from cases import run_all

from fedfutures import futures
from fedfutures.errors import Deadlock

LOCK, RLOCK, OTHER = threading.Lock(), threading.RLock(), threading.Lock()
SEMAPHORE, BOUNDED, CONDITION = threading.Semaphore(1), threading.BoundedSemaphore(1), threading.Condition()
INNER, CHILDS, TWO = threading.Lock(), threading.RLock(), threading.Semaphore(2)


class Table:
    """What Futures of one Worker use one at a time."""

    def __init__(self):
        self.inside = 0


TABLES = {}


def table(name):
    return TABLES.setdefault(name, Table())


def row(x):
    time.sleep(0.001 * (1 + x % 5))
    return x * x


def work(name, guard, way):
    """Make the rows of a table under a lock; two at a time inside are an error."""
    mine = table(name)
    with guard:
        mine.inside += 1
        assert mine.inside == 1, "two inside"
        rows = list(way())
        mine.inside -= 1
    return sum(rows)


def by_map():
    return futures.map(row, range(6))


def by_completion():
    return sorted(future.result() for future in as_completed([futures.submit(row, x) for x in range(6)]))


def by_waiting():
    done = [futures.submit(row, x) for x in range(6)]
    wait(done)
    return [future.result() for future in done]


def by_two_levels():
    return [futures.submit(list_of_rows).result()[x] for x in range(6)]


def list_of_rows():
    return list(futures.map(row, range(6)))


def with_lock(_):
    return work("lock", LOCK, by_map)


def with_rlock(_):
    with RLOCK:
        return work("rlock", RLOCK, by_completion)


def with_semaphore(_):
    return work("semaphore", SEMAPHORE, by_waiting)


def with_bounded(_):
    return work("bounded", BOUNDED, by_two_levels)


def with_condition(_):
    return work("condition", CONDITION, by_map)


def with_two(_):
    with OTHER:
        return work("two", INNER, by_map)


def with_one_of_two(_):
    return work("two", INNER, by_map)


def with_many(*functions):
    def case(face):
        found = [face.submit(function, x) for x in range(3) for function in functions]
        wrong = [it for it in (future.result(30) for future in found) if it != 55]
        return wrong or None

    return case


def root_of_many(function, count):
    """A Future of which all others stem, so that they are own Futures of one Worker."""
    return [future.result() for future in [futures.submit(function, x) for x in range(count)]]


def below_one_root(face):
    found = [face.submit(root_of_many, function, 4).result(30) for function in (with_lock, with_rlock, with_bounded)]
    return None if all(it == 55 for values in found for it in values) else found


def reenters(_):
    with CHILDS:
        return sum(futures.map(reentering, range(4)))


def reentering(x):
    """A child that takes the RLock of its parent, which a serial run would let it do."""
    with CHILDS, CHILDS:
        time.sleep(0.01)
        return x


def an_rlock_of_the_parent(face):
    found = [future.result(30) for future in [face.submit(reenters, x) for x in range(4)]]
    return None if found == [6] * 4 else found


def wants_its_own(_):
    with LOCK:
        return futures.submit(child_of_a_lock).result()


def child_of_a_lock():
    with LOCK:
        return "free"


def wants_by_way_of_another(_):
    with LOCK:
        return futures.submit(in_between).result()


def in_between():
    return futures.submit(child_of_a_lock).result()


def a_lock_of_the_parent(face):
    """On the parent's Worker it cannot be had, on another one it is free: right, or an error that names both."""
    for parent, holder in ((wants_its_own, "wants_its_own"), (wants_by_way_of_another, "wants_by_way_of_another")):
        began = time.monotonic()
        future = face.submit(parent, 0)
        error = future.exception(20)
        if error is None:
            if future.result() != "free":
                return future.result()
        elif not isinstance(error, Deadlock) or (error.function, error.holder) != ("child_of_a_lock", holder):
            return repr(error)
        elif time.monotonic() - began > 3:
            return "late", time.monotonic() - began
    return None


def wants_by(how):
    """Hold the lock while waiting for a child that wants it, in one of the ways to wait."""
    with LOCK:
        if how == "asyncio":
            return asyncio.run(awaiting(futures.submit(child_of_a_lock)))
        if how == "map":
            return next(futures.map(child_of_a_lock_with, [1]))
        if how == "map_as_completed":
            return next(futures.map_as_completed(child_of_a_lock_with, [1]))
        child, *others = [futures.submit(child_of_a_lock) for _ in range(3)]
        for each in (child, *others):  # on a slow machine several cannot have the lock
            each.add_done_callback(concurrent.futures.Future.exception)
        if how == "wait":
            wait([child, *others])
        elif how == "as_completed":
            child, *others = as_completed([child, *others])
        elif how == "group":
            group = futures.group("of a lock")
            for one in (child, *others):
                group.add(one)
            group.wait()
        elif how == "thread":
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(child.result).result()
        return child.result()


def wants_in_a_thread(_):
    """The thread has the lock, and waits for a child that wants it."""
    with ThreadPoolExecutor(2) as pool:
        return pool.submit(wants_its_own, 0).result()


async def awaiting(future):
    return await asyncio.wrap_future(future)


def child_of_a_lock_with(_):
    return child_of_a_lock()


def however_it_waits(face):
    """Free on another Worker, or an error that names it, within seconds."""
    waiting = {how: face.submit(wants_by, how) for how in WAYS}
    waiting["in a thread"] = face.submit(wants_in_a_thread, 0)
    for how, future in waiting.items():
        try:
            error = future.exception(20)
        except TimeoutError:
            return how, "hangs"
        if error is None:
            if future.result() != "free":
                return how, future.result()
        elif not isinstance(error, Deadlock) or error.function not in ("child_of_a_lock", "child_of_a_lock_with"):
            return how, repr(error)
    return None


WAYS = ("result", "wait", "as_completed", "map", "map_as_completed", "group", "thread", "asyncio")


def holds_one_of_two(x):
    """Two may have it: the child of one waits until the other one is done."""
    with TWO:
        time.sleep(0.02 * x)
        return futures.submit(uses_one_of_two).result()


def uses_one_of_two():
    with TWO:
        return "used"


def one_of_two(face):
    found = [future.result(20) for future in [face.submit(root_of_two) for _ in range(2)]]
    return None if found == ["used"] * 2 else found


def root_of_two():
    """The first lets go after a while, without waiting for anybody who wants it."""
    first, second = futures.submit(takes_one_of_two), futures.submit(holds_one_of_two, 1)
    return [future.result() for future in (first, second)][1]


def takes_one_of_two():
    with TWO:
        return futures.submit(time.sleep, 0.3).result()


def tries_for_a_while():
    """A time-out ends it: there is nothing that lasts."""
    return LOCK.acquire(timeout=0.3)


def holds_while_one_tries(_):
    with LOCK:
        return futures.submit(tries_for_a_while).result()


def a_time_out_is_no_deadlock(face):
    found = face.submit(holds_while_one_tries, 0).result(20)
    return None if found in (True, False) else found


def holds(seconds):
    with OTHER:
        futures.submit(time.sleep, seconds).result()


def tries(_):
    began = time.monotonic()
    found = OTHER.acquire(timeout=0.05)
    if found:
        OTHER.release()
    quick = OTHER.acquire(blocking=False)
    if quick:
        OTHER.release()
    return time.monotonic() - began < 5


def times_out(face):
    held = [face.submit(holds, 0.3) for _ in range(4)]
    found = [face.submit(tries, x).result(30) for x in range(6)]
    for future in held:
        future.result(30)
    return None if all(found) else found


def feeds_itself():
    """Queue, event and lock between a Future and its own threads."""
    items, stop, mine = queue.Queue(2), threading.Event(), threading.Lock()
    total = 0

    def feed():
        for x in range(20):
            items.put(x)
        stop.set()

    thread = threading.Thread(target=feed)
    thread.start()
    for _ in range(20):
        with mine:
            total += items.get(timeout=5)
    assert stop.wait(5)
    thread.join()
    with ThreadPoolExecutor(4) as pool:
        sums = list(pool.map(lambda x: guarded(mine, x), range(8)))
    return total, sums


def guarded(lock, x):
    with lock:
        return futures.submit(row, x).result()


def threads_of_one_future(face):
    found = [future.result(30) for future in [face.submit(feeds_itself) for _ in range(3)]]
    return None if found == [(190, [x * x for x in range(8)])] * 3 else found


def released_elsewhere():
    """A lock that another thread releases while the Future that waits for it is one of many."""
    lock = threading.Lock()
    lock.acquire()
    timer = threading.Timer(0.2, lock.release)
    timer.start()
    return lock.acquire(timeout=10)


def a_lock_that_a_thread_releases(face):
    below = face.submit(root_of_many, lambda _: released_elsewhere(), 3)
    found = [future.result(30) for future in [face.submit(released_elsewhere) for _ in range(3)]]
    return None if found == [True] * 3 and below.result(30) == [True] * 3 else found


def with_children_away(name, guard):
    """The oldest child takes longest, and goes to who is idle; this Worker is soon idle, too."""
    mine = table(name)
    with guard:
        mine.inside += 1
        assert mine.inside == 1, "two inside"
        children = [futures.submit(slowly, 0.15), *(futures.submit(slowly, 0.01) for _ in range(3))]
        time.sleep(0.03)  # for others to fetch the first
        found = [child.result() for child in children]
        mine.inside -= 1
    return found


def slowly(seconds):
    time.sleep(seconds)
    return seconds


def away_lock(_):
    return with_children_away("away lock", LOCK)


def away_rlock(_):
    return with_children_away("away rlock", RLOCK)


def away_semaphore(_):
    return with_children_away("away semaphore", SEMAPHORE)


def away_condition(_):
    return with_children_away("away condition", CONDITION)


def of_processes(kind):
    """A lock for processes, one in each Worker: those of the program come with an initializer only."""
    if kind not in TABLES:
        TABLES[kind] = getattr(multiprocessing, kind)()
    return TABLES[kind]


def away_shared(_):
    return with_children_away("away shared", of_processes("Lock"))


def away_shared_r(_):
    with of_processes("RLock"):
        return with_children_away("away shared r", of_processes("RLock"))


def children_away(function):
    def case(face):
        first = face.submit(function, 0)
        time.sleep(0.08)
        found = [future.result(20) for future in [first, *(face.submit(function, x) for x in range(3))]]
        return None if found == [[0.15, 0.01, 0.01, 0.01]] * 4 else found

    return case


def work_beside(face):
    """While some wait with a lock, work of others gets done."""
    before = [face.submit(with_lock, x) for x in range(8)]
    found = list(face.map(row, range(40)))
    return None if found == [x * x for x in range(40)] and all(f.result(30) == 55 for f in before) else found


CASES = {
    "a lock": with_many(with_lock),
    "an RLock": with_many(with_rlock),
    "a semaphore": with_many(with_semaphore),
    "a bounded semaphore": with_many(with_bounded),
    "a condition": with_many(with_condition),
    "two locks": with_many(with_two, with_one_of_two),
    "all at once": with_many(with_lock, with_rlock, with_semaphore, with_bounded, with_condition),
    "a lock, children away": children_away(away_lock),
    "an RLock, children away": children_away(away_rlock),
    "a semaphore, children away": children_away(away_semaphore),
    "a condition, children away": children_away(away_condition),
    "a lock for processes, children away": children_away(away_shared),
    "an RLock for processes, children away": children_away(away_shared_r),
    "below one root": below_one_root,
    "an RLock of the parent": an_rlock_of_the_parent,
    "a lock of the parent": a_lock_of_the_parent,
    "however it waits": however_it_waits,
    "one of two": one_of_two,
    "a time-out is no deadlock": a_time_out_is_no_deadlock,
    "a lock that times out": times_out,
    "threads of one Future": threads_of_one_future,
    "a lock that a thread releases": a_lock_that_a_thread_releases,
    "work beside": work_beside,
}


if __name__ == "__main__":
    run_all(CASES)
