"""``zeppy.ptcp``: the same as :mod:`.ppipes`, by TCP in zeppy; here both go the same way."""

from .ppipes import (
    args_kwargs_helper,
    clean_args_kwargs,
    idf_multirun,
    idfversion,
    ipc_parallelpipe,
    make_options,
    measure,
    randstr,
    wait_add,
    wait_add_mult,
    waitsome,
    zmq_parallelpipe,
)  # fmt: skip

__all__ = [
    "args_kwargs_helper", "clean_args_kwargs", "idf_multirun", "idfversion", "ipc_parallelpipe", "make_options",
    "measure", "randstr", "tcp_parallelpipe", "wait_add", "wait_add_mult", "waitsome", "zmq_parallelpipe",
]  # fmt: skip

tcp_parallelpipe = ipc_parallelpipe
