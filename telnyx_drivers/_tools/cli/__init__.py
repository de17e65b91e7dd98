"""The command ``telnyx-rtc``. This package imports without the ``cli`` extra, to be able to say how to get it."""

import json
import sys
from importlib.util import find_spec

from telnyx_drivers._tools.cli.exits import HINT, Exit


def main() -> None:
    """Run the command line and leave with its exit status (docs/reference/cli.md)."""
    missing = [name for name in ("rich", "typer") if find_spec(name) is None]
    if missing:
        text = HINT.format(" and ".join(missing) + (" is" if len(missing) == 1 else " are"))
        sys.stderr.write(text + "\n")
        _document(text)
        sys.exit(Exit.USAGE)
    from telnyx_drivers._tools.cli.app import app

    try:
        app()
    except SystemExit as left:
        # Typer leaves this way out of the handling of its own exception, which knows what is wrong with the line.
        message = getattr(left.__context__, "format_message", None)
        if message is not None:
            _document(str(message()))
        raise


def _document(message: str) -> None:
    """What ``--json`` promises, where no command has begun that could keep the promise."""
    if "--json" in sys.argv[1:]:
        error = {"type": "UsageError", "message": message}
        sys.stdout.write(json.dumps({"ok": False, "status": "usage", "error": error}) + "\n")
