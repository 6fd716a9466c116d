"""What users read when a Future fails: the call, the item, the host, their own lines, and what to do next."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from launching import launch, python, write

from fedfutures.wire.tracebacks import with_lines

pytestmark = pytest.mark.host

PROGRAM = Path(__file__).with_name("messages_program.py")
ON = r", on [\w-]+\.[12](\+\d+)?$"


@pytest.fixture(scope="module", params=["True", "__name__ == '__main__'"], ids=["without a guard", "with a guard"])
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a program sees whose functions go by value, and one whose functions go by name."""
    place = tmp_path_factory.mktemp("messages")
    text = PROGRAM.read_text().replace("if GUARD:", f"if {request.param}:")
    (place / "prog.py").write_text(text)
    ended = launch("-n", "2", "prog.py", str(place / "seen.json"), cwd=place)
    assert ended.code == 0, ended
    return {"place": str(place), **json.loads((place / "seen.json").read_text())}


def line_of(text: str) -> int:
    return 1 + next(number for number, line in enumerate(PROGRAM.read_text().splitlines()) if text in line)


def shown(seen: dict[str, Any], name: str) -> str:
    """What is printed in the end; Python 3.10 has no notes there, so they stand in the text of the remote traceback."""
    found = seen[name]
    if sys.version_info < (3, 11) and not found["cause"]:  # nor does it show them where there is none
        return str(found["shown"])
    assert all(note in found["shown"] for note in found["notes"]), found
    return str(found["shown"])


@pytest.mark.parametrize(
    ("name", "kind", "text", "notes"),
    [
        ("exception", "ValueError", "could not convert string to float: 'three'", [r"in load\(path='1.5'\)" + ON]),
        ("in a map", "ValueError", "bad row", [r"in work\(number=17\), item 17 of map" + ON]),
        ("of a map", "ValueError", "bad row", [r"in work\(number=17, password=\.\.\.\), item 1 of map" + ON]),
        ("as completed", "ValueError", "bad row", [r"in work\(number=17\), item 7 of map" + ON]),
        ("nested", "ValueError", "bad row",
         [r"in work\(number=17\), item 1 of map" + ON, r"in middle\(number=17\)" + ON, r"in nested\(number=17\)" + ON]),
        ("arguments", "ValueError", "bad row", [r"in work\(number=17, password=\.\.\., rate=<ReprRaises>\)" + ON]),
        ("wrong arguments", "TypeError", "work() takes from 1 to 2 positional arguments but 3 were given",
         [r"in work\(number=1, password=\.\.\., 3\)" + ON]),
        ("of a cell", "ZeroDivisionError", "division by zero", [r"in in_cell\(number=0\)" + ON]),
        ("of a lambda", "ZeroDivisionError", "division by zero", [r"in <lambda>\(number=0\)" + ON]),
        ("input", "EOFError", "EOF when reading a line",
         [r"in ask\(\)" + ON, "^Workers have no terminal; ask in the program and pass the answer$"]),
        ("getpass", "EOFError", "",
         [r"in ask_secretly\(\)" + ON, "^Workers have no terminal; ask in the program and pass the answer$"]),
        ("breakpoint", "RuntimeError",
         "breakpoint() cannot work in a Future: Workers have no terminal; "
         "debug with fedfutures.Executor(mode='serial')", [r"in stop\(\)" + ON]),
        ("pdb", "BdbQuit", "",
         [r"in trace\(\)" + ON, r"^Workers have no terminal; debug with fedfutures.Executor\(mode='serial'\)$"]),
        ("result", "ResultNotPicklable",
         "generates() returned a generator, which cannot travel. Return list(...) of it.",
         [r"in generates\(number=2\)" + ON]),
        ("result of a lambda", "ResultNotPicklable",
         "<lambda>() returned a generator, which cannot travel. Return list(...) of it.",
         [r"in <lambda>\(number=3\), item 0 of map" + ON]),
        ("class", "Own", "of the program", [r"in raises_own\(\)" + ON]),
        ("lock in result", "ResultNotPicklable",
         "holds_lock() returned a dict with result['lock'][0] (a Lock), which cannot travel. Return its data.",
         [r"in holds_lock\(\)" + ON]),
        ("captured", "PicklingError",
         "the lambda at prog.py:LINE uses 'lock' (a _thread.lock), which cannot travel. "
         "Make it inside the function, or pass its data.", []),
        ("method", "PicklingError",
         "Store.read at prog.py:READ uses 'self.db' (a sqlite3.Connection), which cannot travel. "
         "Make it inside the function, or pass its data.", []),
        ("argument", "PicklingError", "work() is given args[0] (a _thread.lock), which cannot travel. "
         "Make it inside the function, or pass its data.", []),
        ("argument in turn", "PicklingError", "install_of() is given args[0] (a _thread.lock), which cannot travel. "
         "Make it inside the function, or pass its data.", [r"^item 1 of map$"]),
        ("future", "PicklingError",
         "work() is given args[0] (a Future), which cannot travel. "
         "Instead pass future.result(), or submit inside a Future.", []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_message(seen: dict[str, Any], name: str, kind: str, text: str, notes: list[str]) -> None:
    found = seen[name]
    text = text.replace("LINE", str(line_of("lambda number: (lock"))).replace("READ", str(line_of("def read(")))
    assert (found["type"], found["text"]) == (kind, text)
    if kind == "ResultNotPicklable":  # an error of ours
        notes = [*notes, f"^About this error: python -m fedfutures error {kind}$"]
    assert len(found["notes"]) == len(notes), found["notes"]
    for said, pattern in zip(found["notes"], notes):
        assert re.search(pattern, said), said
    shown(seen, name)
    if kind == "PicklingError" and not found["cause"]:
        assert found["shown"].count("Traceback (most recent call last)") == 1


@pytest.mark.parametrize(
    ("name", "file", "functions", "line"),
    [
        ("exception", "prog.py", ["load", "parse"], "return float(text)  # a line that tells"),
        ("in a map", "prog.py", ["work"], 'raise ValueError("bad row")'),
        ("nested", "prog.py", ["nested", "middle", "work"], "return list(futures.map(work, [1, number]))"),
        ("of a cell", "<ipython-input-3-1f2e>", ["in_cell", "inside"], "return 1 / number  # of the cell"),
        ("of a lambda", "prog.py", ["<lambda>"], "# this lambda"),
    ],
)
def test_lines(seen: dict[str, Any], name: str, file: str, functions: list[str], line: str) -> None:
    """The remote part has the program's lines, and none of ours."""
    text = seen[name]["cause"]
    assert line in text
    for function in functions:
        assert re.search(rf'File "[^"]*{re.escape(file)}", line \d+, in {re.escape(function)}', text), text
    assert "dynamic-code" not in text
    for ours in ("fedfutures/worker", "fedfutures/wire", "fedfutures/futures", "cloudpickle"):
        assert ours not in text


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes stand in the remote traceback there")
@pytest.mark.parametrize("name", ["wrong arguments", "result", "result of a lambda", "lock in result"])
def test_what_has_no_line_of_the_program_is_said_once(seen: dict[str, Any], name: str) -> None:
    found = seen[name]
    assert found["shown"].count(found["text"]) == 1, found["shown"]


def test_a_class_of_the_program_has_the_name_that_it_has_there(seen: dict[str, Any]) -> None:
    assert "\nOwn: of the program\n" in seen["class"]["cause"], seen["class"]
    assert "__mp_main__" not in seen["class"]["shown"]


@pytest.mark.parametrize(("name", "file"), [("missing file", "small.csv"), ("missing directory", "no/such/place")])
def test_a_missing_file(seen: dict[str, Any], name: str, file: str) -> None:
    found = seen[name]
    assert (found["type"], found["text"]) == ("FileNotFoundError", f"[Errno 2] No such file or directory: '{file}'")
    assert re.fullmatch(rf"on host [\w-]+, in {re.escape(seen['place'])}", found["notes"][1])


def test_an_item_that_cannot_travel_fails_alone(seen: dict[str, Any]) -> None:
    refused = "ResultNotPicklable('generates() returned a generator, which cannot travel. Return list(...) of it.')"
    assert seen["results"] == [0, 1, refused, 3, 4]
    assert seen["result at load"] == [0, 1, "KeyError('not here')", 3, 4]
    first, error, last = seen["argument at load"]
    assert (first, last) == (1, 3)
    assert re.match(r"ArgumentLoadError\(.*ValueError\('cannot be loaded'\)", error.replace("\\", ""))
    first, error, *rest = seen["argument of a map"]
    assert (first, rest) == (1, [3, 4])
    assert error.startswith("PicklingError('install_of() is given args[0] (a _thread.lock)")
    first, error, lock, last = seen["nested map"]
    assert (first, error, last) == (1, refused, 3)
    assert lock.startswith("PicklingError('generates() is given args[0]")
    assert seen["taken"] == [[1]]  # what comes before is delivered


def test_names_of_the_program_are_its_own(seen: dict[str, Any]) -> None:
    assert seen["names"] == [2, 1, 2, 3]


def test_lost_workers(seen: dict[str, Any]) -> None:
    for name in ("exit", "exit in a map", "kill", "crash"):
        assert seen[name]["type"] == "PoisonedFuture"
        assert "mode='serial'" not in seen[name]["text"]  # which would end the program
    assert seen["exit"]["text"].startswith("die(17, 'x') was running on 3 Workers when they died; the last was ")
    assert "exit code 3. It is not tried again. It has ended its process" in seen["exit"]["text"]
    assert seen["exit in a map"]["text"].startswith("die(17) was running")
    assert seen["exit in a map"]["notes"] == [
        "item 1 of map", "About this error: python -m fedfutures error PoisonedFuture"
    ]  # fmt: skip
    assert "signal SIGKILL" in seen["kill"]["text"]
    assert "out of memory" in seen["kill"]["text"]
    crash = seen["crash"]["text"]
    assert re.search(r"signal SIGSEGV\. .*crashed; where, is said below", crash)
    assert crash.count("most recent call first") == 1  # one thread
    assert re.search(r'File ".*prog.py", line \d+ in crash', crash)
    assert "fedfutures/worker" not in crash


UNCAUGHT = """
    from fedfutures import futures

    def price(row):
        return 1 / (row - 17)

    if __name__ == "__main__":
        {call}
    """


@pytest.mark.parametrize(
    "call", ["futures.submit(price, 17).result()", "list(futures.map(price, range(40)))"], ids=["submit", "map"]
)
def test_an_error_that_ends_the_program_shows_none_of_our_frames(tmp_path: Path, call: str) -> None:
    program = write(tmp_path / "prog.py", UNCAUGHT.format(call=call))
    ended = launch("-n", "2", str(program), cwd=tmp_path)
    assert ended.code == 1
    assert "fedfutures/" not in ended.err.replace("fedfutures.errors", "")
    assert re.search(rf'File ".*prog.py", line 8, in <module>\n +{re.escape(call)}', ended.err)
    assert re.search(r'File ".*prog.py", line 5, in price\n +return 1 / \(row - 17\)', ended.err)
    assert re.search(r"in price\(row=17\)(, item 17 of map)?, on ", ended.err)


def test_in_a_notebook(tmp_path: Path) -> None:
    """A cell: code that is in no file, in a process that is not ours."""
    ended = python("-c", """if True:
        import linecache, traceback
        from fedfutures import Executor
        source = "def f(x):\\n    return 1 / x  # seen\\n"
        linecache.cache["<cell 3>"] = (len(source), None, source.splitlines(True), "<cell 3>")
        exec(compile(source, "<cell 3>", "exec"))
        with Executor(1) as executor:
            try:
                executor.submit(f, 0).result()
            except ZeroDivisionError:
                traceback.print_exc()
        """, cwd=tmp_path)  # fmt: skip
    assert 'File "<cell 3>", line 2, in f\n    return 1 / x  # seen' in ended.err
    assert re.search(r"in f\(x=0\), on [\w-]+\.1", ended.err)


def test_lines_of_groups_are_added_in_their_frames() -> None:
    text = '  | Traceback (most recent call last):\n  |   File "<cell 9>", line 1, in f\n  | ValueError'
    import linecache

    linecache.cache["<cell 9>"] = (4, None, ["boo()\n"], "<cell 9>")
    assert with_lines(text).splitlines()[2] == "  |     boo()"
