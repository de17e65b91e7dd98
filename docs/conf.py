"""Sphinx configuration: `nox -s docs` builds the site, and warnings are errors."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "telnyx-rtc"
author = "telnyx-rtc contributors"
release = version = installed_version("telnyx-rtc")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "sphinx_llms_txt", "state_table"]
copybutton_exclude = ".linenos, .gp, .go"
llms_txt_summary = "Phone calls from Python over Telnyx WebRTC, on asyncio, trio or without async."
autodoc_class_signature = "separated"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "_ext", "_tools"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["narrow.css"]
html_show_copyright = False
html_title = f"telnyx-rtc {version}"
default_role = "code"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3


def drop_module_docstring(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Those of modules are for who reads the source; the page has its own words."""
    if what == "module":
        lines.clear()


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", drop_module_docstring)
