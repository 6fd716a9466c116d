"""Random numbers that several Workers draw alike are named in a warning, once, with what to do."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from launching import launch, python, write

from fedfutures.errors import RepeatedRandomNumbers
from fedfutures.futures.repeats import Repeated, found_at, warn
from fedfutures.wire.codec import pack_plain

pytest.importorskip("numpy")

PROGRAM = """
    import random, sys, time
    import numpy as np
    import beside
    from fedfutures import Executor, futures

    RNG = np.random.default_rng(42)
    OLD: object = np.random.RandomState(1); PLAIN = random.Random(1)
    UNUSED = random.Random(5)

    def draw(item):
        time.sleep(0.02)
        return RNG.random(), OLD.rand(), PLAIN.random(), beside.draw(), futures.rng().random()

    def careful(item):
        time.sleep(0.02)
        own = np.random.default_rng(np.random.SeedSequence(item))
        return own.random() if item >= 0 else UNUSED.random()

    def handed(rng):
        return rng.random()

    if __name__ == "__main__":
        RNG.random()
        functions = {"draw": draw, "careful": careful}
        if "executor" in sys.argv:
            for _ in range(2):
                with Executor(2) as executor:
                    list(executor.map(functions[sys.argv[1]], range(8), chunksize=1))
        else:
            list(futures.map(functions[sys.argv[1]], range(8), chunksize=1))
            futures.submit(handed, UNUSED).result()
    """
BESIDE = "import random\nrng = random.Random(3)\n\ndef draw():\n    return rng.random()\n"


def said(err: str) -> list[tuple[str, str, str]]:
    """The file, line and text of each warning."""
    return re.findall(r"^(?:.*/)?(\w+\.py):(\d+): RepeatedRandomNumbers: (.*)$", err, re.MULTILINE)


@pytest.mark.host
@pytest.mark.parametrize("way", ["launched", "executor"])
def test_each_generator_is_named_once(way: str, tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    (tmp_path / "beside.py").write_text(BESIDE)
    run = (lambda *words: launch("-n", "2", *words, cwd=tmp_path)) if way == "launched" else None
    ended = run("prog.py", "draw") if run else python("prog.py", "draw", "executor", cwd=tmp_path)
    assert ended.code == 0, ended.err
    found = said(ended.err)
    assert sorted((file, line, text.partition(", was made")[0]) for file, line, text in found) == [
        ("beside.py", "2", "beside.rng, a random.Random"),
        ("prog.py", "7", "RNG, a numpy.random.Generator"),
        ("prog.py", "8", "OLD, a numpy.random.RandomState"),
        ("prog.py", "8", "PLAIN, a random.Random"),
    ]
    for _, _, text in found:
        assert "each Worker has a copy, and all copies give the same numbers" in text
        assert "futures.map(f, items, seed=42)" in text
        assert ("the functions of module random instead" if "random.Random," in text else "futures.rng() inst") in text
    ended = run("prog.py", "careful") if run else python("prog.py", "careful", "executor", cwd=tmp_path)
    assert (said(ended.err), ended.code) == ([], 0)


@pytest.mark.host
@pytest.mark.parametrize("seeded", ["random", "numpy.random", ""])
def test_seeds_at_the_top_of_a_program(seeded: str, tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        f"""
        import random, time
        import numpy
        from fedfutures import futures
        {seeded and seeded + ".seed(1)"}

        def draw(item):
            time.sleep(0.02)
            return random.random(), numpy.random.random()

        if __name__ == "__main__":
            list(futures.map(draw, range(8), chunksize=1))
        """,
    )
    found = said(launch("-n", "2", "prog.py", cwd=tmp_path).err)
    text = (
        f"{seeded}.seed() at the top of the program seeds all Workers alike, so their Futures draw the same numbers. "
    )
    assert found == (
        [("prog.py", "5", text + "Give each item its own: futures.map(f, items, seed=42)")] if seeded else []
    )


ODD = [
    b"\xc1",
    *map(pack_plain, (7, {"variables": 7}, {"variables": [["m"]]}, {"global": [1]}, {"global": {"random": []}})),
]


@pytest.mark.parametrize("report", ODD)
def test_what_makes_no_sense_is_no_advice(report: bytes) -> None:
    good = pack_plain({"variables": [["m", "RNG", "random.Random"]], "global": {}})
    origin = SimpleNamespace(closed=False, lost=None, size=2, machine=SimpleNamespace(own=SimpleNamespace(made=1)))
    origin.submissions = SimpleNamespace(ask=lambda *_: ([("h.1", report), ("h.2", good)], True))
    assert found_at(origin).variables == {("m", "RNG"): "random.Random"}


def test_a_warning_may_be_an_error_and_comes_once() -> None:
    repeated = Repeated({("no_such_module", "Class.RNG"): "numpy.random.Generator"}, [])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(
            RepeatedRandomNumbers, match=r"^no_such_module\.Class\.RNG, a numpy\.random\.Generator, was"
        ):
            warn(repeated)
        warn(repeated)
