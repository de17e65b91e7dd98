"""Sphinx configuration: `nox -s docs` builds the site, and warnings are errors."""

from importlib.metadata import version as installed_version

project = "telnyx-rtc"
author = "telnyx-rtc contributors"
release = version = installed_version("telnyx-rtc")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"telnyx-rtc {version}"
default_role = "code"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
