"""Each story is told again as it was written; with its bug back in the code it is not.

``UPDATE_STORIES=1 python -m pytest tests/simulation/test_stories.py`` writes what is said now into the stories.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .mutant_table import BY_NAME
from .planting import planted
from .stories import retold, undone_by

STORIES = sorted((Path(__file__).parents[1] / "stories").glob("*.txt"))
UPDATE = bool(os.environ.get("UPDATE_STORIES"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_the_story_goes_on_as_it_did(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    now = retold(text)
    if UPDATE:
        path.write_text(now, encoding="utf-8")
    assert now.splitlines() == path.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("path", "name"),
    [(path, name) for path in STORIES for name in undone_by(path)],
    ids=lambda value: getattr(value, "stem", value),
)
def test_with_the_bug_the_story_is_another(path: Path, name: str) -> None:
    text = path.read_text(encoding="utf-8")
    with planted(BY_NAME[name]):
        try:
            now = retold(text)
        except Exception:  # whatever a bug brings about
            return
    assert now.splitlines() != text.splitlines()


def test_each_story_has_a_bug_and_says_symptom_and_cause() -> None:
    assert len(STORIES) >= 7
    for path in STORIES:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# Symptom: "), path
        assert "\n# Cause: " in text, path
        assert undone_by(path), path
