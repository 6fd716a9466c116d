"""A host whose shared memory is small takes part with large values all the same."""

from __future__ import annotations

import pytest

from .test_ends import one_client

pytestmark = [pytest.mark.host, pytest.mark.once]

LARGE_VALUES = """
import functools
import time
import numpy as np
from fedfutures import futures, shared, worker

def twice(array, on=None):
    time.sleep(0.5)  # so that h1 has not run them all before the others are lent some
    return worker.name.partition(".")[0], 2 * array

def both(number):
    return worker.name.partition(".")[0], float(shared.get("big").sum()) + number

def total(array, number):
    return float(array.sum()) + number

if __name__ == "__main__":
    big = np.ones(12 << 17)  # 12 MiB where shared memory has 8
    results = list(futures.map(twice, [big + number for number in range(8)], chunksize=1))
    assert [float(array[0]) for _, array in results] == [2.0 + 2 * number for number in range(8)]
    print("hosts", *sorted({host for host, _ in results}))
    shared.set(big=big)
    print("shared", {value for _, value in futures.map(both, [0.5] * 8)} == {big.size + 0.5})
    print("partial", set(futures.map(functools.partial(total, big), [1] * 8)) == {big.size + 1.0})
    try:
        futures.submit(twice, np.ones(80 << 17)).result(30)
    except Exception as error:
        print(type(error).__name__, error)
    print("after", futures.submit(total, np.ones(1 << 18), 1).result(30) == (1 << 18) + 1.0)
"""


@one_client
def test_a_host_with_little_shared_memory(network):
    size = "mount -o remount,size=%s /dev/shm"
    for host in network.hosts:
        network.lab.run(host, size % "8m")
    try:
        prog = network.write("prog.py", LARGE_VALUES)
        ended = network.launch("-n", "6", prog)
        out = ended.out.splitlines()
        assert out[:3] == ["hosts h1 h2 h3", "shared True", "partial True"], ended.out + ended.err
        assert out[-1] == "after True", ended.out + ended.err
        for host in network.hosts:
            assert network.lab.run(host, "ls /dev/shm | grep -c fedfutures || true").strip() == "0"
    finally:
        for host in network.hosts:
            network.lab.run(host, size % "50%")
