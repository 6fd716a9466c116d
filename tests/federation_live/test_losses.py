"""Several hosts, and something fails in the middle: no Future is lost, every value is right."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from live import Lab, Site, Trial, serves

pytestmark = pytest.mark.host

COUNT = 1000
AT_ONCE = 4
"""Workers of all hosts: how many Futures run at a moment."""


@contextmanager
def two(delay: float | None = None, at: int = 0) -> Iterator[tuple[Lab, Site]]:
    """Two hosts of two Workers each, linked, and a program at one of them."""
    with Lab([2, 2], {} if delay is None else {(0, 1): delay}) as lab:
        site = lab.site(at)
        lab.meet(site)
        yield lab, site


@pytest.mark.fault("D1", "D2")
@pytest.mark.parametrize("victim", [0, 1], ids=["own", "other"])
@pytest.mark.parametrize("at", [0, 1], ids=["dials", "dialled"])
def test_d1_d2_a_broker_is_killed(victim: int, at: int, tmp_path: Path) -> None:
    with two(at=at) as (lab, site):
        broker = lab.broker(at ^ victim)
        trial = Trial(site, COUNT, 0.005, tmp_path / "ran")
        trial.until(COUNT // 3)
        os.kill(broker, signal.SIGKILL)
        trial.end(twice=3 * AT_ONCE)
        assert lab.broker(at ^ victim) != broker
        assert trial.hosts()[0] > 100
        assert trial.hosts()[1] > 100
        assert serves(site)


@pytest.mark.fault("D2")
@pytest.mark.parametrize("victim", [0, 1, 2])
def test_d2_one_of_three_in_a_row_is_killed(victim: int, tmp_path: Path) -> None:
    with Lab([1, 1, 2], links=[(0, 1), (1, 2)]) as lab:
        site = lab.site(0)
        lab.meet(site)
        trial = Trial(site, COUNT // 2, 0.005, tmp_path / "ran")
        trial.until(COUNT // 6)
        os.kill(lab.broker(victim), signal.SIGKILL)
        trial.end(twice=3 * AT_ONCE)
        lab.meet(site)


def test_d2_again_and_again(tmp_path: Path) -> None:
    with two() as (lab, site):
        trial = Trial(site, COUNT, 0.01, tmp_path / "ran")
        for number in range(4):
            trial.until(COUNT * (number + 1) // 6)
            os.kill(lab.broker(number % 2), signal.SIGKILL)
        trial.end(twice=COUNT // 10)
        assert serves(site)


def test_the_work_of_a_stopped_broker_is_taken_over(tmp_path: Path) -> None:
    with two() as (lab, site):
        trial = Trial(site, COUNT, 0.005, tmp_path / "ran")
        trial.until(COUNT // 3)
        os.kill(lab.broker(1), signal.SIGSTOP)
        assert trial.end(twice=COUNT // 10) < 4.0  # 3 s of silence, and what it held; it is killed after 5 s only
        assert serves(site)


@pytest.mark.parametrize("victim", [0, 1], ids=["own", "other"])
def test_a_broker_that_is_stopped_for_a_second(victim: int, tmp_path: Path) -> None:
    with two() as (lab, site):
        trial = Trial(site, COUNT, 0.005, tmp_path / "ran")
        trial.until(COUNT // 3)
        os.kill(lab.broker(victim), signal.SIGSTOP)
        time.sleep(1.0)
        os.kill(lab.broker(victim), signal.SIGCONT)
        trial.end(twice=0)
        assert lab.said == []


def test_a_host_is_killed(tmp_path: Path) -> None:
    with two() as (lab, site):
        trial = Trial(site, COUNT, 0.005, tmp_path / "ran")
        trial.until(COUNT // 3)
        os.kill(lab.handles[1].facts["pid"], signal.SIGKILL)
        assert trial.end(twice=COUNT // 10) < 6.0  # on half of the Workers
        assert serves(site)


@pytest.mark.fault("D7")
def test_d8_a_slow_link(tmp_path: Path) -> None:
    with two(0.05) as (_, site):
        trial = Trial(site, 500, 0.01, tmp_path / "ran")
        trial.end(twice=0)
        assert trial.hosts()[1] > 150


@pytest.mark.fault("D5")
def test_d5_a_link_is_cut_for_a_while(tmp_path: Path) -> None:
    with two(0.005, at=1) as (lab, site):
        trial = Trial(site, COUNT, 0.01, tmp_path / "ran")
        trial.until(COUNT // 4)
        lab.proxies[0, 1].cut()
        time.sleep(2.0)
        before = len(trial.started())
        lab.proxies[0, 1].heal()
        trial.end(twice=COUNT // 10)
        assert before < COUNT
        lab.meet(site)


@pytest.mark.fault("D5")
def test_d5_a_black_hole(tmp_path: Path) -> None:
    """What the other host had is run here after 3 s; its own results, late, change nothing; then it works again."""
    with two(0.005) as (lab, site):
        trial = Trial(site, 1200, 0.01, tmp_path / "ran")
        trial.until(100)
        lab.proxies[0, 1].hold()
        time.sleep(5.0)
        lab.proxies[0, 1].heal()
        trial.end(twice=140)
        lab.meet(site)


@pytest.mark.fault("D6")
def test_d6_a_link_that_flaps(tmp_path: Path) -> None:
    with two(0.0) as (lab, site):
        trial = Trial(site, COUNT // 2, 0.01, tmp_path / "ran")
        for _ in range(3):
            time.sleep(0.3)
            lab.proxies[0, 1].cut()
            time.sleep(0.3)
            lab.proxies[0, 1].heal()
        trial.end(twice=COUNT // 10)
        lab.meet(site)
