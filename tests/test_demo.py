"""``make demo``: it says how far it is and what was done, and its exit code says whether that is right."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from launching import launch, python

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "docs" / "examples" / "mandelbrot.py"


@pytest.mark.host
def test_it_says_what_was_done() -> None:
    ended = launch("-n", "2", str(DEMO), "--detail", "2", "--serial")
    assert ended.code == 0, ended.err
    first, *picture, futures, shares, right, serial = ended.out.splitlines()
    assert first == "The Mandelbrot set, 9,120 points: 60 lines, each of them a Future."
    assert len(picture) == 30
    assert {len(row) for row in picture} == {76}
    assert picture[14].count("#") > 40 > 10 > picture[0].count("#")  # there is something to be seen
    assert re.fullmatch(r"60 Futures in \d+\.\d s on 2 Workers, busy \d+% of the time", futures)
    assert sum(int(count) for count in re.findall(r"\.\d (\d+)", shares)) == 60
    assert re.fullmatch(r"The picture is right: its digest is [0-9a-f]{16}, as on every machine\.", right)
    assert re.fullmatch(r"Without Workers: \d+\.\d s, \d+\.\d times as long, and the same picture\.", serial)
    assert "60 of 60 done (100 %)" in ended.err


@pytest.mark.host
def test_without_workers_it_is_the_same_picture() -> None:
    one = python(str(DEMO), "--detail", "1").out
    other = launch("-n", "1", str(DEMO), "--detail", "1").out
    assert one.splitlines()[:31] == other.splitlines()[:31]
    assert one.splitlines()[-1] == other.splitlines()[-1]


@pytest.mark.host
def test_a_wrong_picture_ends_with_code_1(tmp_path: Path) -> None:
    wrong = DEMO.read_text(encoding="utf-8").replace("2.0 * x * y", "2.0 * x * y + 1e-9")
    (tmp_path / "wrong.py").write_text(wrong, encoding="utf-8")
    ended = launch("-n", "2", "wrong.py", "--detail", "2", cwd=tmp_path)
    assert ended.code == 1
    assert re.fullmatch(
        r"WRONG: the digest of the picture is [0-9a-f]{16}, and should be [0-9a-f]{16}", ended.out.splitlines()[-1]
    )


@pytest.mark.once
def test_make_runs_it_and_the_readme_has_its_digest() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", "demo", "DEMO=--serial"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    last = done.stdout.splitlines()[-1]
    assert re.fullmatch(r"\S+/python -m fedfutures docs/examples/mandelbrot\.py --serial", last)
    digest = re.search(r'8: "([0-9a-f]{16})"', DEMO.read_text(encoding="utf-8"))
    assert digest is not None
    assert f"its digest is {digest[1]}, as on every machine." in (ROOT / "README.rst").read_text(encoding="utf-8")
