"""Sphinx: how the pages of this folder become the documentation site; ``make docs`` builds it into build/docs.

Pages are Markdown (MyST). ``gallery.py`` runs the demos and writes their pages, MyST-NB runs the notebooks; with
``HYDRODL_DOCS=quick`` in the environment neither is run, which takes a quarter of the time and checks all the rest.
"""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "extensions"), str(HERE.parent)]
import hydrodl  # noqa: E402, F401  (first: it orders the compiled libraries)

QUICK = os.environ.get("HYDRODL_DOCS") == "quick"
_project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]

project, author = "hydrodl", _project["authors"][0]["name"]
release = version = _project["version"]
copyright = author
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "docstrings",
    "gallery",
    "mathematics",
    "names",
]
exclude_patterns = ["extensions", "_static"]
suppress_warnings = ["ref.python"]  # words in docstrings that are attributes of several classes
hydrodl_run_demos = not QUICK

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4

nb_execution_mode = "off" if QUICK else "cache"
nb_execution_timeout = 180
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "exclude-members": "name"}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
add_module_names = False
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"hydrodl {version}"
html_static_path = ["_static"]
html_css_files = ["hydrodl.css"]
html_math_renderer = "mathml"
html_copy_source = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
