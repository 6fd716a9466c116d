"""Notebooks in a real kernel: the one of the documentation, and cells that are interrupted while their Futures run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.notebook import FIRST, MAP, NEXT, WAIT, Kernel, kernel as started

from .test_programs import Program, need

pytestmark = [pytest.mark.host, pytest.mark.once]

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "examples" / "notebook.ipynb"
BOUND = 3.0
"""For what takes some tenths of a second on a quiet machine."""


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    for library in ("ipykernel", "jupyter_client"):
        need(Program("notebooks", library))
    with started() as made:
        yield made


def test_an_interrupted_cell_frees_its_workers(kernel: Kernel) -> None:
    assert kernel.run(FIRST)[0] == "3\n"
    assert kernel.run("early = executor.submit(time.sleep, 2)")[0] == ""
    for cell, said in ((MAP, ""), (WAIT, "50 Futures were cancelled")):
        printed, seconds = kernel.run(cell, interrupt_after=1.0)
        assert "KeyboardInterrupt" in printed
        assert said in printed
        following, more = kernel.run(NEXT)
        print(f"{cell}: the cell ends {seconds:.2f} s after the interrupt, and the next one takes {more:.2f} s")
        assert following == "4\n"
        assert seconds + more < BOUND
    assert kernel.run("print(early.result(), {future.cancelled() for future in waiting})")[0] == "None {True}\n"
    assert kernel.run("print(list(executor.map(abs, range(-3, 0))))")[0] == "[3, 2, 1]\n"


def test_a_cell_that_catches_the_interrupt_waits_again(kernel: Kernel) -> None:
    assert kernel.run(FIRST)[0] == "3\n"
    cell = """
future = executor.submit(time.sleep, 2)
try:
    future.result()
except KeyboardInterrupt:
    print("again", future.result())
"""
    assert kernel.run(cell, interrupt_after=0.5)[0] == "again None\n"


RUN = """
import sys
import nbclient, nbformat
from benchmarks.notebook import manager_of_kernel

notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, km=manager_of_kernel("AsyncKernelManager"), timeout=60).execute()
nbformat.write(notebook, sys.argv[2])
"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook of the documentation, run in a kernel of JupyterLab's kind; and as it is written down."""
    for library in ("nbclient", "ipykernel", "ipywidgets", "tqdm"):
        need(Program("notebooks", library))
    run = tmp_path_factory.mktemp("notebook") / "run.ipynb"
    command = [sys.executable, "-c", RUN, str(NOTEBOOK), str(run)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=90, capture_output=True)
    return json.loads(run.read_text()), json.loads(NOTEBOOK.read_text())


def cells(notebook: Any, tag: str = "") -> list[Any]:
    found = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [cell for cell in found if tag in cell["metadata"].get("tags", ())] if tag else found


def outputs(cell: Any, *kinds: str) -> list[Any]:
    return [output for output in cell["outputs"] if output["output_type"] in kinds]


def printed(cell: Any) -> str:
    """Return what a cell prints on standard output, and the text of its value."""
    texts = [output["text"] for output in outputs(cell, "stream") if output["name"] == "stdout"]
    values = [output["data"]["text/plain"] for output in outputs(cell, "execute_result")]
    return "".join("".join(text) for text in (*texts, *values))


def test_the_notebook_of_the_documentation_prints_what_it_says(notebook: Any) -> None:
    run, written = notebook
    for cell, says in zip(cells(run), cells(written)):
        if says["outputs"]:
            assert printed(cell) == printed(says)
    assert sum(bool(cell["outputs"]) for cell in cells(written)) == 6


def test_an_executor_is_shown_as_a_table(notebook: Any) -> None:
    open_one, shut_one = ("".join(cell["outputs"][0]["data"]["text/html"]) for cell in cells(notebook[0], "html"))
    assert re.search(
        r"&lt;Executor 2 Workers on .*<th>Workers</th>.*<tr><td>[^<]+</td><td>2</td><td>[012]</td><td>0</td></tr>",
        open_one, re.DOTALL,
    )  # fmt: skip
    assert ", shut down&gt;" in shut_one
    assert "<table>" not in shut_one


def test_progress_is_a_widget(notebook: Any) -> None:
    run, _ = notebook
    (cell,) = cells(run, "progress")
    (view,) = (output["data"] for output in outputs(cell, "display_data"))
    assert "application/vnd.jupyter.widget-view+json" in view
    widgets = run["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"].values()
    (bar,) = (each["state"] for each in widgets if each["state"].get("_model_name") == "FloatProgressModel")
    assert (bar["value"], bar["max"], bar["bar_style"]) == (200.0, 200.0, "success")
    assert [output["name"] for output in outputs(cell, "stream")] == ["stdout"]


def test_an_error_shows_the_line_of_the_cell(notebook: Any) -> None:
    (cell,) = cells(notebook[0], "raises-exception")
    (error,) = outputs(cell, "error")
    assert error["ename"] == "ZeroDivisionError"
    assert "return 1 / number" in re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error["traceback"]))
