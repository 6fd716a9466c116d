"""What is shown of a crash: the program's frames."""

from __future__ import annotations

from fedfutures.host import dumps
from fedfutures.host.dumps import readable

DUMP = f"""Fatal Python error: Segmentation fault

Current thread 0x00007f6bf0606b80 (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "/home/ann/prog.py", line 33 in crash
  File "{dumps.__file__}", line 443 in run

Extension modules: msgpack._cmsgpack, zmq.backend.cython._zmq (total: 2)
"""


def test_our_frames_and_the_list_of_modules_are_left_out() -> None:
    assert readable(DUMP).splitlines() == DUMP.splitlines()[:5]


def test_no_dump_is_none() -> None:
    assert readable("") == ""
    assert readable("unknown text") == "unknown text\n"
