"""How large things may be: the tail is what separates the good from the bad."""

from __future__ import annotations

from . import figures

ATTRIBUTES = 30
MODULE_LINES = 425
FUNCTION_LINES = 50
WITHOUT_TEST_FILE = 1


def test_objects_are_small() -> None:
    """More than 30 attributes also make each of them slower to read."""
    assert figures.large_classes(ATTRIBUTES) == {}


def test_modules_fit_into_a_head() -> None:
    assert figures.long_modules(MODULE_LINES) == {}


def test_functions_fit_on_a_page() -> None:
    assert figures.long_functions(FUNCTION_LINES) == {}


def test_class_names_mean_one_thing() -> None:
    assert figures.double_names() == {}


def test_tests_mirror_the_tree() -> None:
    assert len(figures.without_test_file()) < WITHOUT_TEST_FILE
