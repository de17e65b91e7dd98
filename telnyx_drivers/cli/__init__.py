"""The command ``telnyx-rtc``. This package imports without the ``cli`` extra, to be able to say how to get it."""

import sys

HINT = "telnyx-rtc: the command line needs two more packages. Install them with:  pip install 'telnyx-rtc[media,cli]'"


def main() -> None:
    """Run the command line and leave with its exit status (docs/reference/cli.md)."""
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ModuleNotFoundError as missing:
        if missing.name not in {"rich", "typer"}:
            raise
        sys.exit(HINT)
    from telnyx_drivers.cli.app import run

    run()
