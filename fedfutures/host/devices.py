"""Which of the devices that a batch scheduler has given to a host each Worker gets. Pure.

A scheduler names GPUs in variables of the environment: by numbers, or by names such as ``GPU-8c5f…`` and ``MIG-…``.
The libraries that use GPUs obey these variables, and most take the first device that they find: so without more, all
Workers of a host would use one. Each Worker gets a part: of G devices for W Workers a block of G/W; where W is larger,
one, in turn. The part belongs to the slot of the Worker, so the one that replaces a Worker has the same.

What counts is the environment of the host process, so each host gives out its own. Outside of a job nothing is changed:
there the user has set the variable for the whole program.
"""

from __future__ import annotations

from collections.abc import Mapping

from .batch import scheduler_of

VARIABLES = (
    "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "ZE_AFFINITY_MASK",
)  # fmt: skip
AMD_DRIVER = "/dev/kfd"
"""A device file that hosts have whose GPUs are used through ROCr."""
_ON_TOP_OF_ROCR = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL")
"""With GPUs of AMD, these count the devices that ROCR_VISIBLE_DEVICES has left."""


def part(devices: list[str], slot: int, workers: int) -> list[str]:
    """Return the devices of the Worker of a slot.

    >>> [part(["a", "b", "c", "d"], slot, 2) for slot in range(2)]
    [['a', 'b'], ['c', 'd']]
    >>> [part(["a", "b"], slot, 4) for slot in range(4)]
    [['a'], ['b'], ['a'], ['b']]
    """
    slot, count = slot % workers, len(devices)
    if workers > count:
        return [devices[slot % count]]
    return devices[slot * count // workers : (slot + 1) * count // workers]


def named(value: str) -> list[str]:
    """Return the devices that a variable names. What follows a negative number does not count, as CUDA has it.

    >>> named("0, 2,GPU-8c5f"), named("0,-1,2"), named(""), named("NoDevFiles")
    (['0', '2', 'GPU-8c5f'], ['0'], [], ['NoDevFiles'])
    """
    found: list[str] = []
    for word in map(str.strip, value.split(",")):
        if word.startswith("-"):
            break
        if word:
            found.append(word)
    return found


def environment_of(environ: Mapping[str, str], slot: int, workers: int, *, amd: bool = False) -> dict[str, str]:
    """Return the variables that the Worker of a slot sets. `amd`: the GPUs of this host are used through ROCr.

    >>> job = {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0,1,2,3"}
    >>> environment_of(job, 1, 2)
    {'CUDA_VISIBLE_DEVICES': '2,3'}
    >>> environment_of({"CUDA_VISIBLE_DEVICES": "0,1,2,3"}, 1, 2)
    {}
    """
    found = {name: named(environ[name]) for name in VARIABLES if name in environ}
    found = {name: devices for name, devices in found.items() if len(devices) > 1}
    if workers < 2 or not found or scheduler_of(environ) is None:
        return {}
    parts = {name: part(devices, slot, workers) for name, devices in found.items()}
    if amd and "ROCR_VISIBLE_DEVICES" in parts:
        left = [str(number) for number in range(len(parts["ROCR_VISIBLE_DEVICES"]))]
        parts |= {name: left for name in _ON_TOP_OF_ROCR if name in environ}
    return {name: ",".join(devices) for name, devices in parts.items()}
