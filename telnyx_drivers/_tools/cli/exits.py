"""Exit statuses: what a script can rely on (docs/reference/cli.md)."""

from enum import IntEnum
from typing import Final

HINT: Final = "telnyx-rtc: {} not installed. The command line comes with:  pip install 'telnyx-rtc[media,cli]'"


class Exit(IntEnum):
    OK = 0
    FAILED = 1
    """The server could not be reached, the login was refused, or the call did not come about."""
    USAGE = 2
    """The command line, a file or the environment is wrong; nothing was tried."""
    DEGRADED = 3
    """The call took place with faults: one direction was silent, or a part was cut off."""
    INTERRUPTED = 130
    """Ctrl-C, SIGTERM, or a terminal that was closed (SIGHUP). Calls were hung up first."""


class UsageError(Exception):
    """The user must change something; the text says what. Ends the program with `Exit.USAGE`."""
