"""The command ``telnyx-rtc``. This package imports without the ``cli`` extra, to be able to say how to get it."""

import sys
from importlib.util import find_spec

from telnyx_drivers._tools.cli.exits import HINT, Exit


def main() -> None:
    """Run the command line and leave with its exit status (docs/reference/cli.md)."""
    missing = [name for name in ("rich", "typer") if find_spec(name) is None]
    if missing:
        sys.stderr.write(HINT.format(" and ".join(missing) + (" is" if len(missing) == 1 else " are")) + "\n")
        sys.exit(Exit.USAGE)
    from telnyx_drivers._tools.cli.app import app

    app()
