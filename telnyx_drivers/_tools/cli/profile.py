"""``--profile``: the settings of one of several accounts or servers, in a file that is kept for them."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import typer

from telnyx_drivers._tools.cli.credentials import NAMES, read_pairs
from telnyx_drivers._tools.cli.exits import UsageError

PREFIX = "TELNYX_"


def profiles() -> Path:
    """The folder with a file NAME.env for each profile."""
    return Path(typer.get_app_dir("telnyx-rtc"))


def use_profile(name: str, *, warn: Callable[[str], None]) -> None:
    """Put a profile's ``TELNYX_`` variables into the environment, where every option and the credentials come from.

    They win over the variables that are set, and a login replaces every other login. Raises `UsageError`.
    """
    if not re.fullmatch(r"[\w.-]+", name):
        raise UsageError(f"{name!r} is no name of a profile: letters, digits, '-', '_' and '.'.")
    file = profiles() / f"{name}.env"
    if not file.is_file():
        there = ", ".join(sorted(each.stem for each in profiles().glob("*.env"))) or "none"
        raise UsageError(f"there is no file {file}, with lines such as {NAMES[0]}=...; profiles: {there}.")
    found = {key: value for key, value in read_pairs(file, warn=warn).items() if key.startswith(PREFIX)}
    if not found.keys().isdisjoint(NAMES):
        for key in NAMES:
            os.environ.pop(key, None)
    os.environ.update(found)
