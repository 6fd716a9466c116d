"""A host without the program's files: what its Workers import comes from the Origin, and is what the Origin has."""

from __future__ import annotations

import importlib.machinery
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from launching import Running, write

pytestmark = pytest.mark.host

HERE = Path(__file__).resolve().parent

FILES = {
    "helper.py": """
        import sys

        VALUE = 42
        state = []
        pause = 0.0

        class Made:
            def __init__(self, number):
                self.number = number

        def begin(number):
            import begun
            state.append((number, begun.NAME))

        def begun():
            return state

        def double(number):
            return 2 * number * scale()

        def scale():
            return VALUE // 42

        def make(number):
            return Made(number)

        def fail():
            raise ValueError("on purpose")  # a line that tells
        """,
    "begun.py": "NAME = 'begun'\n",
    "late.py": """
        import time
        import helper
        time.sleep(helper.pause)
        import slow

        class Late:
            def __init__(self):
                import os
                self.pid = os.getpid()
        """,
    "slow.py": "import helper\nimport time\ntime.sleep(helper.pause)\nimport slower\n",
    "slower.py": "",
    "pkg/__init__.py": "from .other import NAME as first\n",
    "pkg/other.py": "NAME = 'other'\n",
    "pkg/sub/__init__.py": "",
    "pkg/sub/deep.py": "from ..other import NAME\nfrom .. import other\n\ndef shown():\n    return 7  # seen\n",
    "pkg/ring_a.py": "from . import ring_b\n\ndef b():\n    return ring_b.B\n",
    "pkg/ring_b.py": "from . import ring_a\n\nB = 'b'\n\ndef back():\n    return ring_a.b()\n",
    "spread/inner/leaf.py": "NAME = 'leaf'\n",
    "bad.py": "x = 1\ny = = 2\n",
    "changing.py": "TEXT = 'as first asked for'\n",
    "built" + importlib.machinery.EXTENSION_SUFFIXES[0]: "",
    "lib/site-packages/bought.py": "X = 1\n",
    "program.py": """
        import importlib
        import importlib.util
        import inspect
        import json
        import os
        import sys
        import threading
        import time

        import helper
        from fedfutures import explain, futures, shared

        LEVEL = 3

        class Thing:
            def __init__(self, number):
                self.number = number

        def sibling():
            import helper
            return helper.VALUE, helper.__file__

        def package():
            import pkg
            from pkg.sub import deep
            from pkg import other
            return pkg.first, deep.NAME, other.NAME, importlib.import_module("pkg.ring_b").back()

        def namespace():
            import spread.inner.leaf
            return spread.inner.leaf.NAME

        def processes():
            import multiprocessing
            found = []
            for method in "fork", "spawn", "forkserver":
                with multiprocessing.get_context(method).Pool(1) as pool:
                    made = pool.map_async(Thing, [LEVEL]).get(15)[0]
                    found.append([pool.map_async(helper.double, [4]).get(15)[0], made.number, type(made) is Thing])
            return found

        def from_without():
            from pkg import nothing_such

        def source():
            from pkg.sub import deep
            return inspect.getsource(deep.shown), deep.shown.__code__.co_filename, inspect.getsource(Thing)

        def bad():
            import bad

        def fail():
            import helper
            helper.fail()

        def missing(name):
            importlib.import_module(name)

        def optional():
            found = []
            for _ in range(21):
                began = time.perf_counter()
                try:
                    import perhaps
                except ImportError:
                    pass
                found.append(time.perf_counter() - began)
            return importlib.util.find_spec("perhaps") is None, sorted(found[1:])[10]

        def thread():
            found = []
            one = threading.Thread(target=lambda: found.append(importlib.import_module("pkg.other").NAME))
            one.start()
            one.join(10)
            return found

        def of_program(thing):
            return isinstance(thing, Thing), Thing(thing.number + LEVEL)

        def given_later():
            # Results come, of a class of `late`, while this process is in the middle of importing that.
            found = [futures.submit(elsewhere, number) for number in range(20)]
            helper.pause = 0.2
            import late
            return sorted(type(future.result()).__name__ for future in found)

        def elsewhere(number):
            time.sleep(0.01)
            import late
            return late.Late()

        def changing(pause):
            import changing
            time.sleep(pause)
            return changing.TEXT, os.getpid()

        def read(path):
            with open(shared.file(path)) as file:
                return file.read(), shared.file(path), os.getpid()

        over = threading.Event()

        def asks(hosts):
            # Somebody looks at the run all the time, as ``fedfutures top`` does.
            while not over.wait(0.05):
                explain(timeout=1.0)

        def main():
            sys.path += [sys.argv[1], os.path.join(os.path.dirname(__file__), "lib", "site-packages")]
            from code_hosts import Hosts
            from fedfutures.wire.seal import Seal

            seal = b"k" * 32 if sys.argv[3] == "sealed" else None
            hosts = Hosts(sys.argv[2], seal=seal, initializer=(helper.begin, (5,)))
            asker = threading.Thread(target=asks, args=(hosts,))
            asker.start()
            try:
                report = {
                    function.__name__: hosts.report(function) for function in (
                        helper.begun, sibling, package, namespace, from_without, source, bad, optional, thread,
                        given_later, fail,
                    )
                }
                for name in ("nowhere", "bought", "built", "fedfutures_launcher.nothing"):
                    report[name] = hosts.report(missing, name)
                report["processes"] = hosts.report(processes)
                report["double"] = hosts.report(helper.double, 4)
                report["made"] = hosts.call(helper.make, 9).number
                known, thing = hosts.call(of_program, Thing(4))
                report["of_program"] = known, type(thing) is Thing, thing.number
                first = hosts.call(changing, 0)
                with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "changing.py"), "w") as file:
                    file.write("TEXT = 'as changed since'")
                later = [hosts.origin.submit(changing, (0.05,), {}) for _ in range(20)]
                found = [first, *(hosts.result(future) for future in later)]
                report["changing"] = sorted({text for text, _ in found}), len({pid for _, pid in found})
                data = os.path.join(sys.argv[2], "data.csv")
                with open(data, "w") as file:
                    file.write("1,2")
                report["unknown_file"] = hosts.report(read, "data.csv")
                assert shared.file("data.csv") == shared.file(data) == data
                many = [hosts.origin.submit(read, ("data.csv",), {}) for _ in range(20)]
                read_there = [hosts.result(future) for future in many]
                report["file"] = sorted({(text, path) for text, path, _ in read_there}), hosts.call(read, data)[1]
                os.remove(data)
                constant = {"constant": [1, 2]}
                shared.set(table=constant)
                report["constant"] = hosts.call(shared.get, "table") == constant
                if seal is not None:
                    forger = Seal(b"x" * 32)
                    forger.outcomes = hosts.origin.payloads.seal.outcomes
                    hosts.origin.payloads.seal = forger
                    report["forged"] = hosts.report(helper.double, 4)
            finally:
                over.set()
                asker.join()
                hosts.end()
            print(json.dumps(report))

        if __name__ == "__main__":
            main()
        """,
}


@dataclass
class Report:
    """What the program has found, and where it is."""

    place: Path
    found: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.found[name]


@pytest.fixture(scope="module", params=["plain", "sealed"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Run the program once, with and without seals."""
    place, elsewhere = tmp_path_factory.mktemp("program"), tmp_path_factory.mktemp("elsewhere")
    for name, text in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        write(place / name, text)
    running = Running(
        [str(place / "program.py"), str(HERE), str(elsewhere), request.param], cwd=elsewhere, fedfutures=False
    )
    ended = running.end()
    assert ended.code == 0, ended.err
    return Report(place, json.loads(ended.out.splitlines()[-1]))


def test_modules_beside_the_program(report: Report) -> None:
    assert report["sibling"] == [42, str(report.place / "helper.py")]
    assert report["package"] == ["other", "other", "other", "b"]
    assert report["namespace"] == "leaf"
    assert report["thread"] == ["other"]


def test_the_initializer_imports(report: Report) -> None:
    assert report["begun"] == [[5, "begun"]]


def test_processes_of_multiprocessing(report: Report) -> None:
    assert report["processes"] == [[8, 3, True]] * 3


def test_functions_and_classes_of_modules_and_of_the_program(report: Report) -> None:
    assert report["double"] == 8
    assert report["made"] == 9
    assert report["of_program"] == [True, True, 7]
    assert report["given_later"] == ["Late"] * 20


def test_sources_are_those_of_the_origin(report: Report) -> None:
    shown, file, thing = report["source"]
    assert shown == "def shown():\n    return 7  # seen\n"
    assert file == str(report.place / "pkg" / "sub" / "deep.py")
    assert thing.startswith("class Thing:\n")


def test_tracebacks_show_the_lines(report: Report) -> None:
    kind, text, trace = report["fail"]
    assert (kind, text) == ("ValueError", "on purpose")
    assert f'File "{report.place / "helper.py"}"' in trace
    assert "# a line that tells" in trace


def test_a_syntax_error_is_one(report: Report) -> None:
    kind, text, trace = report["bad"]
    assert kind == "SyntaxError"
    assert "bad.py, line 2" in text
    assert "y = = 2" in trace


def test_what_is_nowhere_is_said_to_be(report: Report) -> None:
    kind, text, _ = report["nowhere"]
    assert kind == "ModuleNotFoundError"
    assert text.startswith("No module named 'nowhere' on host h2 (Worker h2.")
    assert f"Python {sys.executable}); the Origin on " in text
    assert "lacks it too: it is neither installed nor beside the program" in text


def test_what_is_installed_at_the_origin_alone_is_said_to_be(report: Report) -> None:
    kind, text, _ = report["bought"]
    assert kind == "ModuleNotFoundError"
    assert "(site-packages) but not on h2" in text


def test_a_compiled_extension_does_not_travel(report: Report) -> None:
    kind, text, _ = report["built"]
    assert kind == "ModuleNotFoundError"
    assert "it is a compiled extension on" in text
    assert str(report.place) in text


def test_a_name_that_a_package_lacks(report: Report) -> None:
    kind, text, _ = report["from_without"]
    assert kind == "ImportError"
    assert "cannot import name 'nothing_such' from 'pkg'" in text


def test_parts_of_fedfutures_are_not_asked_for(report: Report) -> None:
    kind, text, _ = report["fedfutures_launcher.nothing"]
    assert (kind, text) == ("ModuleNotFoundError", "No module named 'fedfutures_launcher.nothing'")


def test_optional_modules_are_asked_for_once(report: Report) -> None:
    only_looked_for, seconds = report["optional"]
    assert only_looked_for is True
    assert seconds < 0.01


def test_the_text_is_that_of_the_beginning(report: Report) -> None:
    assert report["changing"] == [["as first asked for"], 2]


def test_a_task_with_another_seal_is_not_run(report: Report) -> None:
    if "forged" not in report.found:
        return
    kind, text, _ = report["forged"]
    assert kind == "SealBroken"
    assert text.startswith("Worker h2.")
    assert "did not run double()" in text
    assert "the task was altered on its way from the submitter" in text


def test_files_of_the_program_are_fetched(report: Report) -> None:
    (found,), by_its_whole_path = report["file"]
    text, path = found
    assert text == "1,2"
    assert path == by_its_whole_path
    assert Path(path).name.startswith("file-")
    assert Path(path).suffix == ".csv"


def test_a_file_that_was_not_made_known(report: Report) -> None:
    kind, text, _ = report["unknown_file"]
    assert kind == "FileNotFoundError"
    assert "call fedfutures.shared.file('data.csv') in the program" in text


def test_constants_arrive(report: Report) -> None:
    assert report["constant"] is True
