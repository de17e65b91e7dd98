"""Two readers: a person, and a script that asked for ``--json``."""

import json
import sys
from collections.abc import Mapping

from rich.console import Console

from telnyx_core.json_types import Json


class Output:
    """What a command says.

    People read ``console``: standard output, or standard error once a script has asked for the document. ``warn`` always
    goes to standard error.
    """

    def __init__(self, *, json: bool) -> None:
        self.json = json
        self.errors = Console(stderr=True, highlight=False)
        self.console = self.errors if json else Console(highlight=False)

    def warn(self, text: str) -> None:
        self.errors.print(f"Warning: {text}", style="yellow", markup=False)

    def emit(self, document: Mapping[str, Json]) -> None:
        """The one JSON document, on one line, the last of standard output; nothing unless ``--json`` was given."""
        if self.json:
            sys.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")
            sys.stdout.flush()
