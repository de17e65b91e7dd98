"""Sphinx configuration: `nox -s docs` builds the site, and warnings are errors."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "telnyx-rtc"
author = "telnyx-rtc contributors"
release = version = installed_version("telnyx-rtc")

extensions = ["myst_parser", "state_table"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "_ext", "_tools"]
html_theme = "furo"
html_title = f"telnyx-rtc {version}"
default_role = "code"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
