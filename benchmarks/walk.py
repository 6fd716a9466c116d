"""``python -m benchmarks.walk``: how far one submit and its result walk through the code of Origin, Broker and Worker.

A program with one Worker submits a function, waits for its result, and does so again and again. In each of the three
processes ``sys.setprofile`` sees the calls of Python functions of fedfutures (comprehensions and generators count as it
sees them; C functions do not). What is printed is divided by the number of submits: calls, changes of file (the next
call is of a function in another file), and the functions and files that have a part in more than one submit in two.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HOOK = Path(__file__).with_name("walking")
SUBMITS, WARM_UP = 400, 400
ROLES = (("Origin", "/futures/"), ("Broker", "/broker/"), ("Worker", "/worker/calls.py"))


def program(place: Path) -> None:
    """What runs in the Origin."""
    from fedfutures import futures

    def submit_and_wait(times: int) -> None:
        for number in range(times):
            assert futures.submit(abs, -number).result() == number

    control = place / "control"
    submit_and_wait(WARM_UP)
    _say(control, 1)
    submit_and_wait(SUBMITS)
    _say(control, 2)
    submit_and_wait(5)


def _say(control: Path, state: int) -> None:
    with control.open("r+b") as file:
        file.write(bytes([state]))


def count(directory: Path) -> list[tuple[str, dict[str, float]]]:
    """Run the program, and return of each role what one submit takes there."""
    (directory / "control").write_bytes(b"\0")
    environment = os.environ | {
        "FEDFUTURES_WALK": str(directory),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(HOOK), os.environ.get("PYTHONPATH")))),
    }
    command = [sys.executable, "-m", "fedfutures", "-n", "1", __file__, str(directory)]
    subprocess.run(command, env=environment, check=True, timeout=300)
    found = [json.loads(file.read_text()) for file in directory.glob("*.json")]
    return [(role, _each(_of_role(found, part))) for role, part in ROLES]


def _of_role(found: list[dict[str, Any]], part: str) -> dict[str, Any]:
    """Return the process that has most calls in a folder or file: an Origin has parts of worker/ as well."""
    return max(found, key=lambda process: sum(calls for file, _, calls in process["calls"] if part in file))


def _each(process: dict[str, Any]) -> dict[str, float]:
    usual = [(file, name) for file, name, calls in process["calls"] if calls > SUBMITS / 2]
    return {
        "calls": sum(calls for *_, calls in process["calls"]) / SUBMITS,
        "changes of file": process["changes"] / SUBMITS,
        "functions": len(usual),
        "files": len({file for file, _ in usual}),
    }


def main() -> None:
    """Count, and print a table."""
    with tempfile.TemporaryDirectory() as directory:
        rows = count(Path(directory))
    names = list(rows[0][1])
    rows.append(("all", {name: sum(row[name] for _, row in rows) for name in names}))
    print(f"{'':8}" + "".join(f"{name:>18}" for name in names))
    for role, row in rows:
        print(f"{role:8}" + "".join(f"{row[name]:18.1f}" for name in names))


if __name__ == "__main__":
    program(Path(sys.argv[1])) if len(sys.argv) > 1 else main()
