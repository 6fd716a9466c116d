"""Futures that draw random numbers."""

from __future__ import annotations

import operator
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import fedfutures
from fedfutures import futures

Draws = tuple[float, float, float, float]


def draw(item: Any = None) -> Draws:
    """One number each of ``random``, of NumPy's global generator (also a normal one), and of the Future's generator."""
    import numpy

    return random.random(), float(numpy.random.random()), float(numpy.random.normal()), float(futures.rng().random())


def listed(item: Any) -> list[Draws]:
    return [draw(item)]


def draw_plain(item: Any = None) -> float:
    return random.random()


def draw_own(item: Any = None) -> float:
    return float(futures.rng().random())


def draw_and_change(item: int) -> Draws:
    """Its slice ends its loop: the process is changed in the middle."""
    os.environ["SEED_TEST"] = str(item)
    return draw(item)


def draw_many(item: int) -> tuple[int, Draws]:
    """Use up an amount that differs from item to item."""
    random.random()
    for _ in range(item * 100):
        draw()
    return item, draw()


def draw_around_waits(count: int) -> list[Draws]:
    """Draw, wait for Futures that draw, draw again: one's own draws."""
    drawn = [draw()]
    for _ in range(count):
        futures.submit(draw).result()
        list(futures.map(draw, range(2)))
        drawn.append(draw())
    return drawn


def draw_twice() -> list[Draws]:
    return [draw(), draw()]


def hold(path: str) -> None:
    while not Path(path).exists():
        time.sleep(0.01)


def linger(path: str) -> None:
    """The same, but others may run here meanwhile."""
    while not Path(path).exists():
        futures.submit(time.sleep, 0.01).result()


def draw_around_another(path: str) -> tuple[list[Draws], str]:
    """Draw, wait for a Future of another Worker, draw; also where that was."""
    drawn = [draw()]
    child = futures.submit(hold, path + ".second began")
    time.sleep(0.3)  # the other Worker has taken it over by then
    Path(path + ".first waits").touch()
    child.result()
    drawn.append(draw())
    Path(path + ".first ended").touch()
    return drawn, fedfutures.worker.name


def draw_meanwhile(path: str) -> tuple[list[Draws], str]:
    """Draw, wait until the other has ended, draw."""
    drawn = [draw()]
    Path(path + ".second began").touch()
    futures.submit(linger, path + ".first ended").result()
    drawn.append(draw())
    return drawn, fedfutures.worker.name


def draw_after_loss(path: str, item: int) -> Draws:
    """Kill the Worker at the first attempt of item 1, after some numbers were drawn."""
    draw()
    if item == 1 and not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return draw()


def draw_or_die(item: int) -> Draws:
    if item == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return draw()


def draw_or_lock(path: str, item: int) -> Any:
    with open(path, "a") as file:
        file.write(str(item))
    return threading.Lock() if item == 2 else draw()


def locks_among_draws(path: str, map_items: Any = futures.map) -> list[Any]:
    options = {"seed": 4, "chunksize": 6, "return_exceptions": True}
    found = map_items(draw_or_lock, [path] * 6, range(6), **options)
    return [type(each).__name__ if isinstance(each, Exception) else each for each in found]


def tree(item: int) -> list[Any]:
    """Futures of all kinds below a seeded one."""
    options = futures.options(seed=3)
    return [
        draw(),
        futures.submit(draw).result(),
        futures.submit(draw).result(),
        list(futures.map(draw, range(3))),
        list(futures.map(draw, range(3), seed=7)),
        options.submit(draw).result(),
        options.submit(draw).result(),
        futures.submit(draw_around_waits, 1).result(),
        futures.group("seeded").submit(draw).result(),
        list(futures.starmap(draw, [(1,), (2,)])),
        futures.map_reduce(listed, operator.add, range(3)),
        futures.map_reduce(listed, operator.add, range(3), seed=9, initial=[]),
        futures.map_scan(listed, operator.add, range(4), seed=8)[-1],
    ]


def leaves(value: Any) -> list[Draws]:
    """The draws of a tree."""
    if isinstance(value, tuple):
        return [value]
    return [leaf for part in value for leaf in leaves(part)]


def nested_absolute(item: int) -> Draws:
    import numpy

    return list(futures.map(draw, range(2), seed=numpy.random.SeedSequence(99)))[1]  # type: ignore[no-any-return]


def in_a_thread(item: int) -> list[float]:
    """A generator that is passed on to a thread."""
    drawn: list[float] = []
    thread = threading.Thread(target=lambda rng: drawn.append(float(rng.random())), args=(futures.rng(),))
    thread.start()
    thread.join()
    return drawn


def fail_seeded(item: int) -> None:
    raise ValueError(draw_plain())
