"""How Sphinx builds the documentation (``make docs``)."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # for _tools, and for fedfutures where it is not installed

import fedfutures  # noqa: E402

project = "fedfutures"
author = "the fedfutures developers"
copyright = f"2026, {author}"
release = version = fedfutures.__version__

extensions = ["sphinx.ext.autodoc", "_tools.directives"]
exclude_patterns = ["_tools", "examples"]
default_role = "code"

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "none"
toc_object_entries = False

html_theme = "alabaster"
html_theme_options = {
    "description": "Futures over many processes and many machines",
    "page_width": "1100px",
    "body_max_width": "820px",
}
html_copy_source = False
