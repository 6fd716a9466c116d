"""The program of this machine: whether Workers may import it."""

from __future__ import annotations

import sys
import textwrap
import types
from pathlib import Path

import pytest

from fedfutures.host.here import has_main_guard, importable_program, modules_in, program_here

GUARDS = [
    "if __name__ == '__main__': main()",
    'if __name__ == "__main__":\n    main()',
    "if '__main__' == __name__: main()",
    "def main(): pass\nif __name__ == '__main__': main()\nprint()",
    "if __name__ == '__main__' and True: main()",
    "if True or __name__ == '__main__': main()",
    "if not __name__ != '__main__': main()",
    "if (__name__ == '__main__'): main()",
    "if __name__ != '__main__': raise ImportError",
    "if __name__ in ('__main__', 'other'): main()",
    "try:\n    if __name__ == '__main__': main()\nfinally: pass",
    "try:\n    pass\nexcept ValueError:\n    pass\nelse:\n    if __name__ == '__main__': main()",
    "with open('x') as f:\n    if __name__ == '__main__': main()",
    "if 1:\n    pass\nelif __name__ == '__main__':\n    main()",
    "if 1:\n    pass\nelse:\n    if __name__ == '__main__':\n        main()",
    "if 1:\n    if __name__ == '__main__':\n        main()",
    "for _ in [1]:\n    if __name__ == '__main__': main()",
    "# -*- coding: utf-8 -*-\nif __name__ == '__main__': main()",
]
NO_GUARDS = [
    "",
    "main()",
    "print(__name__)  # '__main__'",
    "'if __name__ == \"__main__\": main()'",
    "# if __name__ == '__main__': main()",
    "def f():\n    if __name__ == '__main__': main()",
    "async def f():\n    if __name__ == '__main__': main()",
    "class C:\n    if __name__ == '__main__': main()",
    "if __name__ == 'other': main()  # '__main__'",
    "if name == '__main__': main()  # __name__",
    "if main(__name__ == '__main__'): pass",
    "x = __name__ == '__main__'",
    "while __name__ == '__main__': main()",
    "if __name__ == '__main__' main()",
    "if __name__ == '__main__':\n\0",
]


@pytest.mark.parametrize("source", GUARDS)
@pytest.mark.parametrize("kind", [str, str.encode])
def test_a_main_guard(source: str, kind: type[str]) -> None:
    assert has_main_guard(kind(source))


@pytest.mark.parametrize("source", NO_GUARDS)
@pytest.mark.parametrize("kind", [str, str.encode])
def test_no_main_guard(source: str, kind: type[str]) -> None:
    assert not has_main_guard(kind(source))


def test_a_guard_in_a_clause_of_a_match_or_a_handler_of_a_try() -> None:
    for source in (
        "try:\n    pass\nfinally:\n    if __name__ == '__main__': main()",
        "try:\n    import x\nexcept ImportError:\n    if __name__ == '__main__': main()",
        "match 1:\n    case _:\n        if __name__ == '__main__': main()",
    ):
        assert has_main_guard(source), source


def test_a_source_of_another_encoding() -> None:
    source = "# -*- coding: latin-1 -*-\nTEXT = 'é'\nif __name__ == '__main__': main()\n"
    assert has_main_guard(source.encode("latin-1"))
    assert not has_main_guard(source.replace("latin-1", "no-such-coding").encode("latin-1"))
    assert has_main_guard(b"\xef\xbb\xbf" + b"if __name__ == '__main__': main()")


def test_files_and_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded, bare = tmp_path / "guarded_program.py", tmp_path / "bare_program.py"
    guarded.write_text("if __name__ == '__main__':\n    pass\n")
    bare.write_text("print(1)\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert importable_program("file", str(guarded))
    assert importable_program("module", "guarded_program")
    for kind, place in (
        ("file", str(bare)),
        ("file", str(tmp_path / "no_such.py")),
        ("file", str(tmp_path)),
        ("module", "bare_program"),
        ("module", "no_such_program"),
        ("module", "no_such_package.program"),
        ("module", "sys"),
    ):
        assert not importable_program(kind, place)


def test_the_program_that_runs_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert program_here() is None  # of no file
    file = tmp_path / "guarded_program.py"
    file.write_text(textwrap.dedent("if __name__ == '__main__':\n    pass\n"))
    main.__file__ = str(file)
    assert program_here() == ("file", str(file))
    monkeypatch.syspath_prepend(tmp_path)
    from importlib.util import find_spec

    main.__spec__ = find_spec("guarded_program")
    assert program_here() == ("module", "guarded_program")
    file.write_text("print(1)\n")
    assert program_here() is None


def test_modules_beside_the_program(tmp_path: Path) -> None:
    for name in ("beside.py", "json.py", "not-a-name.py", "text.txt"):
        (tmp_path / name).touch()
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "folder").mkdir()
    assert modules_in(str(tmp_path)) == ["beside", "package"]
    assert modules_in(str(tmp_path / "no such")) == []
