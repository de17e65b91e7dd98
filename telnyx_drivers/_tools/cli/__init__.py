"""The command ``telnyx-rtc``. This package imports without the ``cli`` extra, to be able to say how to get it."""

import sys
from importlib.util import find_spec

HINT = "telnyx-rtc: {} not installed. The command line comes with:  pip install 'telnyx-rtc[media,cli]'"


def main() -> None:
    """Run the command line and leave with its exit status (docs/reference/cli.md)."""
    missing = [name for name in ("rich", "typer") if find_spec(name) is None]
    if missing:
        sys.stderr.write(HINT.format(" and ".join(missing) + (" is" if len(missing) == 1 else " are")) + "\n")
        sys.exit(2)
    from telnyx_drivers._tools.cli.app import app

    app()
